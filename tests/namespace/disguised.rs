//! Packets made to look like what glacic leaves alone: a device that may not speak gets nothing out with them.

use std::fmt::Write as _;
use std::net::IpAddr;

use glacic::flow::{Port, Protocol, State};

use crate::kit::capture::Capture;
use crate::kit::frames::{self, ACK, FIN, RST, SYN};
use crate::kit::{Config, Daemon, Mode, Network, Placement, Station, home, settle};

const TCP: u8 = 6;
const DESTINATION_OPTIONS: u8 = 60;

/// Gives devices these modes, the first device the first.
fn with_modes(mut config: Config, network: &Network, modes: &[&str]) -> Config {
    for (station, mode) in network.stations.iter().zip(modes) {
        let _ = write!(config.sections, "config device\n\toption mac '{}'\n\toption mode '{mode}'\n\n", station.mac);
    }
    config
}

fn send(network: &Network, station: Station, next: u8, payload: &[u8]) {
    network.frames(station).send(&frames::ipv6(station.mac, station.v6(), next, payload));
}

/// Segments of no connection, each with something to tell, to ports from this one on.
fn send_strays(network: &Network, station: Station, first_port: u16) {
    for (port, flags) in (first_port..).zip([RST, RST | ACK, FIN | ACK, SYN | ACK]) {
        send(network, station, TCP, &frames::tcp6(station.v6(), port, flags, b"what the camera saw"));
    }
}

fn count(capture: &Capture, station: Station, protocol: u8) -> usize {
    capture.count(|packet| (packet.source, packet.protocol) == (IpAddr::from(station.v6()), protocol))
}

/// The firewall behind glacic lets them pass: over IPv6 nobody else would stop them.
#[test]
fn segments_of_no_connection_carry_nothing_out_of_a_device_that_may_not_speak() {
    for mode in Mode::ALL {
        let (network, fw4, config) = home(3, mode, Placement::Guard);
        let config = with_modes(config.learning(true), &network, &["block", "enforce"]);
        let daemon = Daemon::start(&network, &fw4, &config);
        let [blocked, enforced, learning] = [0, 1, 2].map(|number| network.station(number));
        let capture = Capture::new(&network.server, "eth0");
        [blocked, enforced, learning].into_iter().for_each(|station| send_strays(&network, station, 4000));
        let last = |station: Station| {
            capture.gets(|packet| packet.source == IpAddr::from(station.v6()) && packet.ports() == Some((5555, 4003)))
        };
        assert!(last(learning), "{mode:?}: what learns is held up by nothing");
        settle();
        assert_eq!(count(&capture, learning, TCP), 4, "{mode:?}");
        assert_eq!(count(&capture, blocked, TCP), 0, "{mode:?}: blocked");
        assert_eq!(count(&capture, enforced, TCP), 0, "{mode:?}: enforced");
        for station in [blocked, enforced, learning] {
            assert_eq!(daemon.control.flows_of(station.mac), [], "{mode:?}: nothing begins with them");
        }
    }
}

#[test]
fn strays_of_a_flow_share_its_fate_and_are_no_flow() {
    for mode in Mode::ALL {
        for placement in Placement::ALL {
            let (network, fw4, config) = home(1, mode, placement);
            let daemon = Daemon::start(&network, &fw4, &config.learning(false));
            let station = network.station(0);
            let protocol = Protocol::TCP;
            for port in 4000..4004 {
                daemon.control.allow(station.mac, protocol, Port::Number(port));
                daemon.control.deny(station.mac, protocol, Port::Number(port + 1000));
            }
            daemon.control.decided_in_kernel(8);
            let capture = Capture::new(&network.server, "eth0");
            send_strays(&network, station, 5000);
            send_strays(&network, station, 4000);
            // fw4 never opened for them, and nobody opens for what belongs to no connection.
            let arrive = if placement == Placement::Guard { 4 } else { 0 };
            if arrive > 0 {
                assert!(capture.gets(|packet| packet.ports() == Some((5555, 4003))), "{mode:?} {placement:?}");
            }
            settle();
            assert_eq!(count(&capture, station, TCP), arrive, "{mode:?} {placement:?}");
            let decided = daemon.control.flows_of(station.mac);
            assert_eq!(decided.len(), 8, "{mode:?} {placement:?}");
            assert!(decided.iter().all(|flow| flow.state != State::Pending), "{mode:?} {placement:?}");
            assert_eq!(daemon.control.stats().malformed, 0);
        }
    }
}

/// A connection that begins where nobody can read it would go on as one that is established.
#[test]
fn a_first_packet_that_cannot_be_read_opens_nothing_to_an_enforced_device() {
    for mode in Mode::ALL {
        let (network, fw4, config) = home(2, mode, Placement::Guard);
        let config = with_modes(config.learning(true), &network, &["enforce"]);
        let daemon = Daemon::start(&network, &fw4, &config);
        let [enforced, learning] = [0, 1].map(|number| network.station(number));
        let capture = Capture::new(&network.server, "eth0");
        for station in [enforced, learning] {
            let syn = frames::tcp6(station.v6(), 4000, SYN, &[]);
            send(&network, station, DESTINATION_OPTIONS, &frames::behind_options(&syn));
        }
        let from_learning = |packet: &crate::kit::capture::Captured<'_>| packet.source == IpAddr::from(learning.v6());
        assert!(capture.gets(from_learning), "{mode:?}");
        settle();
        assert_eq!(count(&capture, enforced, DESTINATION_OPTIONS), 0, "{mode:?}");
        assert_eq!(daemon.control.stats().malformed, 2, "{mode:?}: both were asked about");
    }
}
