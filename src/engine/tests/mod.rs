//! The engine as its users see it: packets in, answers and effects out.

mod bounds;
mod decisions;

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

fn kernel(effects: &[Effect]) -> Vec<(Option<State>, Option<State>)> {
    let told = |effect: &Effect| match effect {
        Effect::Kernel { before, after, .. } => Some((*before, *after)),
        _ => None,
    };
    effects.iter().filter_map(told).collect()
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
