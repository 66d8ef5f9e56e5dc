//! What the owner can set, seen on the wire: devices that are treated differently, packets that wait for a decision,
//! a queue that goes away by itself, kinder refusals, and traffic to the router.

use glacic::control::protocol::{DeviceSet, Request};
use glacic::flow::{DeviceMode, Port, Protocol, State};
use serde_json::Value;

use crate::kit::network::{Family, Station};
use crate::kit::server::{TcpServer, UdpServer};
use crate::kit::sys::Attempt;
use crate::kit::{Daemon, Mode, Placement, eventually, home, settle};

fn treat(daemon: &Daemon, station: Station, mode: DeviceMode) {
    let set = DeviceSet { device: station.mac.to_string(), name: None, mode: Some(mode) };
    let _: Value = daemon.control.ask(&Request::DeviceSet(set)).expect("a device can be set");
}

#[test]
fn a_devices_own_mode_comes_before_that_of_the_house() {
    for mode in Mode::ALL {
        for learning in [true, false] {
            let (network, fw4, config) = home(5, mode, Placement::Guard);
            let daemon = Daemon::start(&network, &fw4, &config.learning(learning));
            let server = UdpServer::new(&network.server, 4000);
            let modes = [
                (DeviceMode::Default, learning, Some(if learning { State::Allowed } else { State::Pending })),
                (DeviceMode::Learn, true, Some(State::Allowed)),
                (DeviceMode::Enforce, false, Some(State::Pending)),
                (DeviceMode::Trust, true, None),
                (DeviceMode::Block, false, None),
            ];
            for (number, (mode, ..)) in modes.iter().enumerate() {
                treat(&daemon, network.station(number), *mode);
                network.send_udp(network.station(number), network.at_server(Family::V4, 4000), number as u64);
            }
            settle();
            for (number, (device, passes, state)) in modes.into_iter().enumerate() {
                let what = format!("{mode:?}, learning {learning}, {device:?}");
                assert_eq!(server.has(number as u64), passes, "{what}");
                let found = daemon.control.state(network.station(number).mac, Protocol::UDP, 4000);
                assert_eq!(found, state, "{what}");
            }
        }
    }
}

#[test]
fn a_packet_waits_for_the_owner_where_the_owner_wants_it() {
    let (network, fw4, config) = home(1, Mode::Queue, Placement::Guard);
    let daemon = Daemon::start(&network, &fw4, &config.learning(false).with("hold", "20s"));
    let server = UdpServer::new(&network.server, 4000);
    let station = network.station(0);
    network.send_udp(station, network.at_server(Family::V4, 4000), 7);
    eventually("the packet is held", || (daemon.control.stats().held == 1).then_some(()));
    daemon.control.reaches(station.mac, Protocol::UDP, 4000, State::Pending);
    assert!(!server.has(7), "nothing passes before somebody has decided");
    daemon.control.allow(station.mac, Protocol::UDP, Port::Number(4000));
    assert!(server.gets(7), "the very packet that was held arrives");
    assert_eq!(daemon.control.stats().held, 0);
}

#[test]
fn a_packet_nobody_decides_about_is_dropped_in_the_end() {
    let (network, fw4, config) = home(1, Mode::Queue, Placement::Guard);
    let daemon = Daemon::start(&network, &fw4, &config.learning(false).with("hold", "1s"));
    let server = UdpServer::new(&network.server, 4000);
    network.send_udp(network.station(0), network.at_server(Family::V4, 4000), 7);
    eventually("its patience ends", || (daemon.control.stats().held_expired == 1).then_some(()));
    settle();
    assert!(!server.has(7));
}

#[test]
fn the_queue_goes_away_when_learning_ends() {
    let (network, fw4, config) = home(1, Mode::Queue, Placement::Guard);
    let daemon = Daemon::start(&network, &fw4, &config.with("inline_mode", "auto").learning(true));
    let server = UdpServer::new(&network.server, 4000);
    let station = network.station(0);
    assert_eq!(daemon.control.status().mode, "queue");
    network.send_udp(station, network.at_server(Family::V4, 4000), 1);
    assert!(server.gets(1));
    daemon.control.reaches(station.mac, Protocol::UDP, 4000, State::Allowed);
    daemon.control.learning(false);
    assert_eq!(daemon.control.status().mode, "log");
    network.send_udp(station, network.at_server(Family::V4, 4000), 2);
    network.send_udp(station, network.at_server(Family::V4, 4001), 3);
    assert!(server.gets(2), "what was learned goes on");
    daemon.control.reaches(station.mac, Protocol::UDP, 4001, State::Pending);
    daemon.control.learning(true);
    assert_eq!(daemon.control.status().mode, "queue", "and it comes back with learning");
}

#[test]
fn a_denial_can_be_told_to_the_device() {
    for (deny_with, expected) in [("drop", Attempt::Waiting), ("reject", Attempt::Refused)] {
        let (network, fw4, config) = home(1, Mode::Log, Placement::Guard);
        let daemon = Daemon::start(&network, &fw4, &config.learning(true).with("deny_with", deny_with));
        let _server = TcpServer::new(&network.server, 4000);
        let station = network.station(0);
        daemon.control.deny(station.mac, Protocol::TCP, Port::Number(4000));
        daemon.control.decided_in_kernel(1);
        let attempts = Family::ALL.map(|family| network.connect(station, network.at_server(family, 4000)));
        settle();
        assert_eq!(attempts.map(|attempt| attempt.state()), [expected; 2], "{deny_with}");
    }
}

#[test]
fn traffic_to_the_router_is_guarded_where_the_owner_wants_it() {
    let (network, fw4, config) = home(1, Mode::Log, Placement::Guard);
    let daemon = Daemon::start(&network, &fw4, &config.learning(false).with("guard_input", "1"));
    let station = network.station(0);
    let servers = [53, 4000].map(|port| (port, UdpServer::new(&network.router, port)));
    let _ssh = TcpServer::new(&network.router, 22);
    for family in Family::ALL {
        for (port, server) in &servers {
            let number = u64::from(*port) + family as u64;
            network.send_udp(station, (family.router(), *port).into(), number);
            settle();
            assert_eq!(server.has(number), *port == 53, "{family:?} port {port}: names are never refused");
        }
        let ssh = network.connect(station, (family.router(), 22).into());
        assert!(ssh.connected().is_some(), "{family:?}: nobody is locked out");
    }
    daemon.control.reaches(station.mac, Protocol::UDP, 4000, State::Pending);
    daemon.control.allow(station.mac, Protocol::UDP, Port::Number(4000));
    network.send_udp(station, (Family::V4.router(), 4000).into(), 99);
    assert!(servers[1].1.gets(99));
}
