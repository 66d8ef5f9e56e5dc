//! What the rulesets do to packets, in log mode: nobody listens, so the kernel alone decides.

use std::io::{Read, Write};

use crate::config::settings::{Baseline, Placement};
use crate::flow::{DeviceMode, Key, Port, Protocol, State};

use super::house::{CLIENT, House, SERVER, counted};
use super::support::{Folder, in_namespace, install_fw4, must, plan, tools};
use crate::firewall::elements::wanted;
use crate::firewall::includes::includes;
use crate::firewall::plan::Plan;
use crate::firewall::publish::{announce, publish};
use crate::firewall::ruleset::whole;

const REFUSED: &str = "glacic: allowed by nobody";
const DENIED: &str = "glacic: denied";
const UNDECIDED: &str = "glacic: undecided";

fn udp(port: u16, state: State) -> (Key, State) {
    (Key::service(CLIENT, Protocol(17), Port::Number(port)), state)
}

fn load(plan: &Plan, flows: &[(Key, State)], mode: DeviceMode) {
    must("nft", &["-f", "-"], &whole(plan, &wanted(flows, &[(CLIENT, mode)])));
}

#[test]
fn guard_enforcing_lets_through_what_is_allowed() {
    in_namespace(|| {
        let house = House::new();
        let plan = Plan {
            learning: false,
            baseline: vec![Baseline { protocol: Protocol(17), port: Port::Number(123) }],
            ignore_networks: vec!["198.51.100.64/26".parse().unwrap()],
            ..plan()
        };
        let any = (Key::service(CLIENT, Protocol(17), Port::Any), State::Allowed);
        load(&plan, &[udp(1000, State::Allowed), udp(1001, State::Denied)], DeviceMode::Default);
        house.arrives(1000);
        house.arrives(123);
        house.is_dropped_by(1001, "glacic", DENIED);
        house.is_dropped_by(1002, "glacic", REFUSED);
        // What is decided about one port wins over what is decided about any.
        load(&plan, &[any, udp(1001, State::Denied)], DeviceMode::Default);
        house.arrives(1002);
        house.is_dropped_by(1001, "glacic", DENIED);
        // A device's mode, with nothing decided about its flows but one denial.
        load(&plan, &[udp(1001, State::Denied)], DeviceMode::Learn);
        house.arrives(1003);
        house.is_dropped_by(1001, "glacic", DENIED);
        load(&plan, &[udp(1001, State::Denied)], DeviceMode::Trust);
        house.arrives(1001);
        load(&plan, &[udp(1000, State::Allowed)], DeviceMode::Block);
        house.is_dropped_by(1000, "glacic", DENIED);
    });
}

#[test]
fn guard_learning_holds_up_only_what_is_denied_or_enforced() {
    in_namespace(|| {
        let house = House::new();
        load(&plan(), &[udp(1001, State::Denied)], DeviceMode::Default);
        house.arrives(1000);
        house.is_dropped_by(1001, "glacic", DENIED);
        load(&plan(), &[udp(1001, State::Allowed)], DeviceMode::Enforce);
        house.arrives(1001);
        house.is_dropped_by(1000, "glacic", REFUSED);
    });
}

#[test]
fn a_device_is_known_by_its_addresses() {
    in_namespace(|| {
        let house = House::new();
        load(&plan(), &[], DeviceMode::Default);
        house.arrives(1000);
        let known = must("nft", &["list", "set", "inet", "glacic", "dev4"], "");
        assert!(known.contains(&format!("{CLIENT} . 192.168.1.2")), "{known}");
    });
}

/// What exceeds the limit is not asked about, but neither lost: the house learns.
#[test]
fn a_flood_of_new_flows_is_cut_off_from_the_log_and_not_from_the_network() {
    in_namespace(|| {
        let house = House::new();
        let counter = |comment: &str| format!("\t\tcounter comment \"{comment}\"\n");
        let text = whole(&plan(), &[])
            .replace("\t\tlog group", &format!("{}\t\tlog group", counter("asked")))
            .replace("\tchain unasked {\n", &format!("\tchain unasked {{\n{}", counter("passed")));
        must("nft", &["-f", "-"], &text);
        let socket = house.client.run(|| std::net::UdpSocket::bind("0.0.0.0:0").unwrap());
        for port in 10_000..11_000 {
            socket.send_to(b"x", (SERVER, port)).unwrap();
        }
        super::house::until(|| counted("glacic", "passed") >= 1000, "every packet passes");
        // 200 at once and 100 a second: a thousand within a few seconds leave most of them out.
        let asked = counted("glacic", "asked");
        assert!((200..900).contains(&asked), "{asked}");
    });
}

#[test]
fn fallback_opens_what_is_allowed_and_nothing_else() {
    in_namespace(|| {
        let house = House::new();
        let folder = Folder::new();
        let tools = tools(&folder);
        install_fw4(&tools);
        let plan = Plan { placement: Placement::Fallback, ..plan() };
        load(&plan, &[udp(1000, State::Allowed), udp(9999, State::Denied)], DeviceMode::Default);
        publish(&tools, &includes(&plan)).unwrap();
        assert_eq!(announce(&tools, &includes(&plan), true), [""; 0]);
        // Others mark packets too: their bits survive, and with ours they open nothing.
        let marks = "table inet other {\n\tchain pre {\n\t\ttype filter hook prerouting priority -150;\n\
            \t\tudp dport 1000 meta mark set 0x00000022\n\t\tudp dport 1002 meta mark set 0x01000000\n\t}\n\
            \tchain post {\n\t\ttype filter hook postrouting priority 0;\n\
            \t\tmeta mark & 0x000000ff == 0x00000022 counter comment \"survived\"\n\t}\n}\n";
        must("nft", &["-f", "-"], marks);
        house.arrives(1000);
        assert_eq!(counted("other", "survived"), 1);
        house.is_dropped_by(1001, "fw4", UNDECIDED);
        house.is_dropped_by(1002, "fw4", UNDECIDED);
        // Denied is denied, also where fw4 would accept.
        house.is_dropped_by(9999, "glacic", DENIED);
        // With the table gone, nothing is open that fw4 does not open by itself.
        must("nft", &["delete", "table", "inet", "glacic"], "");
        house.is_dropped_by(1000, "fw4", UNDECIDED);
        house.arrives(9999);
    });
}

#[test]
fn what_comes_from_elsewhere_is_none_of_our_business() {
    in_namespace(|| {
        let house = House::new();
        load(&Plan { learning: false, ..plan() }, &[], DeviceMode::Default);
        let client = house.client.run(|| std::net::UdpSocket::bind("0.0.0.0:2000").unwrap());
        client.set_read_timeout(Some(super::house::PATIENCE)).unwrap();
        let server = house.server.run(|| std::net::UdpSocket::bind("0.0.0.0:0").unwrap());
        server.send_to(b"hello", "192.168.1.2:2000").unwrap();
        assert_eq!(client.recv(&mut [0; 16]).ok(), Some(5));
        assert_eq!(counted("glacic", REFUSED), 0);
        assert!(!must("nft", &["list", "set", "inet", "glacic", "dev4"], "").contains("elements"));
    });
}

/// After a reboot, or when its conntrack entry was deleted: such a packet begins nothing, so nothing is learned from it.
#[test]
fn a_connection_that_began_unseen_goes_on_only_while_its_device_learns() {
    in_namespace(|| {
        let house = House::new();
        let log = "\t\tlog group";
        let text = |plan: &Plan| whole(plan, &[]).replace(log, &format!("\t\tcounter comment \"asked\"\n{log}"));
        must("nft", &["-f", "-"], &text(&plan()));
        let listener = house.server.run(|| std::net::TcpListener::bind("0.0.0.0:5000").unwrap());
        let mut client = house.client.run(|| std::net::TcpStream::connect((SERVER, 5000)).unwrap());
        let (mut server, _) = listener.accept().unwrap();
        server.set_read_timeout(Some(super::house::PATIENCE)).unwrap();
        assert_eq!(counted("glacic", "asked"), 1);

        must("conntrack", &["-F"], "");
        client.write_all(b"still").unwrap();
        server.read_exact(&mut [0; 5]).unwrap();
        assert_eq!(counted("glacic", "asked"), 1, "a connection under way is not asked about");

        must("nft", &["-f", "-"], &text(&Plan { learning: false, ..plan() }));
        client.write_all(b"known").unwrap();
        server.read_exact(&mut [0; 5]).unwrap();
        must("conntrack", &["-F"], "");
        client.write_all(b"lost!").unwrap();
        super::house::until(|| counted("glacic", REFUSED) > 0, "it goes on");
        assert_eq!(counted("glacic", "asked"), 0);
    });
}
