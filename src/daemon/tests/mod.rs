//! The house without its threads: the test plays the store, the firewall and the background.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use super::Failure;
use super::activity;
use super::background::{Asked, Background, Beside, Interfaces, News, Resolved, Task};
use super::chronicle::Chronicle;
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
use crate::control::protocol::{FlowCounts, Stats, WarningCode};
use crate::engine::events::What;
use crate::engine::{Engine, Policy, Sighting};
use crate::firewall::{self, Guarded, Interface, LoadError, Module, Report, SetSizes, Worker};
use crate::flow::{Change, DeviceMode, FlowId, Key, Mac, Monotonic, Now, Origin, Port, Protocol, Record, State, Wall};
use crate::store::{self, Reply, Seen, When};
use crate::wire::{Facts, Stage};

mod flows;
mod lately;
mod modes;

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
            confinement: Default::default(),
            lacking: Default::default(),
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
                look: NOON.mono,
                calm: None,
                drops: NOON.mono,
                keep: NOON.mono,
                keep_soon: false,
                resolve: None,
                unanswered: 0,
                sources: None,
                reload: false,
            },
            overflow_told: None,
            counted: NOON.mono,
            record: activity::Record::new(NOON.mono),
            chronicle: Chronicle::default(),
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
        self.fill_and_load();
    }

    /// Plays store and firewall for a load that is wanted; what reached the firewall.
    fn fill_and_load(&mut self) -> Vec<firewall::Request> {
        let told = self.fill();
        self.house.firewall_report(loaded());
        assert!(self.house.kernel.is_loaded());
        told
    }

    /// Plays the store that is asked for what is decided; what reached the firewall then.
    fn fill(&mut self) -> Vec<firewall::Request> {
        self.told();
        let asked = self.store.try_iter().find_map(|request| match request {
            store::Request::Decisions { ticket } => Some(ticket),
            _ => None,
        });
        let ticket = asked.expect("the store was asked for what is decided");
        self.house.store_reply(Reply::Decisions { ticket, chunk: Vec::new(), last: true });
        self.told()
    }

    /// The ticket of a word of the owner that reached the store.
    fn word(&mut self) -> Option<u32> {
        self.store.try_iter().find_map(|request| match request {
            store::Request::Meta { when: When::Now { ticket }, .. } => Some(ticket),
            _ => None,
        })
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

/// It would guard nothing, or keep nothing, and nobody would notice.
#[test]
fn without_one_of_its_threads_the_daemon_does_not_live_on() {
    let mut town = Town::new("lost", 64);
    // The first turns wait for nothing; the threads that stand for the real ones here have ended.
    town.house.due.resolve = Some(NOON.mono);
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || tell.send(town.house.live()));
    let end = told.recv_timeout(Duration::from_secs(30)).expect("it ends");
    // Which of them is found first is their affair.
    assert!(matches!(end, Err(Failure::Lost(_))), "{end:?}");
}

impl Town {
    fn fill_and_report_counters(&mut self) {
        let asked = self.store.try_iter().find_map(|request| match request {
            store::Request::Decisions { ticket } => Some(ticket),
            _ => None,
        });
        let ticket = asked.expect("the store was asked for what is decided");
        self.house.store_reply(Reply::Decisions { ticket, chunk: Vec::new(), last: true });
        self.fill_counters();
    }

    /// Plays the kernel whose counters are asked for: they are all nothing, and the ruleset stands.
    fn fill_counters(&mut self) {
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
            self.house.firewall_report(Report::Counters { ticket, flows: Vec::new(), denied: Vec::new(), no_mac: 0 });
        }
    }
}
