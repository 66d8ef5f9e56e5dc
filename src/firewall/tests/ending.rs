//! What a denial does to connections that live, and to those who would begin them anew.

use std::io::{Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use crate::flow::{DeviceMode, Key, Mac, Port, Protocol, State};

use super::at::{At, enforcing, udp};
use super::house::{CLIENT, House, PATIENCE, SERVER, counted, until};
use super::support::{Folder, in_namespace, must, plan, tools};
use crate::firewall::message::{Change, Report, Request, Subject};
use crate::firewall::plan::Plan;
use crate::firewall::worker::SECOND_LOOK;

const DENIED: &str = "glacic: denied";
const ENDED: &str = "glacic: answers what a denial has ended";

/// Runs a test in a house, with a firewall thread on its router.
fn in_house(test: impl FnOnce(&House, &At) + Send + 'static) {
    in_namespace(|| {
        let folder = Folder::new();
        let house = House::new();
        let at = At::work(&tools(&folder));
        test(&house, &at);
    });
}

#[test]
fn a_denial_ends_connections_that_live() {
    in_house(|house, at| {
        at.loads(&plan(), &[]);
        house.arrives(1000);
        house.arrives(1001);
        let live = || must("conntrack", &["-L"], "");
        assert!(live().contains("dport=1000") && live().contains("dport=1001"));
        let cut = at.change(udp(1000), Some(State::Allowed), Some(State::Denied));
        assert_eq!(cut, Report::Cut { what: Subject::Flow(udp(1000)), connections: 1, trouble: None });
        let applied = at.next();
        assert!(matches!(applied, Report::Applied { .. }), "done only when nothing runs any more: {applied:?}");
        assert!(!live().contains("dport=1000") && live().contains("dport=1001"), "{}", live());
        // The whole device.
        let block =
            Request::Device { ticket: None, mac: CLIENT, before: DeviceMode::Default, after: DeviceMode::Block };
        assert_eq!(at.ask(block), Report::Cut { what: Subject::Device(CLIENT), connections: 1, trouble: None });
        assert!(!live().contains(SERVER), "{}", live());
    });
}

/// Decided flows are never asked about, so no packet has shown whose they are; nor has any of what is behind a device.
#[test]
fn a_denial_ends_connections_of_decided_flows_and_of_what_is_behind_the_device() {
    in_house(|house, at| {
        at.loads(&enforcing(), &[(udp(1000), State::Allowed)]);
        house.arrives(1000);
        must("ip", &["route", "add", "10.50.0.0/16", "via", "192.168.1.2"], "");
        for source in ["10.50.0.7", "10.51.0.7"] {
            let entry = format!("-I -p udp -s {source} -d {SERVER} --sport 5 --dport 1000 -t 60");
            must("conntrack", &entry.split(' ').collect::<Vec<_>>(), "");
        }
        assert!(!must("nft", &["list", "set", "inet", "glacic", "dev4"], "").contains("elements"));
        let cut = at.change(udp(1000), Some(State::Allowed), Some(State::Denied));
        assert_eq!(cut, Report::Cut { what: Subject::Flow(udp(1000)), connections: 2, trouble: None });
        let live = must("conntrack", &["-L"], "");
        assert!(live.contains("src=10.51.0.7") && !live.contains("src=10.50.0.7"), "{live}");
    });
}

/// A connection that begins between the set and the first look is found by the second.
#[test]
fn a_denial_looks_twice() {
    in_house(|house, at| {
        at.loads(&plan(), &[]);
        house.arrives(1001);
        at.change(udp(1000), None, Some(State::Denied));
        let entry = format!("-I -p udp -s 192.168.1.2 -d {SERVER} --sport 5 --dport 1000 -t 60");
        must("conntrack", &entry.split(' ').collect::<Vec<_>>(), "");
        assert_eq!(at.next(), Report::Cut { what: Subject::Flow(udp(1000)), connections: 1, trouble: None });
    });
}

/// What is allowed by then is let alone.
#[test]
fn a_denial_taken_back_before_the_second_look_ends_nothing_more() {
    in_house(|house, at| {
        at.loads(&plan(), &[]);
        at.change(udp(1000), None, Some(State::Denied));
        at.change(udp(1000), Some(State::Denied), Some(State::Allowed));
        house.arrives(1000);
        std::thread::sleep(2 * SECOND_LOOK);
        assert_eq!(at.counters(), [(udp(1000), 1)], "no word of a connection that was ended");
        let live = must("conntrack", &["-L"], "");
        assert!(live.contains("dport=1000"), "{live}");
    });
}

/// A device that may do everything loses nothing by what is denied of it.
#[test]
fn a_denial_ends_nothing_of_a_trusted_device() {
    in_house(|house, at| {
        at.loads(&plan(), &[]);
        let trust =
            Request::Device { ticket: None, mac: CLIENT, before: DeviceMode::Default, after: DeviceMode::Trust };
        assert!(matches!(at.ask(trust), Report::Applied { .. }));
        house.arrives(1000);
        let said = at.change(udp(1000), None, Some(State::Denied));
        assert!(matches!(said, Report::Applied { .. }), "{said:?}");
        let live = must("conntrack", &["-L"], "");
        assert!(live.contains("dport=1000"), "{live}");
    });
}

/// A denied device that speaks while the table is away has connections, which the table's return must end: established
/// packets are not asked about.
#[test]
fn what_is_denied_and_began_while_nothing_was_guarded_ends_with_the_load() {
    in_house(|house, at| {
        let flows = [(udp(1000), State::Denied), (udp(1001), State::Allowed)];
        let cut = |what| Report::Cut { what, connections: 1, trouble: None };
        // A firewall as every router has one: without it, nothing is tracked yet.
        let other = "table inet other {\n\tchain forward {\n\t\ttype filter hook forward priority filter; policy accept;\n\
            \t\tct state established accept\n\t}\n}\n";
        must("nft", &["-f", "-"], other);
        house.arrives(1000);
        house.arrives(1001);
        assert_eq!(at.load(&enforcing(), &flows), cut(Subject::Flow(udp(1000))));
        assert!(matches!(at.next(), Report::Loaded { .. }));
        let live = || must("conntrack", &["-L"], "");
        assert!(!live().contains("dport=1000") && live().contains("dport=1001"), "{}", live());
        house.is_dropped_by(1000, "glacic", DENIED);
        // The table went, and with it the guard.
        must("nft", &["delete", "table", "inet", "glacic"], "");
        house.arrives(1000);
        at.loads(&enforcing(), &flows);
        house.is_dropped_by(1000, "glacic", DENIED);
        assert!(!live().contains("dport=1000"), "{}", live());
        // The interface was not guarded: nobody had said so, or it was not there.
        at.loads(&Plan { guarded: Vec::new(), ..enforcing() }, &flows);
        house.arrives(1000);
        at.loads(&enforcing(), &flows);
        house.is_dropped_by(1000, "glacic", DENIED);
        assert!(!live().contains("dport=1000") && live().contains("dport=1001"), "{}", live());
    });
}

/// A socket that does not wait for ever.
fn socket(at: &str) -> UdpSocket {
    let socket = UdpSocket::bind(at).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// One datagram there and one back.
fn talk(client: &UdpSocket, server: &UdpSocket) -> SocketAddr {
    client.send(b"there").unwrap();
    let (_, from) = server.recv_from(&mut [0; 16]).unwrap();
    server.send_to(b"back", from).unwrap();
    client.recv(&mut [0; 16]).unwrap();
    from
}

/// Both ends go on talking, the server first: nothing of it may arrive.
fn is_over(client: &UdpSocket, server: &UdpSocket, from: SocketAddr) {
    for _ in 0..3 {
        let before = [DENIED, ENDED].map(|comment| counted("glacic", comment));
        // Where the router is the server, it is told at once that nothing leaves.
        let _ = server.send_to(b"back", from);
        client.send(b"there").unwrap();
        until(
            || counted("glacic", DENIED) > before[0] && counted("glacic", ENDED) > before[1],
            "what a denial has ended goes on",
        );
    }
    for socket in [client, server] {
        socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        assert!(socket.recv(&mut [0; 16]).is_err());
    }
}

/// The other end knows of no denial: what it sends next would begin the connection anew, from its side.
#[test]
fn the_other_end_of_a_denied_connection_does_not_bring_it_back() {
    in_house(|house, at| {
        for (server, port) in [(SERVER, 1000), ("fd00:2::2", 1001)] {
            at.loads(&plan(), &[]);
            let there: SocketAddr = (server.parse::<std::net::IpAddr>().unwrap(), port).into();
            let here = if there.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let server = house.server.run(move || socket(&there.to_string()));
            let client = house.client.run(move || socket(here));
            client.connect(there).unwrap();
            let from = talk(&client, &server);
            let cut = at.change(udp(port), Some(State::Allowed), Some(State::Denied));
            assert_eq!(cut, Report::Cut { what: Subject::Flow(udp(port)), connections: 1, trouble: None });
            assert!(matches!(at.next(), Report::Applied { .. }));
            is_over(&client, &server, from);
            // What is allowed again is as before, though the other end was shut out.
            at.change(udp(port), Some(State::Denied), Some(State::Allowed));
            for socket in [&client, &server] {
                socket.set_read_timeout(Some(PATIENCE)).unwrap();
            }
            talk(&client, &server);
        }
    });
}

/// Also if the other end speaks first: to ports that are the same at both ends, it would be shut out for as long as it calls.
#[test]
fn what_is_allowed_again_may_be_called_by_the_other_end() {
    in_house(|house, at| {
        at.loads(&plan(), &[]);
        let server = house.server.run(|| socket("198.51.100.2:1000"));
        let client = house.client.run(|| socket("192.168.1.2:1000"));
        client.connect("198.51.100.2:1000").unwrap();
        let back: [(State, Option<State>); 2] = [(State::Denied, Some(State::Allowed)), (State::Denied, None)];
        for (before, after) in back {
            let from = talk(&client, &server);
            at.changes(change(udp(1000), Some(State::Allowed), Some(State::Denied)));
            is_over(&client, &server, from);
            at.changes(change(udp(1000), Some(before), after));
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            server.set_read_timeout(Some(PATIENCE)).unwrap();
            server.send_to(b"call", from).unwrap();
            client.recv(&mut [0; 16]).expect("a call");
            must("conntrack", &["-F"], "");
        }
        // A device that was blocked.
        let device = |before, after| Request::Device { ticket: None, mac: CLIENT, before, after };
        let from = talk(&client, &server);
        at.changes(device(DeviceMode::Default, DeviceMode::Block));
        is_over(&client, &server, from);
        at.changes(device(DeviceMode::Block, DeviceMode::Default));
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        server.send_to(b"call", from).unwrap();
        client.recv(&mut [0; 16]).expect("a call");
    });
}

/// What is never refused is never ended either: the router's answer to the one who denies comes after the denial.
#[test]
fn what_the_router_never_refuses_is_answered_after_a_denial() {
    in_house(|house, at| {
        at.loads(&Plan { guard_input: true, ..plan() }, &[]);
        let server = std::net::TcpListener::bind("192.168.1.1:443").unwrap();
        let mut client = house.client.run(|| std::net::TcpStream::connect("192.168.1.1:443").unwrap());
        let (mut answering, _) = server.accept().unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        let block =
            Request::Device { ticket: None, mac: CLIENT, before: DeviceMode::Default, after: DeviceMode::Block };
        assert_eq!(at.ask(block), Report::Cut { what: Subject::Device(CLIENT), connections: 1, trouble: None });
        assert!(matches!(at.next(), Report::Applied { .. }));
        answering.write_all(b"denied").unwrap();
        client.read_exact(&mut [0; 6]).expect("the answer");
    });
}

/// What was denied of a device that could do everything ends when it no longer can.
#[test]
fn what_trust_has_covered_up_ends_with_it() {
    in_house(|house, at| {
        at.loads(&plan(), &[]);
        let device = |before, after| Request::Device { ticket: None, mac: CLIENT, before, after };
        at.changes(device(DeviceMode::Default, DeviceMode::Trust));
        house.arrives(1000);
        house.arrives(1001);
        at.changes(change(udp(1000), None, Some(State::Denied)));
        let cut = at.ask(device(DeviceMode::Trust, DeviceMode::Default));
        assert_eq!(cut, Report::Cut { what: Subject::Flow(udp(1000)), connections: 1, trouble: None });
        assert!(must("conntrack", &["-L"], "").contains("dport=1001"));
    });
}

/// To deny every port says nothing of one that is allowed by itself.
#[test]
fn a_denial_of_every_port_ends_nothing_that_stays_allowed() {
    in_house(|house, at| {
        at.loads(&plan(), &[(udp(1000), State::Allowed)]);
        house.arrives(1000);
        house.arrives(1001);
        let every = Key::service(CLIENT, Protocol::UDP, Port::Any);
        let cut = at.change(every, None, Some(State::Denied));
        assert_eq!(cut, Report::Cut { what: Subject::Flow(every), connections: 1, trouble: None });
        let live = must("conntrack", &["-L"], "");
        assert!(live.contains("dport=1000") && !live.contains("dport=1001"), "{live}");
    });
}

/// An address that a device has only claimed is its owner's.
#[test]
fn a_denial_ends_nothing_of_a_device_whose_address_was_claimed() {
    in_house(|house, at| {
        at.loads(&plan(), &[]);
        house.arrives(1000);
        let thief = Mac([2, 0, 0, 0, 0, 7]);
        let claim = format!("{{ {thief} . 192.168.1.2 }}");
        must("nft", &["add", "element", "inet", "glacic", "dev4", &claim], "");
        let denied = Key::service(thief, Protocol::UDP, Port::Number(1000));
        let said = at.change(denied, None, Some(State::Denied));
        assert!(matches!(said, Report::Applied { .. }), "{said:?}");
        let live = must("conntrack", &["-L"], "");
        assert!(live.contains("dport=1000"), "{live}");
    });
}

fn change(key: Key, before: Option<State>, after: Option<State>) -> Request {
    Request::Change { ticket: None, changes: vec![Change { key, before, after }] }
}

/// Nor does the router itself, which answers from no interface.
#[test]
fn the_router_does_not_bring_a_denied_connection_back() {
    in_house(|house, at| {
        at.loads(&Plan { guard_input: true, ..plan() }, &[]);
        let server = socket("192.168.1.1:1000");
        let client = house.client.run(|| socket("0.0.0.0:0"));
        client.connect("192.168.1.1:1000").unwrap();
        let from = talk(&client, &server);
        let cut = at.change(udp(1000), Some(State::Allowed), Some(State::Denied));
        assert_eq!(cut, Report::Cut { what: Subject::Flow(udp(1000)), connections: 1, trouble: None });
        assert!(matches!(at.next(), Report::Applied { .. }));
        is_over(&client, &server, from);
    });
}
