//! The house without its threads: the test plays the store, the firewall and the background.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use super::background::{Asked, Background, News, Resolved, Task};
use super::control::Control;
use super::errands::Errands;
use super::held::{Awaiting, Lobby};
use super::house::{Due, House, QueueCounts, StoreLink};
use super::kernel::Kernel;
use super::learning::Learning;
use super::names::Names;
use super::poll;
use super::signals::Signals;
use super::sources::Sources;
use super::warnings::Warnings;
use crate::config::Settings;
use crate::config::settings::Device;
use crate::control::protocol::{FlowCounts, Stats};
use crate::engine::{Engine, Policy, Sighting};
use crate::firewall::{self, Guarded, Interface, LoadError, Report, SetSizes, Worker};
use crate::flow::{Change, DeviceMode, FlowId, Key, Mac, Monotonic, Now, Origin, Port, Protocol, Record, State, Wall};
use crate::store::{self, Reply, Seen};
use crate::wire::{Facts, Stage};

pub const NOON: Now = Now { mono: Monotonic::from_secs(1_000), wall: Wall { seconds: 1_790_000_000 } };
const LAPTOP: Mac = Mac([2, 0, 0, 0, 0, 1]);

pub fn key(port: u16) -> Key {
    Key::service(LAPTOP, Protocol::TCP, Port::Number(port))
}

pub fn sighting(port: u16) -> Sighting {
    Sighting {
        mac: Some(LAPTOP),
        zone: Some("lan".into()),
        facts: Facts {
            source: IpAddr::from([192, 168, 1, 10]),
            destination: IpAddr::from([192, 0, 2, 1]),
            protocol: Protocol::TCP,
            source_port: 40_000,
            port,
            stage: Stage::Opening,
        },
    }
}

pub fn record(id: u32, port: u16, state: State) -> Record {
    Record {
        id: FlowId(id),
        key: key(port),
        state,
        origin: Origin::User,
        first_seen: NOON.wall,
        last_seen: NOON.wall,
        connections: 1,
    }
}

struct Town {
    house: House,
    store: Receiver<store::Request>,
    firewall: Receiver<firewall::Request>,
    background: Receiver<Task>,
    folder: PathBuf,
}

impl Town {
    fn new(name: &str, inbox: usize) -> Town {
        let folder = std::env::temp_dir().join(format!("glacic-house-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let settings = Settings::default();
        let (handle, store) = store::Handle::to_nobody(inbox);
        let (worker, firewall) = Worker::to_nobody(64);
        let (background, tasks) = Background::to_nobody();
        let (alarm, _) = poll::alarm().unwrap();
        let house = House {
            engine: Engine::new(Policy::new(&settings, true, false), FlowId(1), NOON),
            learning: Learning::start(&settings, None, NOON.mono),
            guarded: Vec::new(),
            lobby: Lobby::default(),
            sources: Sources::new().unwrap(),
            store: StoreLink {
                handle,
                replies: mpsc::sync_channel(1).1,
                path: settings.database.clone(),
                moved_aside: None,
                trouble: None,
                asked: None,
                lag: Duration::ZERO,
                seen: Vec::new(),
                owed: Vec::new(),
            },
            kernel: Kernel::new(worker),
            reports: mpsc::sync_channel(1).1,
            background,
            news: mpsc::sync_channel(1).1,
            control: Control::open(&folder.join("control.sock")).unwrap(),
            errands: Errands::default(),
            signals: Signals::open().unwrap(),
            alarm,
            warnings: Warnings::default(),
            stats: Stats::default(),
            flows: FlowCounts::default(),
            queue_counts: QueueCounts::default(),
            modes: Vec::new(),
            names: Names::default(),
            without_queue: false,
            queue_mark: None,
            started: NOON.mono,
            now: NOON,
            due: Due {
                counters: NOON.mono,
                names: NOON.mono,
                queue: NOON.mono,
                keep: NOON.mono,
                resolve: None,
                sources: None,
                reload: false,
            },
            overflow_told: None,
            counted: NOON.mono,
            awaiting_ruleset: Vec::new(),
            settings,
        };
        Town { house, store, firewall, background: tasks, folder }
    }

    /// The same with a ruleset in the kernel.
    fn loaded(name: &str) -> Town {
        let mut town = Town::new(name, 64);
        town.load();
        town
    }

    fn load(&mut self) {
        let plan = firewall::Plan::new(&self.house.settings, self.house.learning.is_on(), Vec::new());
        self.house.kernel.want(plan);
        self.fill();
        self.house.firewall_report(loaded());
        assert!(self.house.kernel.is_loaded());
    }

    /// Plays the store that is asked for what is decided.
    fn fill(&mut self) {
        self.told();
        let asked = self.store.try_iter().find_map(|request| match request {
            store::Request::Decisions { ticket } => Some(ticket),
            _ => None,
        });
        let ticket = asked.expect("the store was asked for what is decided");
        self.house.store_reply(Reply::Decisions { ticket, chunk: Vec::new(), last: true });
        self.told();
    }

    /// What reached the firewall thread.
    fn told(&mut self) -> Vec<firewall::Request> {
        self.house.kernel.advance(&self.house.store.handle, self.house.now.mono);
        self.firewall.try_iter().collect()
    }

    /// What changed in the kernel, by port.
    fn changes(&mut self) -> HashMap<Key, (Option<State>, Option<State>)> {
        let changes = self.told().into_iter().filter_map(|request| match request {
            firewall::Request::Change { changes, .. } => Some(changes),
            _ => None,
        });
        changes.flatten().map(|change| (change.key, (change.before, change.after))).collect()
    }

    fn packet(&mut self, port: u16) {
        let (mut judge, _) = self.house.judge();
        judge.judge(Ok(sighting(port)), None);
        self.house.settle(None);
    }

    /// A client that has sent a request, which was taken in.
    fn client(&mut self, line: &str) -> UnixStream {
        let mut stream = UnixStream::connect(self.folder.join("control.sock")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream.write_all(line.as_bytes()).unwrap();
        self.house.control.accept();
        let mut set = poll::PollSet::new();
        self.house.control.watch(&mut set, None, Some);
        set.wait(Duration::ZERO).unwrap();
        for client in set.ready().flatten() {
            if let Some(request) = self.house.control.serve(client) {
                self.house.request(client, request);
            }
        }
        stream
    }
}

impl Drop for Town {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn loaded() -> Report {
    Report::Loaded { warnings: Vec::new(), failed: Vec::new(), sizes: SetSizes::new() }
}

fn answer(stream: &UnixStream) -> String {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line
}

fn silent(stream: &UnixStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let nothing = BufReader::new(stream).read_line(&mut String::new()).is_err();
    stream.set_nonblocking(false).unwrap();
    nothing
}

#[test]
fn a_learned_flow_reaches_store_and_kernel_or_neither() {
    let mut town = Town::loaded("both");
    town.packet(443);
    assert!(matches!(town.store.try_recv(), Ok(store::Request::Insert { record, .. }) if record.key == key(443)));
    assert_eq!(town.changes().get(&key(443)), Some(&(None, Some(State::Allowed))));
    assert_eq!((town.house.flows.allowed, town.house.stats.store_writes), (1, 1));

    while town.house.store.handle.try_send(store::Request::Flush).is_ok() {}
    town.packet(80);
    assert!(town.changes().is_empty(), "nothing is believed that is not kept");
    assert_eq!((town.house.flows.allowed, town.house.stats.store_errors), (1, 1));
    while town.store.try_recv().is_ok() {}
    town.packet(80);
    assert!(town.changes().contains_key(&key(80)), "it is learned again");
}

#[test]
fn what_the_store_has_no_room_for_leaves_the_kernel_again() {
    let mut town = Town::loaded("full");
    town.packet(443);
    town.changes();
    town.house.store_reply(Reply::Full { key: key(443) });
    town.house.settle(None);
    assert_eq!(town.changes().get(&key(443)), Some(&(Some(State::Allowed), None)));
    assert_eq!(town.house.flows, FlowCounts::default());
}

#[test]
fn counts_of_flows_are_put_right_by_the_store() {
    let mut town = Town::loaded("counts");
    town.house.flows.pending = 99;
    let flows = FlowCounts { allowed: 1, pending: 2, denied: 3 };
    town.house.store_reply(Reply::Status { ticket: 0, status: store::Status { flows, ..Default::default() } });
    assert_eq!(town.house.flows, flows);
}

#[test]
fn no_connection_is_lost_however_many_flows_are_in_use() {
    let mut town = Town::new("seen", 64);
    let flows = (0..20_000).map(|port| (key(port), 2)).collect();
    town.house.firewall_report(Report::Counters { ticket: None, flows, no_mac: 0 });
    let seen: u64 = town
        .store
        .try_iter()
        .map(|request| match request {
            store::Request::Seen(seen) => seen.iter().map(|Seen { connections, .. }| u64::from(*connections)).sum(),
            _ => 0,
        })
        .sum();
    assert_eq!(seen, 40_000);
}

#[test]
fn what_must_reach_the_store_waits_for_room() {
    let mut town = Town::new("owed", 1);
    town.house.store.handle.try_send(store::Request::Flush).unwrap();
    let limits = |max_flows| {
        store::Request::Limits(store::Limits { max_flows, ..super::house::store_limits(&Settings::default()) })
    };
    town.house.store.owe(limits(1));
    town.house.store.owe(store::Request::ClockSet { jump_seconds: 7 });
    town.house.store.owe(limits(2));
    assert_eq!(town.house.store.owed.len(), 2, "of limits the last ones count");
    assert!(matches!(town.store.try_recv(), Ok(store::Request::Flush)));
    town.house.store.pay();
    assert!(matches!(town.store.try_recv(), Ok(store::Request::ClockSet { jump_seconds: 7 })));
    town.house.store.pay();
    assert!(matches!(town.store.try_recv(), Ok(store::Request::Limits(store::Limits { max_flows: 2, .. }))));
    assert!(town.house.store.owed.is_empty());
}

#[test]
fn a_decision_is_answered_when_the_kernel_follows() {
    for stage in ["loaded", "loading"] {
        let mut town = Town::loaded(stage);
        if stage == "loading" {
            town.house.kernel.again();
        }
        let line = "{\"method\":\"flow_deny\",\"params\":{\"service\":{\"device\":\"02:00:00:00:00:01\",\"proto\":\"tcp\",\"port\":443}}}\n";
        let client = town.client(line);
        let ticket = town.store.try_iter().find_map(|request| match request {
            store::Request::Decide { ticket, .. } => Some(ticket),
            _ => None,
        });
        let ticket = ticket.expect("the store was asked");
        let changes = vec![Change { before: None, after: Some(record(9, 443, State::Denied)) }];
        let decided = store::Decided { matched: 1, changes, saved: Ok(()) };
        town.house.store_reply(Reply::Decided { ticket, result: Ok(decided) });
        assert!(silent(&client), "{stage}");
        if stage == "loading" {
            town.fill();
            town.house.firewall_report(loaded());
        }
        let sizes = SetSizes::new();
        town.house.firewall_report(Report::Applied { ticket: Some(ticket), failed: Vec::new(), sizes });
        assert!(answer(&client).contains("\"changed_total\":1"), "{stage}");
        assert_eq!(town.house.flows.denied, 1);
    }
}

#[test]
fn a_listing_that_waits_for_counts_survives_a_new_load() {
    let mut town = Town::loaded("listing");
    town.house.now.mono = town.house.now.mono.after(Duration::from_secs(10));
    let client = town.client("{\"method\":\"flow_list\"}\n");
    town.house.firewall_report(Report::TableGone);
    town.told();
    town.fill_and_report_counters();
    let ticket = town.store.try_iter().find_map(|request| match request {
        store::Request::List { ticket, .. } => Some(ticket),
        _ => None,
    });
    town.house.store_reply(Reply::Listed { ticket: ticket.expect("the store was asked"), result: Ok("[]".to_owned()) });
    assert_eq!(answer(&client), "{\"result\":[]}\n");
}

impl Town {
    fn fill_and_report_counters(&mut self) {
        let asked = self.store.try_iter().find_map(|request| match request {
            store::Request::Decisions { ticket } => Some(ticket),
            _ => None,
        });
        let ticket = asked.expect("the store was asked for what is decided");
        self.house.store_reply(Reply::Decisions { ticket, chunk: Vec::new(), last: true });
        let tickets: Vec<_> = self
            .told()
            .into_iter()
            .filter_map(|request| match request {
                firewall::Request::Counters { ticket } => Some(ticket),
                _ => None,
            })
            .collect();
        self.house.firewall_report(loaded());
        for ticket in tickets {
            self.house.firewall_report(Report::Counters { ticket, flows: Vec::new(), no_mac: 0 });
        }
    }
}

#[test]
fn whoever_turns_learning_off_is_answered_by_the_ruleset_that_enforces() {
    let mut town = Town::new("off", 64);
    // The house is still being brought up with a ruleset that learns.
    town.house.kernel.want(firewall::Plan::new(&town.house.settings, true, Vec::new()));
    town.fill();
    let client = town.client("{\"method\":\"learning_set\",\"params\":{\"on\":false}}\n");
    assert!(!town.house.engine.policy().learning, "the next packet meets the new mode");
    town.fill();
    town.house.firewall_report(loaded());
    assert!(silent(&client), "that was the old one");
    town.house.firewall_report(loaded());
    assert!(answer(&client).contains("\"learning\":false"));
}

#[test]
fn whoever_waits_for_the_owner_goes_on_when_the_house_begins_to_learn() {
    let mut town = Town::loaded("holds");
    town.house.settings.hold = Some(Duration::from_secs(60));
    town.house.learning.set(false, None, NOON.mono);
    town.house.engine.configure(Policy::new(&town.house.settings, false, true));
    town.packet(443);
    assert_eq!(town.house.lobby.call(|_| false).len(), 0);
    assert_eq!(town.house.lobby.len(), 1);
    town.house.learning.set(true, None, NOON.mono);
    town.house.apply();
    assert_eq!(town.house.lobby.call(|waiting| waiting.awaiting == Awaiting::Owner).len(), 0);
}

#[test]
fn interfaces_that_were_looked_up_for_other_settings_are_looked_up_again() {
    let mut town = Town::new("asked", 64);
    let guarded = vec![Guarded { interface: Interface::new("br-old").unwrap(), zone: None, input_refused: false }];
    let old = Asked::of(&Settings { zones: vec!["old".to_owned()], ..Settings::default() });
    town.house.background_news(News::Guarded { asked: old, guarded: guarded.clone(), warnings: Vec::new() });
    assert_eq!(town.house.guarded, []);
    assert_eq!(town.house.due.resolve, Some(NOON.mono));
    let asked = Asked::of(&town.house.settings);
    town.house.background_news(News::Guarded { asked, guarded: guarded.clone(), warnings: Vec::new() });
    assert_eq!(town.house.guarded, guarded);
}

#[test]
fn the_configurations_mode_of_a_device_goes_before_a_commands() {
    let mut town = Town::loaded("modes");
    let device = Device { mac: LAPTOP, name: None, mode: DeviceMode::Enforce, scope: None };
    let resolved = |devices| Resolved {
        settings: Settings { devices, ..Settings::default() },
        guarded: Vec::new(),
        problems: Vec::new(),
        warnings: Vec::new(),
    };
    town.house.configure(resolved(vec![device]));
    // By the name of a lease, which the configuration does not know.
    let set =
        store::DeviceSet { mac: LAPTOP, mode: DeviceMode::Trust, mode_before: DeviceMode::Default, saved: Ok(()) };
    town.house.store_reply(Reply::DeviceSet { ticket: 1, result: Ok(set) });
    assert_eq!(town.house.engine.device_modes(), [(LAPTOP, DeviceMode::Enforce)]);
    town.house.configure(resolved(Vec::new()));
    assert_eq!(town.house.engine.device_modes(), [(LAPTOP, DeviceMode::Trust)]);
}

#[test]
fn a_refusal_of_what_nobody_wants_any_more_is_nobodys_trouble() {
    let mut town = Town::new("refused", 64);
    let plan = firewall::Plan::new(&town.house.settings, true, Vec::new());
    for _ in 0..2 {
        town.house.kernel.want(plan.clone());
        town.fill();
    }
    town.house.firewall_report(Report::Refused(LoadError::NoQueue));
    assert!(!town.house.without_queue);
    town.house.firewall_report(Report::Refused(LoadError::NoQueue));
    assert!(town.house.without_queue);
}

#[test]
fn what_did_not_get_into_the_kernel_is_tried_again() {
    let mut town = Town::loaded("retry");
    assert_eq!(town.house.kernel.next_deadline(), None);
    let failure = firewall::Failure { what: firewall::Subject::Flow(key(443)), why: "full".to_owned() };
    let sizes = SetSizes::new();
    town.house.firewall_report(Report::Applied { ticket: None, failed: vec![failure], sizes });
    assert!(town.house.kernel.next_deadline().is_some());
}

#[test]
fn a_reload_is_not_forgotten_while_the_background_is_busy() {
    let mut town = Town::new("reload", 64);
    while town.house.background.ask(Task::Names(Vec::new())) {}
    town.house.due.reload = true;
    town.house.repeat();
    let reloads = |town: &Town| town.background.try_iter().filter(|task| matches!(task, Task::Reload)).count();
    assert_eq!(reloads(&town), 0);
    town.house.repeat();
    assert_eq!(reloads(&town), 1);
    town.house.repeat();
    assert_eq!(reloads(&town), 0);
}

#[test]
fn what_waits_in_a_queue_gets_its_verdict_before_the_queue_ends() {
    use crate::firewall::Ask;
    use crate::netlink::namespace::{Namespace, run, udp, wait_readable};

    for other_settings in [false, true] {
        let Some((router, client)) = Namespace::router_and_client() else { return };
        router.run(move || {
            run("iptables-nft -A INPUT -p udp -j NFQUEUE --queue-num 100");
            let server = udp("10.9.0.1:7");
            let mut town = Town::new(if other_settings { "reopen" } else { "close" }, 64);
            // A device with flows in the store, of which the cache has forgotten all but one.
            town.house.engine.configure(Policy { cache_size: 1, ..Policy::default() });
            for port in [1, 2] {
                let mac = Mac([2, 0, 0, 0, 0, 2]);
                let key = Key::service(mac, Protocol::UDP, Port::Number(port));
                town.house.engine.load(&Record { key, ..record(u32::from(port), port, State::Allowed) }, NOON);
            }
            let ask = Ask::Marked { first: 100, count: 1, mark: 1 };
            town.house.sources.open(ask, &town.house.settings).unwrap();
            let send = |payload: &'static [u8]| {
                move || assert_eq!(udp("10.9.0.2:0").send_to(payload, "10.9.0.1:7").unwrap(), payload.len())
            };
            client.run(send(b"held"));
            let fd = town.house.sources.fds().next().unwrap().1.try_clone_to_owned().unwrap();
            wait_readable(&fd);
            let (mut judge, sources) = town.house.judge();
            sources.receive(0, |sighting, held| judge.judge(sighting, held)).unwrap();
            assert_eq!(town.house.lobby.len(), 1, "the store has not answered");
            client.run(send(b"unread"));
            wait_readable(&fd);
            drop(fd);

            match other_settings {
                true => {
                    town.house.settings.mark = 0x200;
                    let index = town.house.sources.in_the_way(ask, &town.house.settings).expect("it has another mark");
                    town.house.close_source(index);
                }
                false => town.house.close_sources(),
            }
            assert!(town.house.sources.is_empty());
            assert_eq!(town.house.lobby.len(), 0, "a verdict that came later would meet another packet");
            let mut heard = Vec::new();
            for _ in 0..2 {
                let mut buffer = [0; 16];
                let length = server.recv(&mut buffer).unwrap();
                heard.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
            }
            heard.sort();
            assert_eq!(heard, ["held", "unread"]);
            assert_eq!(town.house.stats.verdict_errors, 0);
        });
    }
}

#[test]
fn a_source_that_cannot_be_opened_is_tried_again() {
    use crate::intercept::log::Log;
    use crate::netlink::namespace::Namespace;

    let Some(namespace) = Namespace::new() else { return };
    namespace.run(|| {
        let mut town = Town::new("again", 64);
        let other = Log::open(town.house.settings.log_group).unwrap();
        town.house.apply();
        assert!(town.house.sources.is_empty());
        assert!(!town.house.warnings.all().is_empty());
        let at = town.house.due.sources.expect("another attempt");
        town.house.now.mono = at;
        town.house.reopen_sources();
        assert!(town.house.due.sources.is_some_and(|next| next > at));
        drop(other);
        town.house.now.mono = town.house.due.sources.unwrap();
        town.house.reopen_sources();
        assert!(!town.house.sources.is_empty() && town.house.due.sources.is_none());
        assert_eq!(town.house.warnings.all(), [""; 0]);
    });
}
