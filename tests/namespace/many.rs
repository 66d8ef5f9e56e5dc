//! A house that has been watched for long: ten thousand flows are loaded, known to the kernel, and answered by it alone.

use std::time::Duration;

use glacic::flow::{FlowId, Key, Mac, Monotonic, Now, Origin, Port, Protocol, Record, State, Wall};
use glacic::store::{Limits, Request};

use crate::kit::network::SERVER_V4;
use crate::kit::{Config, Daemon, Mode, Placement, capture::Capture, eventually, frames, home, settle};

const FLOWS: u32 = 10_000;
const DEVICES: u32 = 200;
const FIRST_PORT: u16 = 10_000;

/// Every second one is allowed, the others are denied.
fn record(number: u32) -> Record {
    let state = if number.is_multiple_of(2) { State::Allowed } else { State::Denied };
    let port = FIRST_PORT + (number / DEVICES * 2 + number % 2) as u16;
    Record {
        id: FlowId(number + 1),
        key: Key::service(mac(number), Protocol::UDP, Port::Number(port)),
        state,
        origin: Origin::User,
        first_seen: Wall::PLAUSIBLE,
        last_seen: Wall::PLAUSIBLE,
        connections: 1,
    }
}

/// Odd and even flows are of the same devices.
fn mac(number: u32) -> Mac {
    let [_, _, high, low] = (number / 2 % (DEVICES / 2)).to_be_bytes();
    Mac([0xb8, 0x27, 0xeb, 0x02, high, low])
}

/// As earlier lives of the daemon have left it.
fn fill(config: &Config) {
    let now = Now { mono: Monotonic::from_secs(0), wall: Wall::PLAUSIBLE };
    let limits = Limits {
        max_flows: 100_000,
        retention: Duration::from_secs(86_400),
        flush_interval: Duration::from_secs(86_400),
    };
    let opened = glacic::store::open(&config.database, limits, now);
    assert_eq!(opened.trouble, None);
    let mut store = opened.store;
    for number in 0..FLOWS {
        let request = Request::Insert { record: record(number), zone: None };
        store.handle(request, now, &mut |reply| panic!("{reply:?}"));
    }
    store.flush(now).expect("the test's folder can be written");
}

#[test]
fn ten_thousand_flows_are_answered_by_the_kernel() {
    for mode in Mode::ALL {
        let (network, fw4, config) = home(1, mode, Placement::Guard);
        let empty = Daemon::start(&network, &fw4, &config);
        let before = empty.resident();
        empty.stop();
        let _ = std::fs::remove_file(&config.database);
        fill(&config);
        let daemon = Daemon::start(&network, &fw4, &config.learning(false));
        daemon.control.decided_in_kernel(FLOWS as usize);
        let visits = daemon.visits(&network);

        let capture = Capture::new(&network.server, "eth0");
        let chosen: Vec<u32> = (0..FLOWS).step_by(101).collect();
        let sender = network.frames(network.station(0));
        for number in &chosen {
            let Record { key, .. } = record(*number);
            let port = key.port.number().expect("every flow has a port");
            sender.send(&frames::udp(key.mac, network.station(0).v4(), 20_000 + (*number % 2) as u16, port, 0));
        }
        let arrived = || capture.count(|packet| packet.protocol == 17);
        let allowed = chosen.iter().filter(|number| record(**number).state == State::Allowed).count();
        eventually("what is allowed arrives", || (arrived() >= allowed).then_some(()));
        settle();
        assert_eq!(arrived(), allowed, "{mode:?}: what is denied does not (to {SERVER_V4})");
        assert_eq!(daemon.visits(&network), visits, "{mode:?}: the daemon was asked nothing");

        let grown = daemon.resident().saturating_sub(before);
        println!("{mode:?}: {FLOWS} flows take {grown} KiB more than none, {} KiB in all", daemon.resident());
        assert!(grown <= 6 * 1024, "{mode:?}: {FLOWS} flows take {grown} KiB");
    }
}
