//! Ways a packet can take through the router besides bridge, forward and out: other kinds of interfaces, translated
//! addresses, connections that the kernel has taken out of the chains, and packets larger than any wire's.

use std::io::{Read, Write};
use std::net::SocketAddr;

use glacic::flow::{Port, Protocol, State};

use crate::kit::network::{Family, LAN, Network, ROUTER_LAN_V4, ROUTER_LAN_V6, ROUTER_MAC, SERVER_V4, Station};
use crate::kit::server::{TcpServer, UdpServer};
use crate::kit::traffic::echoes;
use crate::kit::wait::{POSITIVE, within};
use crate::kit::{Daemon, Mode, NEGATIVE, Placement, eventually, home, settle};

/// Where the router meets its devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wiring {
    /// A port by itself.
    Plain,
    /// A VLAN of a port.
    PortVlan,
    /// A VLAN above a bridge, as OpenWrt has them with DSA.
    BridgeVlan,
}

impl Wiring {
    /// Moves device 0 from the bridge to this kind of interface, and says what that is called at the router.
    fn rewire(self, network: &Network) -> &'static str {
        let guarded = match self {
            Wiring::Plain => "port0",
            Wiring::PortVlan => "port0.5",
            Wiring::BridgeVlan => "br-lan.5",
        };
        let (trunk, station) = (guarded.split('.').next().unwrap_or(guarded), network.station(0));
        let mut router = format!("addr flush dev {LAN}\n");
        if self != Wiring::BridgeVlan {
            router += &format!("link set port0 nomaster\nlink set port0 address {ROUTER_MAC}\n");
        }
        if self != Wiring::Plain {
            router += &format!("link add link {trunk} name {guarded} type vlan id 5\nlink set {guarded} up\n");
            tag(network, station);
        }
        let (v4, v6, mac) = (station.v4(), station.v6(), station.mac);
        router += &format!(
            "addr add {ROUTER_LAN_V4}/16 dev {guarded}\naddr add {ROUTER_LAN_V6}/64 dev {guarded}\n\
             neigh replace {v4} lladdr {mac} dev {guarded} nud permanent\n\
             neigh replace {v6} lladdr {mac} dev {guarded} nud permanent\n"
        );
        network.router.ip(&router);
        guarded
    }
}

/// From now on the device talks with a VLAN tag, through an interface of the old one's name.
fn tag(network: &Network, station: Station) {
    let (device, v4, v6) = (station.interface(), station.v4(), station.v6());
    network.lan.ip(&format!(
        "link set {device} down\nlink set {device} name raw\nlink set raw up\n\
         link add link raw name {device} type vlan id 5\nlink set {device} up\n\
         addr add {v4}/16 dev {device}\naddr add {v6}/64 dev {device}\n\
         neigh add {ROUTER_LAN_V4} lladdr {ROUTER_MAC} dev {device} nud permanent\n\
         neigh add {ROUTER_LAN_V6} lladdr {ROUTER_MAC} dev {device} nud permanent\n\
         route add default via {ROUTER_LAN_V4} dev {device}\nroute add ::/0 via {ROUTER_LAN_V6} dev {device}\n"
    ));
}

fn wired(wiring: Wiring) {
    for mode in Mode::ALL {
        let (network, fw4, mut config) = home(1, mode, Placement::Guard);
        let guarded = wiring.rewire(&network);
        network.router.nft(&fw4.reload_text().replace(LAN, guarded));
        config.interfaces = vec![guarded.to_owned()];
        let daemon = Daemon::start(&network, &fw4, &config.learning(true));
        let (station, udp) = (network.station(0), UdpServer::new(&network.server, 4000));
        let _tcp = TcpServer::new(&network.server, 4000);
        let what = format!("{wiring:?} {mode:?}");
        for family in Family::ALL {
            network.send_udp(station, network.at_server(family, 4000), family as u64);
            assert!(udp.gets(family as u64), "{what} {family:?}: learning is not noticed");
            assert_eq!(network.connect(station, network.at_server(family, 4000)).connected(), Some(0), "{what}");
        }
        for protocol in [Protocol::UDP, Protocol::TCP] {
            daemon.control.reaches(station.mac, protocol, 4000, State::Allowed);
        }
        daemon.control.learning(false);
        daemon.control.deny(station.mac, Protocol::UDP, Port::Number(4000));
        daemon.control.decided_in_kernel(2);
        let other = UdpServer::new(&network.server, 4001);
        for family in Family::ALL {
            network.send_udp(station, network.at_server(family, 4000), 10);
            network.send_udp(station, network.at_server(family, 4001), 10);
            assert_eq!(network.connect(station, network.at_server(family, 4000)).connected(), Some(0), "{what}");
        }
        settle();
        assert!(!udp.has(10), "{what}: denied");
        assert_eq!(other.seen(), [], "{what}: unknown");
        daemon.control.reaches(station.mac, Protocol::UDP, 4001, State::Pending);
    }
}

#[test]
fn a_plain_interface_can_be_guarded() {
    wired(Wiring::Plain);
}

#[test]
#[ignore = "needs 8021q: the guest runs it"]
fn vlans_can_be_guarded() {
    wired(Wiring::PortVlan);
    wired(Wiring::BridgeVlan);
}

/// A connection of device 0 that an echoing server answers, and the daemon knows as `port`.
fn denial_cuts(network: &Network, daemon: &Daemon, to: SocketAddr, port: u16, what: &str) {
    let station = network.station(0);
    let attempt = network.connect(station, to);
    assert!(attempt.connected().is_some(), "{what}: it connects");
    let mut stream = attempt.into_stream();
    assert!(echoes(&mut stream, b"before"), "{what}: it talks");
    daemon.control.reaches(station.mac, Protocol::TCP, port, State::Allowed);
    daemon.control.deny(station.mac, Protocol::TCP, Port::Number(port));
    eventually("the kernel knows", || (daemon.control.stats().firewall_queue == 0).then_some(()));
    stream.set_read_timeout(Some(NEGATIVE)).expect("a stream takes a time limit");
    assert!(!echoes(&mut stream, b"after"), "{what}: a denial ends it");
}

#[test]
fn behind_masquerading_nothing_is_different() {
    for mode in Mode::ALL {
        let (network, fw4, config) = home(1, mode, Placement::Guard);
        network.router.nft(
            "table ip translate {\n\tchain srcnat {\n\t\ttype nat hook postrouting priority srcnat;\n\
             \t\toifname wan masquerade\n\t}\n}\n",
        );
        let daemon = Daemon::start(&network, &fw4, &config.learning(true));
        let udp = UdpServer::new(&network.server, 4001);
        network.send_udp(network.station(0), network.at_server(Family::V4, 4001), 1);
        assert!(udp.gets(1), "{mode:?}");
        assert_ne!(udp.seen()[0].0, network.station(0).address(Family::V4), "{mode:?}: it is translated");
        daemon.control.reaches(network.station(0).mac, Protocol::UDP, 4001, State::Allowed);
        TcpServer::new(&network.server, 4000).echo();
        denial_cuts(&network, &daemon, network.at_server(Family::V4, 4000), 4000, &format!("{mode:?}"));
    }
}

#[test]
fn a_redirected_flow_is_known_by_where_it_goes() {
    for mode in Mode::ALL {
        let (network, fw4, config) = home(1, mode, Placement::Guard);
        network.router.nft(&format!(
            "table ip translate {{\n\tchain dstnat {{\n\t\ttype nat hook prerouting priority dstnat;\n\
             \t\tiifname {LAN} tcp dport 8080 dnat to {SERVER_V4}:4000\n\t}}\n}}\n"
        ));
        let daemon = Daemon::start(&network, &fw4, &config.learning(true));
        TcpServer::new(&network.server, 4000).echo();
        denial_cuts(&network, &daemon, network.at_server(Family::V4, 8080), 4000, &format!("{mode:?}"));
    }
}

/// Packets that have crossed the chains of the forward hook so far.
fn forwarded(network: &Network) -> u64 {
    let listing = network.router.must("nft", &["list", "counter", "inet", "seen", "forwarded"], "");
    let number = listing.split_whitespace().skip_while(|word| *word != "packets").nth(1);
    number.and_then(|number| number.parse().ok()).expect("the counter has a number")
}

/// Software flow offload, as fw4 writes it: after a few packets a connection leaves the chains for good.
#[test]
#[ignore = "needs nft_flow_offload: the guest runs it"]
fn a_denial_cuts_what_is_offloaded() {
    for mode in Mode::ALL {
        for placement in Placement::ALL {
            let what = format!("{mode:?} {placement:?}");
            let (network, fw4, config) = home(1, mode, placement);
            fw4.write_include("chain-pre/forward", "offload.nft", "meta l4proto { tcp, udp } flow add @ft\n");
            network.router.nft(
                "table inet seen {\n\tcounter forwarded { }\n\tchain forward {\n\
                 \t\ttype filter hook forward priority -300;\n\t\tcounter name forwarded\n\t}\n}\n",
            );
            let table = "table inet fw4 {\n\tflowtable ft {\n\t\thook ingress priority 0\n\
                         \t\tdevices = { br-lan, wan }\n\t}\n}\n";
            network.router.nft(table);
            let daemon = Daemon::start(&network, &fw4, &config.learning(true));
            fw4.reload(&network);
            TcpServer::new(&network.server, 4000).echo();
            let station = network.station(0);
            for family in Family::ALL {
                let what = format!("{what} {family:?}");
                let attempt = network.connect(station, network.at_server(family, 4000));
                assert!(attempt.connected().is_some(), "{what}");
                let mut stream = attempt.into_stream();
                daemon.control.reaches(station.mac, Protocol::TCP, 4000, State::Allowed);
                eventually(&format!("{what}: it is offloaded, and no chain sees it any more"), || {
                    assert!(echoes(&mut stream, b"before"), "{what}");
                    let listing = network.router.must(
                        "conntrack",
                        &["-L", "-f", if family == Family::V4 { "ipv4" } else { "ipv6" }],
                        "",
                    );
                    let marked = |line: &str| line.contains("dport=4000") && line.contains("[OFFLOAD");
                    // The kernel may take it back for a moment, when a route changes.
                    let before = forwarded(&network);
                    assert!((0..20).all(|_| echoes(&mut stream, b"offloaded")), "{what}");
                    (listing.lines().any(marked) && forwarded(&network) == before).then_some(())
                });
                daemon.control.deny(station.mac, Protocol::TCP, Port::Number(4000));
                stream.set_read_timeout(Some(NEGATIVE)).expect("a stream takes a time limit");
                let ended = within(POSITIVE, || (!echoes(&mut stream, b"after")).then_some(()));
                assert!(ended.is_some(), "{what}: a denial ends it");
                daemon.control.allow(station.mac, Protocol::TCP, Port::Number(4000));
                daemon.control.decided_in_kernel(1);
            }
        }
    }
}

/// A device may hand over many datagrams, or much of a stream, as one packet; it is held, judged and sent on whole.
#[test]
fn packets_larger_than_a_wires_arrive_in_one_piece() {
    const SEGMENTS: usize = 10;
    for mode in Mode::ALL {
        let (network, fw4, config) = home(1, mode, Placement::Guard);
        let daemon = Daemon::start(&network, &fw4, &config.learning(true));
        let station = network.station(0);
        for (family, port) in [(Family::V4, 4000), (Family::V6, 4001)] {
            let server = UdpServer::new(&network.server, port);
            let before = daemon.visits(&network);
            network.udp(station, family).send_segmented(network.at_server(family, port), 1000, SEGMENTS);
            eventually("every datagram arrives", || (server.seen().len() == SEGMENTS).then_some(()));
            assert_eq!(daemon.visits(&network) - before, 1, "{mode:?} {family:?}: as one packet");
        }
        TcpServer::new(&network.server, 4000).echo();
        let attempt = network.connect(station, network.at_server(Family::V4, 4000));
        assert_eq!(attempt.connected(), Some(0), "{mode:?}");
        let stream = attempt.into_stream();
        let sent: Vec<u8> = (0..1_000_000u32).map(|number| (number / 7) as u8).collect();
        let mut writer = stream.try_clone().expect("a stream can be doubled");
        let (mut reader, copy) = (stream, sent.clone());
        let writing = std::thread::spawn(move || writer.write_all(&copy));
        let mut back = vec![0; sent.len()];
        reader.read_exact(&mut back).expect("all of it comes back");
        writing.join().expect("the writer does not panic").expect("all of it is written");
        assert!(back == sent, "{mode:?}: what comes back is what was sent");
    }
}

#[test]
#[ignore = "needs SCTP sockets: the guest runs it"]
fn sctp_is_learned_and_decided_like_tcp() {
    const SCTP: Protocol = Protocol(132);
    for mode in Mode::ALL {
        let (network, fw4, config) = home(1, mode, Placement::Guard);
        let daemon = Daemon::start(&network, &fw4, &config.learning(true));
        let station = network.station(0);
        let _servers = [4000, 4001].map(|port| network.sctp_server(port));
        for family in Family::ALL {
            let association = network.sctp(station, network.at_server(family, 4000));
            assert!(association.stands(), "{mode:?} {family:?}: learning is not noticed");
        }
        daemon.control.reaches(station.mac, SCTP, 4000, State::Allowed);
        daemon.control.learning(false);
        let before = daemon.visits(&network);
        let known = network.sctp(station, network.at_server(Family::V4, 4000));
        assert!(known.stands(), "{mode:?}: it is allowed");
        assert_eq!(daemon.visits(&network), before, "{mode:?}: and the kernel knows");
        let unknown = network.sctp(station, network.at_server(Family::V4, 4001));
        settle();
        assert!(!unknown.stands_now(), "{mode:?}: unknown");
        daemon.control.reaches(station.mac, SCTP, 4001, State::Pending);
        daemon.control.deny(station.mac, SCTP, Port::Number(4000));
        daemon.control.decided_in_kernel(1);
        let denied = network.sctp(station, network.at_server(Family::V4, 4000));
        settle();
        assert!(!denied.stands_now(), "{mode:?}: denied");
    }
}
