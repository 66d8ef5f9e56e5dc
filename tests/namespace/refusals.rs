//! What glacic must never do: open what the firewall closes, unless the owner has put it there to do so and it has
//! allowed that very flow; whether it runs, hangs, is dead or overwhelmed.

use glacic::flow::{Port, Protocol};

use crate::kit::capture::Capture;
use crate::kit::network::{Family, SERVER_V4};
use crate::kit::server::UdpServer;
use crate::kit::{Config, Daemon, Fw4, Mode, Network, Placement, frames, home, settle};

const ALLOWED: u16 = 4000;
const UNKNOWN: u16 = 4001;
const DENIED: u16 = 4002;

/// A home whose device 0 has an allowed and a denied service, and what its server received.
struct House {
    network: Network,
    daemon: Daemon,
    servers: [UdpServer; 3],
    round: u64,
}

impl House {
    fn new(network: Network, fw4: &Fw4, config: &Config) -> House {
        let daemon = Daemon::start(&network, fw4, config);
        let mac = network.station(0).mac;
        daemon.control.allow(mac, Protocol::UDP, Port::Number(ALLOWED));
        daemon.control.deny(mac, Protocol::UDP, Port::Number(DENIED));
        daemon.control.decided_in_kernel(2);
        let servers = [ALLOWED, UNKNOWN, DENIED].map(|port| UdpServer::new(&network.server, port));
        House { network, daemon, servers, round: 0 }
    }

    /// Sends a first packet of each service and says which of them arrive.
    fn arrivals(&mut self) -> [bool; 3] {
        arrivals(&self.network, &self.servers, &mut self.round)
    }
}

fn arrivals(network: &Network, servers: &[UdpServer; 3], round: &mut u64) -> [bool; 3] {
    *round += 1;
    for port in [ALLOWED, UNKNOWN, DENIED] {
        for family in Family::ALL {
            network.send_udp(network.station(0), network.at_server(family, port), *round);
        }
    }
    settle();
    servers.each_ref().map(|server| server.has(*round))
}

#[test]
fn guard_never_opens_what_the_firewall_closes() {
    for mode in Mode::ALL {
        for learning in [true, false] {
            let (network, _, config) = home(1, mode, Placement::Guard);
            let fw4 = Fw4::closed(&network);
            fw4.restart(&network);
            let mut house = House::new(network, &fw4, &config.learning(learning));
            assert_eq!(house.arrivals(), [false; 3], "{mode:?}, learning {learning}");
        }
    }
}

#[test]
fn fallback_opens_what_it_allowed_and_nothing_else() {
    for mode in Mode::ALL {
        let (network, fw4, config) = home(1, mode, Placement::Fallback);
        let mut house = House::new(network, &fw4, &config.learning(false));
        assert_eq!(house.arrivals(), [true, false, false], "{mode:?}");
    }
}

#[test]
fn a_daemon_that_hangs_opens_nothing() {
    for mode in Mode::ALL {
        let (network, fw4, config) = home(1, mode, Placement::Fallback);
        let mut house = House::new(network, &fw4, &config.learning(true));
        house.daemon.signal(libc::SIGSTOP);
        assert_eq!(house.arrivals(), [true, false, false], "{mode:?}");
        house.daemon.signal(libc::SIGCONT);
        house.daemon.control.reaches(
            house.network.station(0).mac,
            Protocol::UDP,
            UNKNOWN,
            glacic::flow::State::Allowed,
        );
        house.daemon.control.decided_in_kernel(3);
        assert_eq!(house.arrivals(), [true, true, false], "{mode:?}: it goes on where it was");
    }
}

#[test]
fn a_daemon_that_was_killed_opens_nothing() {
    for mode in Mode::ALL {
        let (network, fw4, config) = home(1, mode, Placement::Fallback);
        let House { network, daemon, servers, mut round } = House::new(network, &fw4, &config.learning(true));
        daemon.kill();
        assert_eq!(arrivals(&network, &servers, &mut round), [true, false, false], "{mode:?}");
        fw4.reload(&network);
        assert_eq!(arrivals(&network, &servers, &mut round), [true, false, false], "{mode:?}: after a reload");
    }
}

/// New flows of one device, as fast as it can.
fn flood(network: &Network, first_port: u16, packets: u16) {
    let station = network.station(1);
    let frames = network.frames(station);
    for number in 0..packets {
        frames.send(&frames::udp(station.mac, station.v4(), 1000 + number, first_port + number, number.into()));
    }
}

#[test]
fn a_flood_opens_nothing() {
    const FIRST: u16 = 20_000;
    const PACKETS: u16 = 10_000;
    for mode in Mode::ALL {
        let (network, fw4, config) = home(2, mode, Placement::Fallback);
        let mut house = House::new(network, &fw4, &config.learning(false));
        let capture = Capture::new(&house.network.server, "eth0");
        let flooded = || {
            let is_flood = |port: u16| (FIRST..FIRST + PACKETS).contains(&port);
            capture.count(|packet| packet.protocol == 17 && packet.ports().is_some_and(|(_, port)| is_flood(port)))
        };
        flood(&house.network, FIRST, PACKETS);
        assert_eq!(house.arrivals(), [true, false, false], "{mode:?}");
        assert_eq!(flooded(), 0, "{mode:?}: while it runs");

        // With nobody reading, the queue overflows; what falls out of it still meets the firewall.
        house.daemon.signal(libc::SIGSTOP);
        flood(&house.network, FIRST, PACKETS);
        assert_eq!(house.arrivals(), [true, false, false], "{mode:?}");
        assert_eq!(flooded(), 0, "{mode:?}: while it hangs");
        house.daemon.signal(libc::SIGCONT);
        assert_eq!(house.arrivals(), [true, false, false], "{mode:?}: afterwards");
    }
}

/// Another device's MAC, the own one's address: the decision follows the MAC.
#[test]
fn a_decision_counts_for_its_device_alone() {
    let (network, fw4, config) = home(2, Mode::Log, Placement::Fallback);
    let House { network, servers, daemon: _daemon, .. } = House::new(network, &fw4, &config.learning(false));
    let (known, stranger) = (network.station(0), network.station(1));
    network.frames(stranger).send(&frames::udp(stranger.mac, known.v4(), 7777, ALLOWED, 99));
    network.send_udp(stranger, (SERVER_V4, ALLOWED).into(), 98);
    settle();
    assert_eq!(servers[0].seen(), []);
}
