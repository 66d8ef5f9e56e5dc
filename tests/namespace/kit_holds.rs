//! The test kit itself: packets pass where nothing stops them, and what stops them is seen to.

use crate::kit::frames;
use crate::kit::fw4::Input;
use crate::kit::network::{Family, LAN};
use crate::kit::server::{PingServer, TcpServer, UdpServer};
use crate::kit::sys::Attempt;
use crate::kit::traffic::echoes;
use crate::kit::{Fw4, Network, capture::Capture, queue, settle};

#[test]
fn packets_of_every_kind_cross_an_open_router() {
    let network = Network::new(2);
    Fw4::new(&network).restart(&network);
    let udp = UdpServer::new(&network.server, 4000);
    let ping = PingServer::new(&network.server);
    TcpServer::new(&network.server, 4000).echo();
    for (number, family) in Family::ALL.into_iter().enumerate() {
        let station = network.station(number);
        network.send_udp(station, network.at_server(family, 4000), number as u64);
        assert!(udp.gets(number as u64), "udp {family:?}");
        let connection = network.connect(station, network.at_server(family, 4000));
        assert_eq!(connection.connected(), Some(0), "tcp {family:?}");
        assert!(echoes(&mut connection.into_stream(), b"hello"), "tcp {family:?}");
        network.ping(station, family.server(), 77, 1);
        assert!(ping.gets(station.address(family), 77), "ping {family:?}");
    }
    let senders: Vec<_> = udp.seen().iter().map(|(from, _)| *from).collect();
    assert_eq!(senders, [network.station(0).address(Family::V4), network.station(1).address(Family::V6)]);
}

#[test]
fn a_closed_firewall_refuses() {
    let network = Network::new(1);
    Fw4::closed(&network).restart(&network);
    let udp = UdpServer::new(&network.server, 4000);
    let ping = PingServer::new(&network.server);
    let _listener = TcpServer::new(&network.server, 4000);
    let station = network.station(0);
    let attempts = Family::ALL.map(|family| {
        network.send_udp(station, network.at_server(family, 4000), 1);
        network.ping(station, family.server(), 77, 1);
        network.connect(station, network.at_server(family, 4000))
    });
    settle();
    assert_eq!(udp.seen(), []);
    assert_eq!(ping.seen(), []);
    assert!(attempts.iter().all(|attempt| attempt.state() == Attempt::Refused));
}

#[test]
fn a_dropped_syn_shows_as_repeated() {
    let network = Network::new(1);
    // Who is seen for the first time is dropped once.
    network.router.nft(
        "table inet t {\n\tset seen { type ipv4_addr; flags dynamic; size 10; }\n\tchain forward {\n\
         \t\ttype filter hook forward priority 0;\n\
         \t\tiifname != br-lan accept\n\t\tip saddr @seen accept\n\t\tiifname br-lan add @seen { ip saddr } drop\n\t}\n}\n",
    );
    let _listener = TcpServer::new(&network.server, 4000);
    let attempt = network.connect(network.station(0), network.at_server(Family::V4, 4000));
    settle();
    assert!(!attempt.first_arrived());
    assert_eq!(attempt.connected(), Some(1));
}

#[test]
fn includes_stand_where_fw4_has_them() {
    let network = Network::new(1);
    let fw4 = Fw4 { lan_input: Input::Reject, ..Fw4::new(&network) };
    for place in ["chain-pre/forward", "chain-post/forward_wan", "chain-post/forward", "chain-post/input_lan"] {
        // Neighbour discovery comes and goes as it likes.
        fw4.write_include(place, "a.nft", &format!("meta l4proto udp counter comment \"{place}\"\n"));
    }
    fw4.restart(&network);
    let udp = UdpServer::new(&network.server, 4000);
    network.send_udp(network.station(0), network.at_server(Family::V4, 4000), 1);
    assert!(udp.gets(1));
    let router = UdpServer::new(&network.router, 4001);
    network.send_udp(network.station(0), (Family::V4.router(), 4001).into(), 2);
    let inside = UdpServer::new(&network.lan, 4000);
    udp.reply((network.station(0).v4(), 4000).into(), 3);
    settle();
    assert_eq!((router.seen().len(), inside.seen().len()), (0, 0), "input and wan→lan are refused");

    let listing = network.router.must("nft", &["list", "table", "inet", "fw4"], "");
    let packets = |place: &str| {
        let line =
            listing.lines().find(|line| line.contains(&format!("comment \"{place}\""))).expect("the rule is there");
        line.split_whitespace()
            .skip_while(|word| *word != "packets")
            .nth(1)
            .and_then(|number| number.parse::<u32>().ok())
            .expect("it has a counter")
    };
    assert_eq!(packets("chain-pre/forward"), 2, "sees both new connections");
    assert_eq!(packets("chain-post/forward_wan"), 1, "sees what comes unasked");
    assert_eq!(packets("chain-post/forward"), 1, "sees what nobody accepted");
    assert_eq!(packets("chain-post/input_lan"), 1, "stands before the refusal");
}

#[test]
fn a_reload_keeps_other_tables_and_loads_one_copy() {
    let network = Network::new(1);
    let fw4 = Fw4::new(&network);
    fw4.restart(&network);
    network.router.nft("table inet mine { }\n");
    let before = network.router.must("nft", &["list", "ruleset"], "");
    fw4.reload(&network);
    fw4.reload(&network);
    let after = network.router.must("nft", &["list", "ruleset"], "");
    assert!(after.contains("table inet mine"));
    assert_eq!(before.matches("jump forward_lan").count(), after.matches("jump forward_lan").count());
}

#[test]
fn forged_frames_arrive_with_their_forged_mac() {
    let network = Network::new(1);
    Fw4::new(&network).restart(&network);
    let udp = UdpServer::new(&network.server, 4000);
    let forged = "02:66:00:00:00:01".parse().expect("a MAC");
    network.router.nft(&format!(
        "table inet t {{\n\tchain forward {{\n\t\ttype filter hook forward priority -10;\n\
         \t\tether saddr {forged} meta mark set 0x7\n\t\tmeta mark != 0x7 drop\n\t}}\n}}\n"
    ));
    let frames = network.frames(network.station(0));
    let source = network.station(0).v4();
    frames.send(&frames::udp(forged, source, 1111, 4000, 1));
    frames.send(&frames::udp(network.station(0).mac, source, 2222, 4000, 2));
    assert!(udp.gets(1));
    settle();
    assert!(!udp.has(2), "the honest MAC has no mark");
}

#[test]
fn a_capture_shows_protocols_without_ports() {
    let network = Network::new(1);
    Fw4::new(&network).restart(&network);
    let capture = Capture::new(&network.server, "eth0");
    network.send_ip(network.station(0), Family::V4.server(), 47, &[0; 8]);
    assert!(capture.gets(|packet| packet.protocol == 47));
    let tcp = frames::tcp(network.station(0).mac, network.station(0).v4(), 5000, 443, frames::ACK);
    network.frames(network.station(0)).send(&tcp);
    assert!(capture.gets(|packet| packet.protocol == 6 && packet.ports() == Some((5000, 443))));
}

#[test]
fn networks_do_not_see_each_other() {
    let (one, other) = (Network::new(1), Network::new(1));
    let _here = UdpServer::new(&one.server, 4000);
    let there = UdpServer::new(&other.server, 4000);
    one.send_udp(one.station(0), one.at_server(Family::V4, 4000), 1);
    assert!(_here.gets(1));
    assert_eq!(there.seen(), []);
    assert!(one.router.proc_net("dev").expect("it can be read").contains(LAN));
    assert!(!one.server.proc_net("dev").expect("it can be read").contains(LAN));
}

#[test]
fn marked_packets_pass_without_a_reader_when_they_may() {
    if queue::is_native() {
        return;
    }
    for (bypass, arrives) in [(true, true), (false, false)] {
        let network = Network::new(1);
        Fw4::new(&network).restart(&network);
        queue::install_way_round(&network.router);
        if !bypass {
            queue::close_way_round(&network.router);
        }
        network.router.nft(&format!(
            "table inet t {{\n\tchain forward {{\n\t\ttype filter hook forward priority filter - 10;\n\
             \t\tct state new meta mark set meta mark and 0xffffff00 or {} accept\n\t}}\n\
             \tchain behind {{\n\t\ttype filter hook forward priority 10;\n\t\tmeta mark and 0xff != 0 drop\n\t}}\n}}\n",
            queue::TEST_MARK
        ));
        let udp = UdpServer::new(&network.server, 4000);
        for (number, family) in Family::ALL.into_iter().enumerate() {
            network.send_udp(network.station(0), network.at_server(family, 4000), number as u64);
        }
        settle();
        assert_eq!(udp.seen().len(), if arrives { 2 } else { 0 }, "with bypass {bypass}");
    }
}
