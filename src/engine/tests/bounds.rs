//! What nobody can make grow: flows, devices, events, and what a full store leaves undone.

use super::*;

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

/// The kernel's sets of ICMP types and of protocols are small; a ping that is allowed must find its place there.
#[test]
fn a_device_that_sends_every_icmp_type_and_every_protocol_learns_a_handful() {
    let mut engine = learning();
    let types = [Protocol::ICMP, Protocol::ICMPV6].map(|protocol| (0..=255).map(move |kind| (protocol, kind)));
    let others = (0..=255).map(Protocol).filter(|protocol| !protocol.has_ports() && !protocol.has_icmp_types());
    for (protocol, port) in types.into_iter().flatten().chain(others.map(|protocol| (protocol, 0))) {
        assert_eq!(engine.packet(&from(LAPTOP, protocol, port), NOON), PASS);
    }
    let effects = effects(&mut engine);
    let allowed = inserted(&effects).iter().filter(|(_, state)| *state == State::Allowed).count();
    assert_eq!(allowed, devices::PORTLESS as usize);
    assert_eq!(effects.iter().filter(|effect| matches!(effect, Effect::Kernel { .. })).count(), allowed);
    // What has ports is bounded by itself.
    engine.packet(&tcp(443), NOON);
    assert_eq!(engine.lookup(&key(443)).map(|(_, state)| state), Some(State::Allowed));
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
        for n in 0..u64::from(crate::effort::times(1_000_000, 10_000)) {
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

/// What is learned stays for good: forty addresses with five hundred flows each would have filled the database.
#[test]
fn invented_devices_learn_half_of_what_fits_and_then_a_trickle() {
    let mut engine = Engine::new(Policy { cache_size: 30_000, ..Policy::default() }, FlowId(1), NOON);
    let most = Policy::default().learned.count as usize;
    let mut invent = |from_port: u16, now| {
        for (device, port) in (0..60).flat_map(|device| (0..300).map(move |port| (device, port))) {
            let forged = Mac::from_u64(0x0600_0000_0000 + device).unwrap();
            assert_eq!(
                engine.packet(&from(forged, Protocol::UDP, from_port + port), now),
                PASS,
                "it passes all the same"
            );
        }
        let effects = effects(&mut engine);
        (inserted(&effects).len(), alerts(&effects))
    };
    let (learned, warned) = invent(1, NOON);
    assert_eq!(learned, most);
    assert!(warned.iter().any(|kind| *kind == "too_many_flows"), "{warned:?}");
    let (learned, _) = invent(1, later(86_400 / 100));
    assert!((most / 100 - 1..=most / 100 + 1).contains(&learned), "{learned}");
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
