//! Decisions from outside: the owner's, and those the store knows better.

use super::*;

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
fn where_the_owner_wants_it_a_packet_waits_for_a_decision() {
    let mut engine = Engine::new(Policy { learning: false, holds: true, ..Policy::default() }, FlowId(1), NOON);
    let key = Key::service(LAPTOP, Protocol::TCP, Port::Number(443));
    assert_eq!(engine.packet(&tcp(443), NOON), Answer::Hold(key));
    let allowed = record(1, Port::Number(443), State::Allowed);
    engine.decided(&[Change { before: None, after: Some(allowed) }], NOON);
    assert_eq!(engine.judge_again(&tcp(443), NOON), PASS);
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
