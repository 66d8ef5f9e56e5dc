//! What stays when the daemon is gone, by an orderly stop or without warning: `fail_mode` decides, and it never opens
//! what the firewall closes.

use glacic::flow::{Port, Protocol};

use crate::kit::network::Family;
use crate::kit::server::UdpServer;
use crate::kit::{Daemon, Mode, Placement, home, settle};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FailMode {
    Open,
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// TERM; then the firewall takes note.
    Stop,
    /// KILL.
    Crash,
}

/// Which first packets arrive afterwards: of an allowed, an unknown and a denied flow.
struct Row {
    placement: Placement,
    mode: Mode,
    fail_mode: FailMode,
    end: End,
    arrives: [bool; 3],
}

const fn row(placement: Placement, mode: Mode, fail_mode: FailMode, end: End, arrives: [bool; 3]) -> Row {
    Row { placement, mode, fail_mode, end, arrives }
}

const YES: bool = true;
const NO: bool = false;

/// While enforcing. A dead queue with `open` lets the undecided go on to fw4, a dead log reader changes nothing.
#[rustfmt::skip]
const ROWS: [Row; 16] = [
    row(Placement::Guard,    Mode::Log,   FailMode::Open,   End::Stop,  [YES, YES, YES]),
    row(Placement::Guard,    Mode::Queue, FailMode::Open,   End::Stop,  [YES, YES, YES]),
    row(Placement::Guard,    Mode::Log,   FailMode::Closed, End::Stop,  [YES, NO,  NO]),
    row(Placement::Guard,    Mode::Queue, FailMode::Closed, End::Stop,  [YES, NO,  NO]),
    row(Placement::Guard,    Mode::Log,   FailMode::Open,   End::Crash, [YES, NO,  NO]),
    row(Placement::Guard,    Mode::Queue, FailMode::Open,   End::Crash, [YES, YES, NO]),
    row(Placement::Guard,    Mode::Log,   FailMode::Closed, End::Crash, [YES, NO,  NO]),
    row(Placement::Guard,    Mode::Queue, FailMode::Closed, End::Crash, [YES, NO,  NO]),
    row(Placement::Fallback, Mode::Log,   FailMode::Open,   End::Stop,  [NO,  NO,  NO]),
    row(Placement::Fallback, Mode::Queue, FailMode::Open,   End::Stop,  [NO,  NO,  NO]),
    row(Placement::Fallback, Mode::Log,   FailMode::Closed, End::Stop,  [NO,  NO,  NO]),
    row(Placement::Fallback, Mode::Queue, FailMode::Closed, End::Stop,  [NO,  NO,  NO]),
    row(Placement::Fallback, Mode::Log,   FailMode::Open,   End::Crash, [YES, NO,  NO]),
    row(Placement::Fallback, Mode::Queue, FailMode::Open,   End::Crash, [YES, NO,  NO]),
    row(Placement::Fallback, Mode::Log,   FailMode::Closed, End::Crash, [YES, NO,  NO]),
    row(Placement::Fallback, Mode::Queue, FailMode::Closed, End::Crash, [YES, NO,  NO]),
];

fn run(row: &Row) {
    let Row { placement, mode, fail_mode, end, arrives } = *row;
    let what = format!("{placement:?} {mode:?} {fail_mode:?} {end:?}");
    let (network, fw4, config) = home(1, mode, placement);
    let mut config = config.learning(false);
    if fail_mode == FailMode::Closed {
        config = config.closed(&network);
    }
    let daemon = Daemon::start(&network, &fw4, &config);
    let station = network.station(0);
    daemon.control.allow(station.mac, Protocol::UDP, Port::Number(4000));
    daemon.control.deny(station.mac, Protocol::UDP, Port::Number(4002));
    daemon.control.decided_in_kernel(2);
    let servers = [4000, 4001, 4002].map(|port| UdpServer::new(&network.server, port));
    let send = |number: u64| {
        for port in [4000, 4001, 4002] {
            network.send_udp(station, network.at_server(Family::V4, port), number);
        }
        settle();
        servers.each_ref().map(|server| server.has(number))
    };
    assert_eq!(send(1), [YES, NO, NO], "{what}: while it runs");
    match end {
        End::Stop => {
            let (status, _) = daemon.stop();
            assert!(status.success(), "{what}: {status}");
            assert!(!config.run_directory.join("forward/glacic.nft").exists(), "{what}: the include is withdrawn");
            fw4.reload(&network);
        }
        End::Crash => daemon.kill(),
    }
    assert_eq!(send(2), arrives, "{what}: afterwards");

    // Whatever was left behind, a new daemon takes it over.
    let again = Daemon::start(&network, &fw4, &config);
    again.control.decided_in_kernel(2);
    assert_eq!(send(3), [YES, NO, NO], "{what}: when it is back");
}

#[test]
fn after_a_stop() {
    ROWS.iter().filter(|row| row.end == End::Stop).for_each(run);
}

#[test]
fn after_a_crash() {
    ROWS.iter().filter(|row| row.end == End::Crash).for_each(run);
}
