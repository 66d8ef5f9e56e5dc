//! What becomes of modes, settings and sources when they change.

use super::*;

#[test]
fn whoever_turns_learning_off_is_answered_by_the_ruleset_that_enforces() {
    let mut town = Town::new("off", 64);
    // The house is still being brought up with a ruleset that learns.
    town.house.kernel.want(firewall::Plan::new(&town.house.settings, true, Vec::new()));
    town.fill();
    let client = town.client("{\"method\":\"learning_set\",\"params\":{\"on\":false}}\n");
    assert!(!town.house.engine.policy().learning, "the next packet meets the new mode");
    let ticket = town.word().unwrap();
    town.house.store_reply(Reply::Kept { ticket, saved: Ok(()) });
    town.fill();
    town.house.firewall_report(loaded());
    assert!(silent(&client), "that was the old one");
    town.house.firewall_report(loaded());
    assert!(answer(&client).contains("\"learning\":false"));
}

#[test]
fn a_word_about_learning_is_answered_when_it_is_kept_although_the_ruleset_is_there_before() {
    let mut town = Town::loaded("kept");
    let client = town.client("{\"method\":\"learning_set\",\"params\":{\"on\":false}}\n");
    let ticket = town.word().unwrap();
    town.fill_and_load();
    assert!(silent(&client));
    town.house.store_reply(Reply::Kept { ticket, saved: Ok(()) });
    assert!(answer(&client).contains("\"learning\":false"));
    let client = town.client("{\"method\":\"learning_set\",\"params\":{\"on\":false,\"for\":60}}\n");
    let ticket = town.word().unwrap();
    assert!(silent(&client), "also what changes nothing but the time it ends");
    town.house.store_reply(Reply::Kept { ticket, saved: Ok(()) });
    assert!(answer(&client).contains("\"learning_left\":60"));
}

#[test]
fn a_store_that_is_too_busy_for_the_word_does_not_keep_the_house_learning() {
    let mut town = Town::loaded("crowded");
    while town.house.store.handle.try_send(store::Request::Flush).is_ok() {}
    let client = town.client("{\"method\":\"learning_set\",\"params\":{\"on\":false}}\n");
    assert!(answer(&client).contains("not_saved"));
    assert!(!town.house.engine.policy().learning);
    while town.store.try_recv().is_ok() {}
    town.house.keep_learning(When::Later);
    assert!(matches!(town.store.try_recv(), Ok(store::Request::Meta { when: When::Soon, .. })), "as soon as it can");
}

#[test]
fn whoever_turns_learning_off_is_told_when_it_could_not_be_kept() {
    let mut town = Town::loaded("unkept");
    let client = town.client("{\"method\":\"learning_set\",\"params\":{\"on\":false}}\n");
    let ticket = town.word().unwrap();
    town.house.store_reply(Reply::Kept { ticket, saved: Err(store::Trouble("the disk is full".to_owned())) });
    assert!(answer(&client).contains("not_saved"));
    assert!(!town.house.engine.policy().learning, "it holds all the same");
}

#[test]
fn a_word_about_learning_that_the_store_is_too_busy_for_goes_to_it_as_soon_as_it_can() {
    let mut town = Town::new("busy", 1);
    town.house.store.handle.try_send(store::Request::Flush).unwrap();
    town.house.keep_learning(When::Soon);
    town.house.keep_learning(When::Later);
    assert!(matches!(town.store.try_recv(), Ok(store::Request::Flush)));
    town.house.keep_learning(When::Later);
    assert!(matches!(town.store.try_recv(), Ok(store::Request::Meta { when: When::Soon, .. })));
    town.house.keep_learning(When::Later);
    assert!(matches!(town.store.try_recv(), Ok(store::Request::Meta { when: When::Later, .. })));
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
    let interfaces = Interfaces { guarded: guarded.clone(), ..Interfaces::default() };
    let old = Asked::of(&Settings { zones: vec!["old".to_owned()], ..Settings::default() });
    town.house.background_news(News::Guarded { asked: old, interfaces: interfaces.clone() });
    assert_eq!(town.house.guarded, []);
    assert_eq!(town.house.due.resolve, Some(NOON.mono));
    let asked = Asked::of(&town.house.settings);
    town.house.background_news(News::Guarded { asked, interfaces });
    assert_eq!(town.house.guarded, guarded);
}

#[test]
fn interfaces_that_could_not_be_looked_up_are_looked_up_again_and_guarded_meanwhile() {
    let mut town = Town::new("unsure", 64);
    let guarded = vec![Guarded { interface: Interface::new("br-lan").unwrap(), zone: None, input_refused: false }];
    town.house.guarded.clone_from(&guarded);
    let asked = Asked::of(&town.house.settings);
    let warnings = vec!["zone lan stays guarded as it was".to_owned()];
    let interfaces = Interfaces { guarded: guarded.clone(), warnings, unsure: true };
    town.house.background_news(News::Guarded { asked, interfaces });
    assert_eq!(town.house.due.resolve, Some(NOON.mono.after(Duration::from_secs(10))));
    town.house.now.mono = NOON.mono.after(Duration::from_secs(10));
    town.house.repeat();
    let asked = town.background.try_iter().find_map(|task| match task {
        Task::Resolve(_, before) => Some(before),
        _ => None,
    });
    assert_eq!(asked.as_ref(), Some(&guarded), "the thread that asks knows what to keep");
    let mut waits = Vec::new();
    for unsure in [true, true, true, true, false, true] {
        let found = Interfaces { guarded: guarded.clone(), warnings: Vec::new(), unsure };
        town.house.due.resolve = None;
        town.house.interfaces(found);
        waits.push(town.house.due.resolve.map_or(0, |at| at.since(town.house.now.mono).as_secs()));
    }
    assert_eq!(waits, [20, 40, 80, 80, 0, 10], "each takes fw4 a second");
}

/// fw4 and the network have the configuration read again every few minutes on some lines.
#[test]
fn a_configuration_that_says_the_same_again_loads_nothing() {
    let mut town = Town::loaded("again");
    let device = |mode| vec![Device { mac: LAPTOP, name: None, mode, scope: None }];
    let resolved = |devices| Resolved {
        settings: Settings { devices, ..Settings::default() },
        interfaces: Interfaces::default(),
        problems: Vec::new(),
    };
    assert!(!town.house.configure(resolved(Vec::new())));
    assert!(town.house.kernel.is_loaded() && town.told().is_empty());
    assert!(town.house.configure(resolved(device(DeviceMode::Block))));
    assert!(!town.house.kernel.is_loaded());
    town.fill_and_load();
    assert!(!town.house.configure(resolved(device(DeviceMode::Block))));
    town.house.without_queue = true;
    assert!(town.house.configure(resolved(device(DeviceMode::Block))), "what was missing may be there now");
}

#[test]
fn a_device_that_the_configuration_blocks_is_cut_off_at_once() {
    let mut town = Town::loaded("blocked");
    let device = Device { mac: LAPTOP, name: None, mode: DeviceMode::Block, scope: None };
    let settings = Settings { devices: vec![device], ..Settings::default() };
    town.house.configure(Resolved { settings, interfaces: Interfaces::default(), problems: Vec::new() });
    let told = town.fill_and_load();
    let [firewall::Request::Load(_), firewall::Request::Device { mac: LAPTOP, before, after, .. }] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!((*before, *after), (DeviceMode::Default, DeviceMode::Block), "which ends its connections");
}

#[test]
fn the_configurations_mode_of_a_device_goes_before_a_commands() {
    let mut town = Town::loaded("modes");
    let device = Device { mac: LAPTOP, name: None, mode: DeviceMode::Enforce, scope: None };
    let resolved = |devices| Resolved {
        settings: Settings { devices, ..Settings::default() },
        interfaces: Interfaces::default(),
        problems: Vec::new(),
    };
    town.house.configure(resolved(vec![device]));
    // By the name of a lease, which the configuration does not know.
    let set =
        store::DeviceSet { mac: LAPTOP, mode: DeviceMode::Trust, mode_before: DeviceMode::Default, saved: Ok(()) };
    town.house.store_reply(Reply::DeviceSet { ticket: 1, result: Ok(set) });
    assert_eq!(town.house.engine.device_modes(), [(LAPTOP, DeviceMode::Enforce)]);
    // And is what a listing shows.
    let _client = town.client("{\"method\":\"device_list\"}\n");
    let shown = town.store.try_iter().find_map(|request| match request {
        store::Request::Devices { modes, .. } => Some(modes),
        _ => None,
    });
    assert_eq!(shown, Some(vec![(LAPTOP, DeviceMode::Enforce)]));
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
    let reloads = |town: &Town| town.background.try_iter().filter(|task| matches!(task, Task::Reload(_))).count();
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
        assert_eq!(town.house.warnings.all(), []);
    });
}

#[test]
fn what_the_kernel_lacks_is_told_with_what_to_do_until_it_is_there() {
    let mut town = Town::new("lacks", 64);
    town.house.lacks(Module::Conntrack);
    let told = |town: &Town| town.house.warnings.all();
    let [first] = &told(&town)[..] else { panic!("{:?}", told(&town)) };
    assert_eq!(first.code, WarningCode::ModuleMissing);
    assert!(first.message.ends_with("install kmod-nf-conntrack-netlink"), "{first:?}");
    assert!(matches!(town.background.try_recv(), Ok(Task::Module(Module::Conntrack))), "the background looks closer");
    town.house.background_news(News::Module(Module::Conntrack, "opkg".to_owned()));
    assert_eq!(told(&town)[0].message, "opkg");
    town.house.background_news(News::Beside(Beside { offload: None, conntrack: true }));
    assert_eq!(told(&town), []);
    town.house.background_news(News::Module(Module::Conntrack, "too late".to_owned()));
    assert_eq!(told(&town), []);
}

#[test]
fn offload_is_told_while_it_is_on() {
    let mut town = Town::new("offload", 64);
    let beside = |offload: Option<&str>| News::Beside(Beside { offload: offload.map(str::to_owned), conntrack: true });
    town.house.background_news(beside(Some("flow offload is on")));
    assert_eq!(town.house.warnings.all()[0].code, WarningCode::Offload);
    town.house.background_news(beside(None));
    assert_eq!(town.house.warnings.all(), []);
}
