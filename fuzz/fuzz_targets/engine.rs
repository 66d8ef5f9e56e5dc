//! Any packets and decisions in any order: bounds hold, and what is denied or undecided never passes while enforcing.
#![no_main]

use std::net::IpAddr;

use glacic::engine::{Answer, Effect, Engine, Policy, Sighting};
use glacic::flow::{FlowId, Mac, Monotonic, Now, Protocol, State, Verdict, Wall};
use glacic::wire::{Facts, Stage};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let policy = Policy { cache_size: 16, max_flows_per_device: 8, ..Policy::default() };
    let mut now = Now { mono: Monotonic::from_secs(1), wall: Wall { seconds: 1_790_000_000 } };
    let mut engine = Engine::new(policy, FlowId(1), now);
    let mut learning = true;
    for step in data.chunks_exact(4) {
        let &[what, device, protocol, port] = step else { return };
        now.mono = now.mono.after(std::time::Duration::from_millis(u64::from(port) * 10));
        if what & 0xe0 == 0xe0 {
            learning = what & 1 != 0;
            engine.set_learning(learning);
            continue;
        }
        let sighting = Sighting {
            mac: Some(Mac([device & 0xfe, 0, 0, 0, 0, device])),
            zone: None,
            facts: Facts {
                source: IpAddr::from([192, 168, 1, device]),
                destination: IpAddr::from([192, 0, 2, port]),
                protocol: Protocol(protocol),
                source_port: 40_000,
                port: u16::from(port),
                stage: if what & 1 == 0 { Stage::Opening } else { Stage::MidStream },
            },
        };
        let known = sighting.mac.map(|mac| glacic::engine::key_of(mac, &sighting.facts)).and_then(|key| engine.lookup(&key));
        let mut answer = engine.packet(&sighting, now);
        if let Answer::Ask(_) = answer {
            answer = engine.resume(&sighting, now);
        }
        if !learning && answer == Answer::Verdict(Verdict::Pass) {
            assert_eq!(known.map(|(_, state)| state), Some(State::Allowed));
        }
        let inserted = engine.take_effects().filter(|effect| matches!(effect, Effect::Insert { .. })).count();
        assert!(inserted <= 1);
        assert!(engine.cache_len() <= 16 && engine.device_count() <= 1024);
    }
});
