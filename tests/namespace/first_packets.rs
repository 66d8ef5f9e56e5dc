//! Runs the table of [`super::matrix`]: a daemon for each mode, learning mode and placement, a device for each cell.
//!
//! The cells of one daemon are sent together and share one negative window; they are told apart by device and port.

use std::fmt;

use glacic::flow::{Port, State};

use crate::kit::server::{PingServer, TcpServer, UdpServer};
use crate::kit::traffic::Tcp;
use crate::kit::wait::{POSITIVE, within};
use crate::kit::{Daemon, Mode, Network, Placement, Station, eventually, home, settle};
use crate::matrix::{Before, Cell, Kind, Learning, cells};

/// The services of the cells have ports from here on.
const FIRST_PORT: u16 = 5000;

/// A cell with the device that plays it.
struct Actor {
    cell: Cell,
    station: Station,
    port: u16,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cell { row, kind, family } = self.cell;
        let (mode, learning, placement, before) = (row.mode, row.learning, row.placement, row.before);
        write!(f, "{mode:?} {placement:?} learning {learning:?}: {before:?} {kind:?} {family:?}")
    }
}

impl Actor {
    /// The port of the flow: for ICMP the type of an echo request.
    fn flow_port(&self) -> u16 {
        match (self.cell.kind, self.cell.family) {
            (Kind::Icmp, crate::kit::network::Family::V4) => 8,
            (Kind::Icmp, crate::kit::network::Family::V6) => 128,
            _ => self.port,
        }
    }
}

/// The stage: one network with a daemon and its servers.
struct Stage {
    network: Network,
    daemon: Daemon,
    udp: Vec<UdpServer>,
    _tcp: Vec<TcpServer>,
    ping: PingServer,
    faults: Vec<String>,
}

/// A packet on its way.
enum Sent {
    Udp(u64),
    Tcp(Tcp),
    Icmp(u16),
}

impl Stage {
    /// Sends the first packet of a new connection; `round` tells those of one flow apart.
    fn send(&self, actor: &Actor, round: u16) -> Sent {
        let Cell { kind, family, .. } = actor.cell;
        let (station, to) = (actor.station, self.network.at_server(family, actor.port));
        match kind {
            Kind::Udp => {
                self.network.send_udp(station, to, round.into());
                Sent::Udp(round.into())
            }
            Kind::Tcp => Sent::Tcp(self.network.connect(station, to)),
            Kind::Icmp => {
                self.network.ping(station, to.ip(), round, 1);
                Sent::Icmp(round)
            }
        }
    }

    fn arrived(&self, actor: &Actor, sent: &Sent) -> bool {
        match sent {
            Sent::Udp(number) => self.udp[usize::from(actor.port - FIRST_PORT)].has(*number),
            Sent::Tcp(attempt) => attempt.first_arrived(),
            Sent::Icmp(identifier) => self.ping.has(actor.station.address(actor.cell.family), *identifier),
        }
    }

    /// Sends one packet of each, gives those that must arrive time to, and all others the negative window.
    fn play(&mut self, actors: &[&Actor], round: u16, arrives: impl Fn(&Actor) -> bool) -> Vec<Sent> {
        let sent: Vec<Sent> = actors.iter().map(|actor| self.send(actor, round)).collect();
        settle();
        for (actor, sent) in actors.iter().zip(&sent) {
            let expected = arrives(actor);
            let arrived = match expected {
                true => within(POSITIVE, || self.arrived(actor, sent).then_some(())).is_some(),
                false => self.arrived(actor, sent),
            };
            if arrived != expected {
                self.faults.push(format!("{actor}: packet {round} arrived: {arrived}, expected {expected}"));
            }
        }
        sent
    }

    fn state(&self, actor: &Actor) -> Option<State> {
        let protocol = actor.cell.kind.protocol(actor.cell.family);
        self.daemon.control.state(actor.station.mac, protocol, actor.flow_port())
    }
}

fn run(mode: Mode, learning: Learning, placement: Placement) {
    let chosen: Vec<Cell> = cells()
        .filter(|cell| (cell.row.mode, cell.row.learning, cell.row.placement) == (mode, learning, placement))
        .collect();
    let (network, fw4, config) = home(chosen.len() as u16, mode, placement);
    let actors: Vec<Actor> = chosen
        .iter()
        .zip(&network.stations)
        .map(|(cell, station)| Actor { cell: *cell, station: *station, port: FIRST_PORT + station.number })
        .collect();
    let ports = || (0..actors.len() as u16).map(|number| FIRST_PORT + number);
    let (udp, tcp) = (
        ports().map(|port| UdpServer::new(&network.server, port)).collect(),
        ports().map(|port| TcpServer::new(&network.server, port)).collect(),
    );
    let ping = PingServer::new(&network.server);
    let daemon = Daemon::start(&network, &fw4, &config.learning(false));
    let mut stage = Stage { network, daemon, udp, _tcp: tcp, ping, faults: Vec::new() };
    let of = |wanted: &dyn Fn(&Actor) -> bool| actors.iter().filter(|actor| wanted(actor)).collect::<Vec<_>>();

    // How the flows are before: decided by the owner, or seen while enforcing.
    for actor in &actors {
        let protocol = actor.cell.kind.protocol(actor.cell.family);
        let (mac, port) = (actor.station.mac, Port::Number(actor.flow_port()));
        match actor.cell.row.before {
            Before::Allowed => drop(stage.daemon.control.allow(mac, protocol, port)),
            Before::Denied => drop(stage.daemon.control.deny(mac, protocol, port)),
            Before::New | Before::Pending => {}
        }
    }
    let pending = of(&|actor| actor.cell.row.before == Before::Pending);
    drop(stage.play(&pending, 1, |_| false));
    for actor in &pending {
        eventually(&format!("{actor}: is pending"), || (stage.state(actor) == Some(State::Pending)).then_some(()));
    }
    if learning == Learning::On {
        stage.daemon.control.learning(true);
    }
    stage
        .daemon
        .control
        .decided_in_kernel(of(&|actor| matches!(actor.cell.row.before, Before::Allowed | Before::Denied)).len());

    // The first packet, and the state it leaves.
    let all = of(&|_| true);
    let first = stage.play(&all, 2, |actor| actor.cell.row.expected.first_arrives);
    for actor in &all {
        let expected = Some(actor.cell.row.expected.after);
        if within(POSITIVE, || (stage.state(actor) == expected).then_some(())).is_none() {
            let fault = format!("{actor}: is {:?} afterwards, expected {expected:?}", stage.state(actor));
            stage.faults.push(fault);
        }
    }
    // A SYN that was lost is repeated; where its flow was learned meanwhile, the repetition must arrive.
    for (actor, sent) in all.iter().zip(&first) {
        let expected = actor.cell.row.expected;
        if let Sent::Tcp(attempt) = sent
            && !expected.first_arrives
            && expected.second_arrives
            && attempt.connected().is_none()
        {
            stage.faults.push(format!("{actor}: the repeated SYN did not arrive"));
        }
    }
    drop(first);
    stage.daemon.control.decided_in_kernel(of(&|actor| actor.cell.row.expected.after != State::Pending).len());

    // The second packet: decided flows must not move the counter, undecided ones must.
    let decided = of(&|actor| !actor.cell.row.expected.second_visits);
    let before = stage.daemon.visits(&stage.network);
    drop(stage.play(&decided, 3, |actor| actor.cell.row.expected.second_arrives));
    let visits = stage.daemon.visits(&stage.network) - before;
    if visits != 0 {
        for actor in &decided {
            let before = stage.daemon.visits(&stage.network);
            drop(stage.play(&[actor], 4, |actor| actor.cell.row.expected.second_arrives));
            if stage.daemon.visits(&stage.network) != before {
                stage.faults.push(format!("{actor}: visited user space although it was decided"));
            }
        }
        stage.faults.push(format!("{visits} packets of decided flows visited user space"));
    }
    let undecided = of(&|actor| actor.cell.row.expected.second_visits);
    let before = stage.daemon.visits(&stage.network);
    drop(stage.play(&undecided, 3, |actor| actor.cell.row.expected.second_arrives));
    let visits = stage.daemon.visits(&stage.network) - before;
    if visits != undecided.len() as u64 {
        stage.faults.push(format!("{} undecided packets made {visits} visits to user space", undecided.len()));
    }
    assert!(stage.faults.is_empty(), "{} faults:\n{}", stage.faults.len(), stage.faults.join("\n"));
}

#[test]
fn log_guard_learning() {
    run(Mode::Log, Learning::On, Placement::Guard);
}

#[test]
fn log_guard_enforcing() {
    run(Mode::Log, Learning::Off, Placement::Guard);
}

#[test]
fn log_fallback_learning() {
    run(Mode::Log, Learning::On, Placement::Fallback);
}

#[test]
fn log_fallback_enforcing() {
    run(Mode::Log, Learning::Off, Placement::Fallback);
}

#[test]
fn queue_guard_learning() {
    run(Mode::Queue, Learning::On, Placement::Guard);
}

#[test]
fn queue_guard_enforcing() {
    run(Mode::Queue, Learning::Off, Placement::Guard);
}

#[test]
fn queue_fallback_learning() {
    run(Mode::Queue, Learning::On, Placement::Fallback);
}

#[test]
fn queue_fallback_enforcing() {
    run(Mode::Queue, Learning::Off, Placement::Fallback);
}
