//! Packets that never become a flow, and flows of protocols without ports.

use glacic::flow::query::Filter;
use glacic::flow::{Port, Protocol, State};

use crate::kit::capture::Capture;
use crate::kit::network::Family;
use crate::kit::server::UdpServer;
use crate::kit::{Daemon, Mode, Network, Placement, frames, home, settle};

/// A packet of a connection that began unseen: an ACK out of nowhere.
fn mid_stream(network: &Network, port: u16) {
    let station = network.station(0);
    network.frames(station).send(&frames::tcp(station.mac, station.v4(), 5555, port, frames::ACK));
}

#[test]
fn what_began_unseen_passes_while_learning_and_records_nothing() {
    for mode in Mode::ALL {
        let (network, fw4, config) = home(1, mode, Placement::Guard);
        let daemon = Daemon::start(&network, &fw4, &config.learning(true));
        let capture = Capture::new(&network.server, "eth0");
        mid_stream(&network, 4000);
        assert!(capture.gets(|packet| packet.ports() == Some((5555, 4000))), "{mode:?}");
        settle();
        assert_eq!(daemon.control.flows_of(network.station(0).mac), [], "{mode:?}");
        // The same service is learned as soon as a connection begins.
        drop(network.connect(network.station(0), network.at_server(Family::V4, 4000)));
        daemon.control.reaches(network.station(0).mac, Protocol::TCP, 4000, State::Allowed);
    }
}

#[test]
fn what_began_unseen_is_stopped_while_enforcing_and_records_nothing() {
    for mode in Mode::ALL {
        for placement in Placement::ALL {
            let (network, fw4, config) = home(1, mode, placement);
            let daemon = Daemon::start(&network, &fw4, &config.learning(false));
            let capture = Capture::new(&network.server, "eth0");
            mid_stream(&network, 4000);
            settle();
            assert_eq!(capture.count(|packet| packet.protocol == 6), 0, "{mode:?} {placement:?}");
            assert_eq!(daemon.control.flows_of(network.station(0).mac), [], "{mode:?} {placement:?}");
        }
    }
}

/// Sends a packet of protocol GRE.
fn gre(network: &Network) {
    network.send_ip(network.station(0), Family::V4.server(), 47, &[0, 0, 0x08, 0, 0, 0, 0, 0]);
}

#[test]
fn protocols_without_ports_are_decided_in_the_kernel() {
    const GRE: Protocol = Protocol(47);
    for mode in Mode::ALL {
        let (network, fw4, config) = home(1, mode, Placement::Guard);
        let daemon = Daemon::start(&network, &fw4, &config.learning(true));
        let capture = Capture::new(&network.server, "eth0");
        let arrived = || capture.count(|packet| packet.protocol == GRE.0);
        let mac = network.station(0).mac;
        gre(&network);
        daemon.control.reaches(mac, GRE, 0, State::Allowed);
        daemon.control.decided_in_kernel(1);

        let before = (daemon.visits(&network), arrived());
        gre(&network);
        settle();
        assert_eq!((daemon.visits(&network), arrived()), (before.0, before.1 + 1), "{mode:?}: allowed");

        daemon.control.deny(mac, GRE, Port::Number(0));
        daemon.control.decided_in_kernel(1);
        let before = (daemon.visits(&network), arrived());
        gre(&network);
        settle();
        assert_eq!((daemon.visits(&network), arrived()), before, "{mode:?}: denied");
    }
}

#[test]
fn what_comes_from_the_wan_is_never_learned() {
    for mode in Mode::ALL {
        let (network, mut fw4, config) = home(1, mode, Placement::Guard);
        // A redirect or an open port: the firewall's business, not ours.
        fw4.forward_wan = "udp dport 4000 accept".to_owned();
        fw4.restart(&network);
        let daemon = Daemon::start(&network, &fw4, &config.learning(true));
        let device = UdpServer::new(&network.lan, 4000);
        let outside = UdpServer::new(&network.server, 6000);
        for family in Family::ALL {
            outside.reply((network.station(0).address(family), 4000).into(), 1);
        }
        settle();
        assert_eq!(device.seen().len(), 2, "{mode:?}: the firewall lets it in");
        // The answer belongs to a connection that somebody outside began.
        for family in Family::ALL {
            device.reply((family.server(), 6000).into(), 2);
        }
        assert!(outside.gets(2), "{mode:?}");
        settle();
        assert_eq!(daemon.control.flows(Filter::default()).flows, [], "{mode:?}");
    }
}

#[test]
fn marks_of_others_survive_ours() {
    for mode in Mode::ALL {
        for placement in Placement::ALL {
            let (network, fw4, config) = home(1, mode, placement);
            // As pbr and mwan3 do: set a mark before us, and rely on it behind us.
            network.router.nft(
                "table inet others {\n\tchain before {\n\t\ttype filter hook forward priority mangle;\n\
                 \t\tiifname br-lan meta mark set 0x00002a00\n\t}\n\
                 \tchain behind {\n\t\ttype filter hook forward priority 100;\n\
                 \t\tiifname br-lan meta mark and 0x00ffffff != 0x00002a00 drop\n\t}\n}\n",
            );
            let daemon = Daemon::start(&network, &fw4, &config.learning(true));
            let udp = UdpServer::new(&network.server, 4000);
            let station = network.station(0);
            network.send_udp(station, network.at_server(Family::V4, 4000), 1);
            daemon.control.reaches(station.mac, Protocol::UDP, 4000, State::Allowed);
            let lost = (mode, placement) == (Mode::Log, Placement::Fallback);
            assert_eq!(udp.gets(1), !lost, "{mode:?} {placement:?}: by verdict");
            daemon.control.decided_in_kernel(1);
            network.send_udp(station, network.at_server(Family::V4, 4000), 2);
            assert!(udp.gets(2), "{mode:?} {placement:?}: by the kernel's set");
        }
    }
}
