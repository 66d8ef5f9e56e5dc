//! What becomes of the first packets of undecided flows in queue mode, whoever reads the queue or does not: nobody ever
//! did, a daemon runs, hangs, or dies with packets in its hands. `fail_mode` says which of them pass.

use std::process::Command;
use std::time::Duration;

use glacic::control::protocol::{Request, Status};
use glacic::flow::{Mac, Port, Protocol};

use crate::kit::capture::Capture;
use crate::kit::daemon::program;
use crate::kit::network::Family;
use crate::kit::server::{PingServer, TcpServer, UdpServer};
use crate::kit::traffic::{Frames, Tcp};
use crate::kit::wait::{POSITIVE, within};
use crate::kit::{Config, Daemon, Mode, Network, Placement, eventually, frames, home, queue, settle};

const ALLOWED: u16 = 4000;
const UNKNOWN: u16 = 4001;
const DENIED: u16 = 4002;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FailMode {
    Open,
    Closed,
}

impl FailMode {
    const ALL: [FailMode; 2] = [FailMode::Open, FailMode::Closed];

    fn set(self, config: Config, network: &Network) -> Config {
        if self == FailMode::Closed { config.closed(network) } else { config }
    }
}

/// First packets of one device's unknown service, of every kind and family.
struct Unknown<'a> {
    network: &'a Network,
    udp: &'a UdpServer,
    ping: &'a PingServer,
    attempts: Vec<Tcp>,
    number: u16,
}

struct House {
    udp: [UdpServer; 3],
    _tcp: TcpServer,
    ping: PingServer,
}

impl House {
    fn new(network: &Network) -> House {
        let udp = [ALLOWED, UNKNOWN, DENIED].map(|port| UdpServer::new(&network.server, port));
        House { udp, _tcp: TcpServer::new(&network.server, UNKNOWN), ping: PingServer::new(&network.server) }
    }

    /// Sends them; `number` tells those of one moment from those of another.
    fn send<'a>(&'a self, network: &'a Network, number: u16) -> Unknown<'a> {
        let station = network.station(0);
        let attempts = Family::ALL.map(|family| {
            network.send_udp(station, network.at_server(family, UNKNOWN), number.into());
            network.ping(station, family.server(), number, 1);
            network.connect(station, network.at_server(family, UNKNOWN))
        });
        Unknown { network, udp: &self.udp[1], ping: &self.ping, attempts: attempts.into(), number }
    }

    /// Which of an allowed and a denied datagram arrive.
    fn decided(&self, network: &Network, number: u64) -> [bool; 2] {
        for port in [ALLOWED, DENIED] {
            network.send_udp(network.station(0), network.at_server(Family::V4, port), number);
        }
        settle();
        [self.udp[0].has(number), self.udp[2].has(number)]
    }
}

impl Unknown<'_> {
    /// How many of the six have arrived, by kind. Of a connection, the very first SYN.
    fn arrived(&self) -> [usize; 3] {
        let station = self.network.station(0);
        let datagrams = self.udp.seen().iter().filter(|(_, number)| *number == u64::from(self.number)).count();
        let pings = Family::ALL.iter().filter(|family| self.ping.has(station.address(**family), self.number)).count();
        let connections = self.attempts.iter().filter(|attempt| attempt.first_arrived()).count();
        [datagrams, pings, connections]
    }
}

/// The ruleset stands, and nobody ever read the queue: by hand, after a daemon that could not start, at a cold boot.
#[test]
#[ignore = "needs the nft queue expression: the guest runs it"]
fn with_a_ruleset_and_no_daemon() {
    for fail_mode in FailMode::ALL {
        let (network, _fw4, config) = home(1, Mode::Queue, Placement::Guard);
        let config = fail_mode.set(config.learning(false), &network);
        config.write();
        let rules = Command::new(program()).arg("rules").arg("--config").arg(config.file()).output();
        let rules = rules.expect("glacic can be run");
        assert!(rules.status.success(), "{}", String::from_utf8_lossy(&rules.stderr));
        network.router.nft(&String::from_utf8_lossy(&rules.stdout));
        let house = House::new(&network);
        let sent = house.send(&network, 1);
        settle();
        let expected = if fail_mode == FailMode::Open { [2, 2, 2] } else { [0, 0, 0] };
        assert_eq!(sent.arrived(), expected, "{fail_mode:?}");
    }
}

#[test]
fn a_daemon_that_hangs_holds_what_is_undecided_and_loses_nothing() {
    for fail_mode in FailMode::ALL {
        let (network, fw4, config) = home(1, Mode::Queue, Placement::Guard);
        let daemon = Daemon::start(&network, &fw4, &fail_mode.set(config.learning(true), &network));
        decide(&daemon, &network);
        let house = House::new(&network);
        daemon.signal(libc::SIGSTOP);
        let hanging = house.send(&network, 2);
        assert_eq!(house.decided(&network, 2), [true, false], "{fail_mode:?}: what is decided needs no daemon");
        assert_eq!(hanging.arrived(), [0, 0, 0], "{fail_mode:?}: it hangs");
        assert!(held(&network) >= 6, "{fail_mode:?}: {} packets are held", held(&network));
        daemon.signal(libc::SIGCONT);
        eventually("what was held arrives", || (hanging.arrived()[..2] == [2, 2]).then_some(()));
        // On a slow machine a SYN may have been repeated meanwhile; it was held as well.
        assert!(hanging.attempts.iter().all(|attempt| attempt.connected().is_some()), "{fail_mode:?}");
    }
}

#[test]
fn a_daemon_that_dies_loses_what_it_holds_and_nothing_else() {
    for fail_mode in FailMode::ALL {
        let (network, fw4, config) = home(1, Mode::Queue, Placement::Guard);
        let config = fail_mode.set(config.learning(true), &network);
        let daemon = Daemon::start(&network, &fw4, &config);
        decide(&daemon, &network);
        let house = House::new(&network);
        daemon.signal(libc::SIGSTOP);
        let lost = house.send(&network, 1);
        eventually("packets are held", || (held(&network) >= 6).then_some(()));
        daemon.kill();
        let after = house.send(&network, 2);
        assert_eq!(house.decided(&network, 2), [true, false], "{fail_mode:?}: decisions hold");
        let expected = if fail_mode == FailMode::Open { [2, 2, 2] } else { [0, 0, 0] };
        assert_eq!(after.arrived(), expected, "{fail_mode:?}: nobody is there");
        assert_eq!(lost.arrived(), [0, 0, 0], "{fail_mode:?}: what was held is gone");

        let _again = Daemon::start(&network, &fw4, &config);
        let back = house.send(&network, 3);
        eventually("everything is as before", || (back.arrived()[..2] == [2, 2]).then_some(()));
        assert_eq!(house.decided(&network, 3), [true, false], "{fail_mode:?}: it is back");
    }
}

/// New flows of many devices, more than the queue holds and than the firewall takes for a flood at a time.
struct Crowd<'a> {
    network: &'a Network,
    frames: Frames,
    capture: Capture,
    sent: u16,
}

impl<'a> Crowd<'a> {
    const FIRST_PORT: u16 = 10_000;
    const MOST: u16 = 20_000;

    fn new(network: &'a Network) -> Crowd<'a> {
        let frames = network.frames(network.station(0));
        Crowd { network, frames, capture: Capture::new(&network.server, "eth0"), sent: 0 }
    }

    /// Sends more and more, until something has happened.
    fn until(&mut self, what: &str, happened: impl Fn(&Crowd) -> bool) {
        while !happened(self) {
            assert!(self.sent < Crowd::MOST, "not after {} packets: {what}", self.sent);
            self.send_some();
        }
    }

    fn send_some(&mut self) {
        for _ in 0..20 {
            let mac = Mac([0x02, 0x77, 0, 0, 0, (self.sent % 100) as u8]);
            let source = self.network.station(0).v4();
            self.frames.send(&frames::udp(mac, source, 3000, Crowd::FIRST_PORT + self.sent, 0));
            self.sent += 1;
        }
        // A thousand a second may ask.
        std::thread::sleep(Duration::from_millis(25));
    }

    /// What the server has received, by its kernel's own count: no capture can miss any.
    fn received(&self) -> u64 {
        let listing = self.network.server.must("nft", &["list", "counter", "inet", "quiet", "crowd"], "");
        let number = listing.split_whitespace().skip_while(|word| *word != "packets").nth(1);
        number.and_then(|number| number.parse().ok()).expect("the counter has a number")
    }

    fn arrived(&self) -> usize {
        let range = Crowd::FIRST_PORT..Crowd::FIRST_PORT + Crowd::MOST;
        self.capture
            .count(|packet| packet.protocol == 17 && packet.ports().is_some_and(|(_, port)| range.contains(&port)))
    }
}

#[test]
fn a_queue_that_is_full_lets_pass_what_may_and_only_that() {
    for fail_mode in FailMode::ALL {
        let (network, fw4, config) = home(1, Mode::Queue, Placement::Guard);
        // The server's own answers are not what is tested.
        network.server.nft(&format!(
            "table inet quiet {{\n\tcounter crowd {{ }}\n\tchain in {{\n\t\ttype filter hook input priority 0; policy drop;\n\
             \t\tudp dport {}-{} counter name crowd\n\t}}\n}}\n",
            Crowd::FIRST_PORT,
            Crowd::FIRST_PORT + Crowd::MOST
        ));
        let daemon = Daemon::start(&network, &fw4, &fail_mode.set(config.learning(false), &network));
        let mut crowd = Crowd::new(&network);
        daemon.signal(libc::SIGSTOP);
        let dropped = || {
            let counted = queue::counters(&network.router, queue::QUEUE).expect("the queue is bound");
            counted.dropped + counted.user_dropped
        };
        match fail_mode {
            FailMode::Open => {
                crowd.until("the queue is full, and packets pass or are lost", |crowd| {
                    crowd.arrived() > 0 || dropped() > 0
                });
                assert_eq!(dropped(), 0, "fail-open: of {} packets the full queue has lost so many", crowd.sent);
                // And none of a thousand more is lost: each waits or has arrived.
                (0..50).for_each(|_| crowd.send_some());
                let found =
                    within(POSITIVE, || (held(&network) + crowd.received() == u64::from(crowd.sent)).then_some(()));
                let (held, received, dropped) = (held(&network), crowd.received(), dropped());
                assert!(
                    found.is_some() && received >= 1000 && dropped == 0,
                    "fail-open: of {} packets {held} are held, {received} have arrived, {dropped} were dropped",
                    crowd.sent
                );
            }
            FailMode::Closed => {
                crowd.until("the queue is full and packets are dropped", |_| dropped() > 0);
                assert_eq!(crowd.arrived(), 0, "nothing passes");
            }
        }
        // What overflowed was nobody's decision: afterwards the daemon goes on.
        daemon.signal(libc::SIGCONT);
        eventually("it goes on", || daemon.control.ask::<Status>(&Request::Status).ok());
    }
}

fn decide(daemon: &Daemon, network: &Network) {
    let mac = network.station(0).mac;
    daemon.control.allow(mac, Protocol::UDP, Port::Number(ALLOWED));
    daemon.control.deny(mac, Protocol::UDP, Port::Number(DENIED));
    daemon.control.decided_in_kernel(2);
}

fn held(network: &Network) -> u64 {
    queue::counters(&network.router, queue::QUEUE).map_or(0, |counters| counters.waiting)
}
