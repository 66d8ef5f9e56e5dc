//! Packets made to look like what glacic leaves alone: a device that may not speak gets nothing out with them.

use std::fmt::Write as _;
use std::net::IpAddr;

use crate::kit::capture::Capture;
use crate::kit::frames::{self, SYN};
use crate::kit::{Config, Daemon, Mode, Network, Placement, Station, home, settle};

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

fn count(capture: &Capture, station: Station, protocol: u8) -> usize {
    capture.count(|packet| (packet.source, packet.protocol) == (IpAddr::from(station.v6()), protocol))
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
