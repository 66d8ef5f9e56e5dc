//! The engine as its users see it: packets in, answers and effects out.

use std::net::IpAddr;
use std::time::Duration;

use super::events::What;
use super::*;
use crate::flow::{Change, DeviceMode, Rate};

const LAPTOP: Mac = Mac([2, 0, 0, 0, 0, 1]);
const NOON: Now = Now { mono: Monotonic::from_secs(1_000), wall: Wall { seconds: 1_790_000_000 } };

fn later(seconds: u64) -> Now {
    Now { mono: Monotonic::from_secs(1_000 + seconds), wall: Wall { seconds: NOON.wall.seconds + seconds as i64 } }
}

fn learning() -> Engine {
    Engine::new(Policy { learning: true, ..Policy::default() }, FlowId(1), NOON)
}

fn enforcing() -> Engine {
    Engine::new(Policy { learning: false, ..Policy::default() }, FlowId(1), NOON)
}

fn from(mac: Mac, protocol: Protocol, port: u16) -> Sighting {
    Sighting {
        mac: Some(mac),
        zone: Some("lan".into()),
        facts: Facts {
            source: IpAddr::from([192, 168, 1, 10]),
            destination: IpAddr::from([192, 0, 2, 1]),
            protocol,
            source_port: 40_000,
            port,
            stage: Stage::Opening,
        },
    }
}

fn tcp(port: u16) -> Sighting {
    from(LAPTOP, Protocol::TCP, port)
}

fn key(port: u16) -> Key {
    Key::service(LAPTOP, Protocol::TCP, Port::Number(port))
}

fn record(id: u32, port: Port, state: State) -> Record {
    let key = Key::service(LAPTOP, Protocol::TCP, port);
    Record {
        id: FlowId(id),
        key,
        state,
        origin: Origin::User,
        first_seen: NOON.wall,
        last_seen: NOON.wall,
        connections: 1,
    }
}

fn effects(engine: &mut Engine) -> Vec<Effect> {
    engine.take_effects().collect()
}

fn inserted(effects: &[Effect]) -> Vec<(u32, State)> {
    let insert = |effect: &Effect| match effect {
        Effect::Insert { record, .. } => Some((record.id.0, record.state)),
        _ => None,
    };
    effects.iter().filter_map(insert).collect()
}

fn alerts(effects: &[Effect]) -> Vec<String> {
    let alert = |effect: &Effect| match effect {
        Effect::Event(What::Alert { kind, .. }) => Some(kind.clone()),
        _ => None,
    };
    effects.iter().filter_map(alert).collect()
}

const PASS: Answer = Answer::Verdict(Verdict::Pass);
const REFUSE: Answer = Answer::Verdict(Verdict::Refuse);
const IGNORE: Answer = Answer::Verdict(Verdict::Ignore);
const DENY: Answer = Answer::Verdict(Verdict::Deny);

#[test]
fn a_new_flow_is_allowed_kept_made_known_to_the_kernel_and_announced() {
    let mut engine = learning();
    assert_eq!(engine.packet(&tcp(443), NOON), PASS);
    let key = Key::service(LAPTOP, Protocol::TCP, Port::Number(443));
    match effects(&mut engine).as_slice() {
        [
            Effect::Event(What::DeviceNew { mac: LAPTOP, .. }),
            Effect::Insert { record, zone },
            Effect::Kernel { key: told, before: None, after: Some(State::Allowed) },
            Effect::Event(What::FlowNew { flow }),
        ] => {
            assert_eq!(
                (record.key, record.state, record.origin, record.connections),
                (key, State::Allowed, Origin::Learned, 1)
            );
            assert_eq!(zone.as_deref(), Some("lan"));
            assert_eq!(*told, key);
            assert_eq!(flow.id, Some(record.id));
        }
        other => panic!("{other:#?}"),
    }
}

#[test]
fn while_enforcing_a_new_flow_waits_and_the_kernel_hears_nothing() {
    let mut engine = enforcing();
    assert_eq!(engine.packet(&tcp(443), NOON), REFUSE);
    let effects = effects(&mut engine);
    assert_eq!(inserted(&effects), [(1, State::Pending)]);
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Kernel { .. })));
}

#[test]
fn a_mode_switch_takes_effect_with_the_next_packet() {
    let mut engine = enforcing();
    assert_eq!(engine.packet(&tcp(443), NOON), REFUSE);
    engine.set_learning(true);
    assert_eq!(engine.packet(&tcp(443), NOON), PASS, "a pending flow passes while learning");
    engine.set_learning(false);
    assert_eq!(engine.packet(&tcp(443), NOON), REFUSE, "and not a packet longer");
}

#[test]
fn two_spellings_of_a_protocol_are_one_flow() {
    let mut engine = learning();
    engine.packet(&from(LAPTOP, "ipv6-icmp".parse().unwrap(), 128), NOON);
    engine.packet(&from(LAPTOP, "58".parse().unwrap(), 128), NOON);
    assert_eq!(inserted(&effects(&mut engine)).len(), 1);
}

#[test]
fn a_hit_has_no_effects_and_is_reported_once() {
    let mut engine = learning();
    engine.packet(&tcp(443), NOON);
    effects(&mut engine);
    for _ in 0..3 {
        assert_eq!(engine.packet(&tcp(443), later(5)), PASS);
    }
    assert!(!engine.has_effects());
    engine.report();
    assert_eq!(effects(&mut engine), [Effect::Seen { key: key(443), at: later(5).wall, connections: 3 }]);
    engine.report();
    assert!(!engine.has_effects(), "what was reported is not counted twice");
}

#[test]
fn connections_of_an_evicted_flow_are_reported_once() {
    let mut engine = Engine::new(Policy { cache_size: 1, ..Policy::default() }, FlowId(1), NOON);
    engine.packet(&tcp(1), NOON);
    engine.packet(&tcp(1), NOON);
    effects(&mut engine);
    let answer = engine.packet(&tcp(2), NOON);
    assert_eq!(answer, PASS, "nothing was evicted before: the cache was complete");
    let seen: Vec<_> =
        effects(&mut engine).into_iter().filter(|effect| matches!(effect, Effect::Seen { .. })).collect();
    assert_eq!(seen, [Effect::Seen { key: key(1), at: NOON.wall, connections: 1 }]);
    engine.report();
    assert!(!engine.has_effects());
}

#[test]
fn the_store_is_asked_only_when_it_might_know() {
    let mut engine = Engine::new(Policy { cache_size: 2, ..Policy::default() }, FlowId(1), NOON);
    (1..=3).for_each(|port| assert_eq!(engine.packet(&tcp(port), NOON), PASS));
    let first = Key::service(LAPTOP, Protocol::TCP, Port::Number(1));
    assert_eq!(engine.packet(&tcp(1), NOON), Answer::Ask(first));
    let stranger = Mac([2, 0, 0, 0, 0, 9]);
    assert_eq!(
        engine.packet(&from(stranger, Protocol::TCP, 1), NOON),
        PASS,
        "a device without flows has none in the store"
    );
}

#[test]
fn the_stores_answer_decides() {
    let mut engine = Engine::new(Policy { cache_size: 1, learning: false, ..Policy::default() }, FlowId(10), NOON);
    engine.load(&record(1, Port::Number(1), State::Denied), NOON);
    engine.load(&record(2, Port::Number(2), State::Allowed), NOON);
    assert!(matches!(engine.packet(&tcp(1), NOON), Answer::Ask(_)));
    assert_eq!(engine.found(&record(1, Port::Number(1), State::Denied)), None);
    assert_eq!(engine.resume(&tcp(1), NOON), DENY);
    assert!(matches!(engine.packet(&tcp(3), NOON), Answer::Ask(_)));
    assert_eq!(engine.resume(&tcp(3), NOON), REFUSE);
    assert_eq!(inserted(&effects(&mut engine)), [(10, State::Pending)]);
}

#[test]
fn packets_that_waited_for_one_answer_make_one_flow() {
    let mut engine = Engine::new(Policy { cache_size: 1, ..Policy::default() }, FlowId(10), NOON);
    engine.load(&record(1, Port::Number(1), State::Allowed), NOON);
    engine.load(&record(2, Port::Number(2), State::Allowed), NOON);
    engine.packet(&tcp(3), NOON);
    engine.packet(&tcp(3), NOON);
    engine.resume(&tcp(3), NOON);
    engine.resume(&tcp(3), NOON);
    assert_eq!(inserted(&effects(&mut engine)).len(), 1);
}

#[test]
fn a_decision_reaches_cache_kernel_and_ear() {
    let mut engine = enforcing();
    engine.packet(&tcp(443), NOON);
    effects(&mut engine);
    let before = record(1, Port::Number(443), State::Pending);
    let after = Record { state: State::Allowed, ..before };
    engine.decided(&[Change { before: Some(before), after: Some(after) }], NOON);
    assert_eq!(engine.packet(&tcp(443), NOON), PASS);
    let effects = effects(&mut engine);
    assert!(effects.contains(&Effect::Kernel {
        key: before.key,
        before: Some(State::Pending),
        after: Some(State::Allowed)
    }));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Event(What::FlowChanged { .. }))));
}

#[test]
fn a_decision_about_many_flows_is_told_of_some_and_how_many_more() {
    let mut engine = enforcing();
    let change = |n| Change { before: None, after: Some(record(u32::from(n), Port::Number(n), State::Denied)) };
    let decided = |engine: &mut Engine, count| {
        engine.decided(&(1..=count).map(change).collect::<Vec<_>>(), NOON);
        let effects = effects(engine);
        let kernel = effects.iter().filter(|effect| matches!(effect, Effect::Kernel { .. })).count();
        let events = effects.into_iter().filter_map(|effect| match effect {
            Effect::Event(what) => Some(what),
            _ => None,
        });
        (kernel, events.collect::<Vec<_>>())
    };
    assert_eq!(decided(&mut engine, 100).1.len(), 100);
    let (kernel, events) = decided(&mut Engine::new(Policy::default(), FlowId(1), NOON), 3000);
    assert_eq!((kernel, events.len()), (3000, 101), "the kernel hears of every one");
    assert_eq!(events.last(), Some(&What::FlowsChanged { count: 2900 }));
}

#[test]
fn any_port_of_a_protocol_is_a_decision_and_the_narrow_one_wins() {
    let mut engine = enforcing();
    let wide = record(1, Port::Any, State::Allowed);
    engine.decided(&[Change { before: None, after: Some(wide) }], NOON);
    assert_eq!(engine.packet(&tcp(5), NOON), PASS);
    let narrow = record(2, Port::Number(5), State::Denied);
    engine.decided(&[Change { before: None, after: Some(narrow) }], NOON);
    assert_eq!(engine.packet(&tcp(5), NOON), DENY);
    engine.decided(&[Change { before: Some(wide), after: None }], NOON);
    assert_eq!(engine.packet(&tcp(6), NOON), REFUSE);
}

#[test]
fn what_has_no_address_is_nobodys_flow() {
    let mut engine = enforcing();
    let nobody = Sighting { mac: None, ..tcp(443) };
    let group = from(Mac([1, 0, 0x5e, 0, 0, 1]), Protocol::UDP, 53);
    assert_eq!((engine.packet(&nobody, NOON), engine.packet(&group, NOON)), (IGNORE, IGNORE));
    assert_eq!(engine.counts.no_mac, 2);
    assert!(!engine.has_effects());
}

#[test]
fn listed_traffic_and_mid_stream_packets_record_nothing() {
    let ignored = vec!["192.0.2.0/24".parse().unwrap()];
    let mut engine = Engine::new(Policy { ignored, learning: false, ..Policy::default() }, FlowId(1), NOON);
    assert_eq!(engine.packet(&tcp(443), NOON), IGNORE);
    let baseline = vec![(Protocol::TCP, Port::Number(443))];
    engine.configure(Policy { baseline, learning: false, ..Policy::default() });
    assert_eq!(engine.packet(&tcp(443), NOON), PASS);
    let mut middle = tcp(80);
    middle.facts.stage = Stage::MidStream;
    assert_eq!(engine.packet(&middle, NOON), REFUSE);
    engine.set_learning(true);
    assert_eq!(engine.packet(&middle, NOON), IGNORE);
    assert!(!engine.has_effects());
}

#[test]
fn a_device_learns_so_many_flows_and_no_more() {
    let mut engine = Engine::new(Policy { max_flows_per_device: 5, ..Policy::default() }, FlowId(1), NOON);
    (1..=50).for_each(|port| assert_eq!(engine.packet(&tcp(port), NOON), PASS));
    let effects = effects(&mut engine);
    let inserted = inserted(&effects);
    assert_eq!(inserted.iter().filter(|(_, state)| *state == State::Allowed).count(), 5);
    assert_eq!(inserted.iter().filter(|(_, state)| *state == State::Pending).count(), 45);
    assert_eq!(alerts(&effects), ["device_full", "port_scan"]);
    engine.set_learning(false);
    assert_eq!(engine.packet(&tcp(6), NOON), REFUSE, "beyond the bound it is pending, not allowed");
    assert_eq!(engine.packet(&tcp(5), NOON), PASS);
}

#[test]
fn undecided_flows_of_a_device_are_bounded_too() {
    let mut engine = enforcing();
    for port in 1..=1000 {
        assert_eq!(engine.packet(&tcp(port), NOON), REFUSE);
    }
    assert_eq!(inserted(&effects(&mut engine)).len(), PENDING_PER_DEVICE as usize);
    assert_eq!(engine.counts.unrecorded, 800);
}

#[test]
fn a_million_forged_addresses_make_a_handful_of_devices_and_one_alert() {
    for mut engine in [learning(), enforcing()] {
        let (mut inserts, mut warned) = (0, Vec::new());
        for n in 0..1_000_000 {
            let forged = from(Mac::from_u64(0x0600_0000_0000 + n).unwrap(), Protocol::UDP, n as u16);
            engine.packet(&forged, later(n / 100_000));
            let effects = effects(&mut engine);
            inserts += inserted(&effects).len();
            warned.extend(alerts(&effects));
        }
        assert!((64..70).contains(&inserts), "{inserts}");
        assert!(engine.device_count() < 70 && engine.cache_len() < 70);
        assert_eq!(warned, ["too_many_devices"]);
    }
}

#[test]
fn events_of_one_device_are_limited() {
    let rate_limit = Rate { count: 3, per: Duration::from_secs(60) };
    let mut engine = Engine::new(Policy { rate_limit, ..Policy::default() }, FlowId(1), NOON);
    for port in 1..=9 {
        engine.packet(&tcp(port), NOON);
    }
    let events = effects(&mut engine).iter().filter(|effect| matches!(effect, Effect::Event(_))).count();
    assert_eq!(events, 3, "the device and two of its flows");
    assert_eq!(engine.counts.events_suppressed, 7);
}

#[test]
fn where_the_owner_wants_it_a_packet_waits_for_a_decision() {
    let mut engine = Engine::new(Policy { learning: false, holds: true, ..Policy::default() }, FlowId(1), NOON);
    let key = Key::service(LAPTOP, Protocol::TCP, Port::Number(443));
    assert_eq!(engine.packet(&tcp(443), NOON), Answer::Hold(key));
    let allowed = record(1, Port::Number(443), State::Allowed);
    engine.decided(&[Change { before: None, after: Some(allowed) }], NOON);
    assert_eq!(engine.judge_again(&tcp(443), NOON), PASS);
}

#[test]
fn what_could_not_be_kept_is_learned_again() {
    let mut engine = learning();
    engine.packet(&tcp(443), NOON);
    effects(&mut engine);
    engine.unlearn(&Key::service(LAPTOP, Protocol::TCP, Port::Number(443)));
    engine.packet(&tcp(443), NOON);
    assert_eq!(inserted(&effects(&mut engine)).len(), 1);
}

#[test]
fn numbers_are_never_used_twice() {
    let mut engine = learning();
    engine.load(&record(41, Port::Number(1), State::Allowed), NOON);
    engine.packet(&tcp(2), NOON);
    assert_eq!(inserted(&effects(&mut engine)), [(42, State::Allowed)]);
}

fn kernel(effects: &[Effect]) -> Vec<(Option<State>, Option<State>)> {
    let told = |effect: &Effect| match effect {
        Effect::Kernel { before, after, .. } => Some((*before, *after)),
        _ => None,
    };
    effects.iter().filter_map(told).collect()
}

#[test]
fn a_packet_that_waited_for_the_owner_is_one_connection() {
    let mut engine = Engine::new(Policy { learning: false, holds: true, ..Policy::default() }, FlowId(1), NOON);
    assert!(matches!(engine.packet(&tcp(443), NOON), Answer::Hold(_)));
    let before = record(1, Port::Number(443), State::Pending);
    let after = Record { state: State::Allowed, ..before };
    engine.decided(&[Change { before: Some(before), after: Some(after) }], NOON);
    assert_eq!(engine.judge_again(&tcp(443), NOON), PASS);
    effects(&mut engine);
    engine.report();
    assert!(!engine.has_effects(), "the record counts it already");
}

#[test]
fn a_decision_about_any_port_lets_go_on_what_nobody_decided_by_port() {
    let mut engine = Engine::new(Policy { learning: false, holds: true, ..Policy::default() }, FlowId(1), NOON);
    assert!(matches!(engine.packet(&tcp(443), NOON), Answer::Hold(_)));
    let wide = record(2, Port::Any, State::Allowed);
    engine.decided(&[Change { before: None, after: Some(wide) }], NOON);
    assert_eq!(engine.judge_again(&tcp(443), NOON), PASS, "as the kernel has it");
    assert_eq!(engine.packet(&tcp(443), NOON), PASS);
}

#[test]
fn a_decision_that_overtakes_a_new_flow_leaves_nothing_of_it_in_the_kernel() {
    let mut engine = learning();
    // The owner denies what was never seen; before the store has answered, a packet comes.
    let fresh = engine.reserve_id();
    engine.packet(&tcp(443), NOON);
    assert_eq!(kernel(&effects(&mut engine)), [(None, Some(State::Allowed))]);
    let denied = record(fresh.0, Port::Number(443), State::Denied);
    engine.decided(&[Change { before: None, after: Some(denied) }], NOON);
    assert_eq!(kernel(&effects(&mut engine)), [(Some(State::Allowed), Some(State::Denied))]);
    // The store refuses the flow's own record: there is one.
    assert_eq!(engine.found(&denied), None, "it is as the store has it");
    assert_eq!(engine.lookup(&key(443)), Some((fresh, State::Denied)));
    assert_eq!(engine.packet(&tcp(443), NOON), DENY);
}

#[test]
fn what_the_store_knows_better_is_believed() {
    let mut engine = learning();
    engine.packet(&tcp(443), NOON);
    effects(&mut engine);
    let known = record(77, Port::Number(443), State::Denied);
    assert_eq!(engine.found(&known), Some(State::Allowed));
    assert_eq!(engine.lookup(&key(443)), Some((FlowId(77), State::Denied)));
    assert_eq!(kernel(&effects(&mut engine)), [(Some(State::Allowed), Some(State::Denied))]);
    // An answer that comes too late for its packet serves the next one.
    let late = record(78, Port::Number(80), State::Allowed);
    assert_eq!(engine.found(&late), None);
    assert_eq!(engine.lookup(&key(80)), Some((FlowId(78), State::Allowed)));
    assert!(!engine.has_effects());
}

#[test]
fn where_the_store_is_full_of_decisions_nothing_stays_in_the_kernel_and_nothing_more_is_tried_for_a_while() {
    let mut engine = learning();
    engine.packet(&tcp(443), NOON);
    effects(&mut engine);
    assert_eq!(engine.not_kept(&key(443), NOON), Some(State::Allowed));
    assert_eq!(kernel(&effects(&mut engine)), [(Some(State::Allowed), None)]);
    assert_eq!(engine.packet(&tcp(443), later(59)), PASS, "while learning, traffic passes all the same");
    assert!(!engine.has_effects());
    assert_eq!(engine.counts.unrecorded, 1);
    engine.packet(&tcp(443), later(60));
    assert_eq!(inserted(&effects(&mut engine)).len(), 1);
}

#[test]
fn modes_are_known_of_more_devices_than_flows_are() {
    let mut engine = learning();
    for n in 0..2000u64 {
        let mac = Mac::from_u64(0x0200_0000_0100 + n).unwrap();
        assert_eq!(engine.set_device(mac, DeviceMode::Block), DeviceMode::Default);
        assert_eq!(engine.set_device(mac, DeviceMode::Block), DeviceMode::Block);
        assert_eq!(engine.packet(&from(mac, Protocol::TCP, 443), NOON), DENY);
    }
    assert_eq!(engine.device_modes().len(), 2000);
    assert_eq!(engine.packet(&tcp(443), NOON), PASS, "they take nobody's place");
    let first = Mac::from_u64(0x0200_0000_0100).unwrap();
    assert_eq!(engine.set_device(first, DeviceMode::Default), DeviceMode::Block);
    assert_eq!(engine.device_modes().len(), 1999);
}
