//! What glacic costs in the kernel: one decision brought into a set, against spawning `nft`; and how fast packets of decided
//! flows are forwarded through its ruleset. Linux, root, `nft`, `conntrack`. `cargo bench --bench sets [-- changes|forwarding] [--quick]`.
//!
//! Every packet here is judged as a first packet is, unless a line says otherwise: on a router all but a connection's first
//! leave the ruleset with its first rule. Each configuration has a network of its own, so rounds can take turns.

mod kit;

use std::time::Instant;

use glacic::config::Settings;
use glacic::firewall::elements::of_flow;
use glacic::firewall::plan::{Guarded, Interface, Plan};
use glacic::firewall::ruleset::whole;
use glacic::flow::{Key, Mac, Port, Protocol, State};
use glacic::netlink::sets::{Change, KeyBytes, Sets, TableFamily, To, Verdict};

use kit::network::{LAN, SERVER_V4};
use kit::report::{Goal, figure, median, paired, ratio};
use kit::{Host, Network, rounds, traffic};

const FEW: u16 = 10;
const MANY: u16 = 20_000;
/// The first port of a decided flow.
const PORTS: u16 = 1_000;

fn main() {
    kit::take_precedence();
    if kit::wants("changes") {
        changes();
    }
    if kit::wants("forwarding") {
        forwarding();
    }
}

/// The ruleset with so many allowed flows of one device.
fn load(router: &Host, mac: Mac, flows: u16) {
    let settings = Settings { max_flows: 2 * usize::from(MANY), ..Settings::default() };
    let interface = Interface::new(LAN).expect("a name");
    let guarded = Guarded { interface, zone: None, input_refused: false };
    let plan = Plan::new(&settings, true, vec![guarded]).with_log(100);
    let key = |port| Key::service(mac, Protocol::UDP, Port::Number(port));
    let elements: Vec<_> = ports(flows).iter().filter_map(|port| of_flow(&key(*port), State::Allowed)).collect();
    router.nft(&whole(&plan, &elements));
}

fn ports(flows: u16) -> Vec<u16> {
    (PORTS..PORTS + flows).collect()
}

/// One element put and taken away again, by netlink and by `nft`, in turn.
fn changes() {
    const MAC: Mac = Mac([2, 0, 0, 0, 0, 7]);
    let rounds = rounds(15);
    for flows in [FEW, MANY] {
        let host = Host::new("router");
        load(&host, MAC, flows);
        let (one, transaction, spawned) = host.run(|| {
            let mut sets = Sets::open(TableFamily::Inet, "glacic").expect("a socket");
            let (mut one, mut transaction, mut spawned) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..rounds {
                one.push(time(100, |number| apply(&mut sets, MAC, 1, number % 2 == 0)));
                transaction.push(time(4, |number| apply(&mut sets, MAC, 256, number % 2 == 0)) / 256.0);
                spawned.push(time(2, |number| nft(MAC, number % 2 == 0)));
            }
            (one, transaction, spawned)
        });
        println!("one change of a set that holds {flows} flows, {rounds} rounds");
        figure("by netlink", median(one.clone()), "µs");
        figure("by netlink, 256 in a transaction, each", median(transaction), "µs");
        figure("by spawning nft", median(spawned.clone()), "µs");
        let what = format!("one set change among {flows} flows, against spawning nft: times faster");
        ratio(&what, paired(&spawned, &one), Goal::AtLeast(100.0));
    }
}

/// Microseconds a call of `work`, which is given its number.
fn time(calls: u32, mut work: impl FnMut(u32)) -> f64 {
    let begun = Instant::now();
    (0..calls).for_each(&mut work);
    begun.elapsed().as_nanos() as f64 / 1e3 / f64::from(calls)
}

fn apply(sets: &mut Sets, mac: Mac, count: u16, put: bool) {
    let key = |port| KeyBytes::new().ether_addr(mac).inet_proto(Protocol::TCP).inet_service(port);
    let to = if put { To::Saying(Verdict::Accept) } else { To::Absent };
    let changes: Vec<Change<'_>> = (1..=count).map(|port| Change { set: "flows", key: key(port), to }).collect();
    let applied = sets.apply(&changes);
    assert_eq!((applied.done, applied.failed), (changes.len(), Vec::new()));
}

fn nft(mac: Mac, put: bool) {
    let (verb, says) = if put { ("add", ": accept") } else { ("delete", "") };
    let element = format!("{{ {mac} . tcp . 1 {says} }}");
    let status =
        std::process::Command::new("nft").args([verb, "element", "inet", "glacic", "flows", &element]).status();
    assert!(status.is_ok_and(|status| status.success()), "nft {verb} failed");
}

/// A network that packets cross.
struct Course {
    name: &'static str,
    network: Network,
    ports: Vec<u16>,
    costs: Vec<f64>,
}

impl Course {
    fn new(name: &'static str, flows: u16, set_up: impl FnOnce(&Network)) -> Course {
        let network = Network::new(1);
        traffic::sink(&network);
        set_up(&network);
        Course { name, network, ports: ports(flows), costs: Vec::new() }
    }
}

fn glacic(flows: u16) -> impl Fn(&Network) {
    move |network| load(&network.router, network.station(0).mac, flows)
}

/// Packets conntrack never sees.
fn untracked(network: &Network) {
    network.router.nft(
        "table inet untracked { chain prerouting { type filter hook prerouting priority raw; policy accept; notrack\n }\n }",
    );
}

/// What any stateful firewall begins with.
fn tracked(network: &Network) {
    network.router.nft(
        "table inet tracked { chain forward { type filter hook forward priority filter; policy accept; ct state invalid drop\n }\n }",
    );
}

/// Connections the server has answered.
fn established(network: &Network) {
    let (device, server) = (network.station(0).v4().to_string(), SERVER_V4.to_string());
    for port in ports(FEW) {
        let port = port.to_string();
        let ends = ["-I", "-p", "udp", "-s", &device, "-d", &server, "--sport", "4000", "--dport", &port];
        network.router.must(
            "conntrack",
            &[&ends[..], &["--timeout", "600", "--status", "SEEN_REPLY,ASSURED"]].concat(),
            "",
        );
    }
}

fn forwarding() {
    let calls = if kit::quick() { 400 } else { 1_500 };
    let rounds = rounds(9);
    let mut courses = [
        Course::new("no nft at all", FEW, |_| ()),
        Course::new("glacic, 10 flows, untracked", FEW, |network| {
            untracked(network);
            glacic(FEW)(network);
        }),
        Course::new("glacic, 20,000 flows, untracked", MANY, |network| {
            untracked(network);
            glacic(MANY)(network);
        }),
        Course::new("glacic, 20,000 flows of which 10 are used, untracked", FEW, |network| {
            untracked(network);
            glacic(MANY)(network);
        }),
        Course::new("conntrack alone, 10 connections", FEW, tracked),
        Course::new("conntrack alone, 20,000 connections", MANY, tracked),
        Course::new("glacic, 10 flows, established", FEW, |network| {
            glacic(FEW)(network);
            established(network);
        }),
        Course::new("glacic, 10 flows, every packet a connection's first", FEW, glacic(FEW)),
        Course::new("glacic, 20,000 flows, every packet a connection's first", MANY, glacic(MANY)),
    ];
    for _ in 0..rounds {
        for course in &mut courses {
            course.costs.push(traffic::cost(&course.network, &course.ports, calls));
        }
    }
    println!("forwarding small packets of decided flows, {rounds} rounds; sender, router and sink share a processor");
    let base = median(courses[0].costs.clone());
    for course in &courses {
        let cost = median(course.costs.clone());
        figure(course.name, 1e6 / cost, "kpps");
        figure(&format!("{}: more than without nft", course.name), cost - base, "ns a packet");
    }
    let [plain, few, many, few_of_many, tracked_few, tracked_many, established, first_few, first_many] =
        courses.map(|course| course.costs);
    // Costs, not rates: what the peer takes comes first. Where 20,000 flows are used, their elements fit no cache.
    let least = |what: &str, of: &[f64], against: &[f64], goal| ratio(what, paired(against, of), Goal::AtLeast(goal));
    least("decided flow, judged in full, 10 flows, against no nft", &few, &plain, 0.80);
    least("decided flow, judged in full, 10 of 20,000 used, against no nft", &few_of_many, &plain, 0.80);
    least("decided flow, judged in full, 20,000 used, against no nft", &many, &plain, 0.80);
    least("decided flow, 20,000 flows against 10 (flat), 10 used", &few_of_many, &few, 0.95);
    least("decided flow with conntrack, established, against no nft", &established, &plain, 0.70);
    least("decided flow with conntrack, judged in full, 10 flows", &first_few, &plain, 0.70);
    least("decided flow with conntrack, judged in full, 20,000 used", &first_many, &plain, 0.70);
    figure("established, against conntrack alone", 100.0 * paired(&tracked_few, &established), "%");
    figure("judged in full, 20,000 used, against conntrack alone", 100.0 * paired(&tracked_many, &first_many), "%");
}
