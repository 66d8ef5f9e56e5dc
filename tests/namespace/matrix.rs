//! What becomes of the first packet: the expected table, as data.
//!
//! {log, queue} × {learning, enforcing} × {guard, fallback} × {new, pending, allowed, denied} × {UDP, TCP, ICMP} ×
//! {IPv4, IPv6}: 192 cells. Neither the protocol nor the family changes what is expected, so [`ROWS`] has a row for each of
//! the other 32 combinations and [`cells`] spreads them.
//!
//! All 192 occur. Those that need a detour or a reading:
//! - *pending* while *learning*: learning makes no flow pending that has room; such flows come from a time of
//!   enforcement, so that is how they are made here.
//! - *enforcing* in *queue* mode occurs with `inline_mode 1` only: with `auto` the queue is gone once learning ends.
//! - *guard* stands before a firewall that accepts lan→wan, *fallback* before one that refuses it. The other two pairings
//!   have no cells: guard there never passes anything, fallback there never sees anything.
//! - *TCP*: the packet is the SYN. *ICMP*: the packet is an echo request, of type 8 in ICMP and 128 in ICMPv6.

use glacic::flow::{Protocol, State};

use crate::kit::network::Family;
use crate::kit::{Mode, Placement};

use Before::{Allowed, Denied, New, Pending};
use Mode::{Log, Queue};
use Placement::{Fallback, Guard};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Learning {
    On,
    Off,
}

impl Learning {
    pub const ALL: [Learning; 2] = [Learning::On, Learning::Off];
}

/// The flow before its first packet of the test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Before {
    New,
    Pending,
    Allowed,
    Denied,
}

impl Before {
    pub const ALL: [Before; 4] = [New, Pending, Allowed, Denied];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Udp,
    Tcp,
    Icmp,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Udp, Kind::Tcp, Kind::Icmp];

    pub fn protocol(self, family: Family) -> Protocol {
        match (self, family) {
            (Kind::Udp, _) => Protocol::UDP,
            (Kind::Tcp, _) => Protocol::TCP,
            (Kind::Icmp, Family::V4) => Protocol::ICMP,
            (Kind::Icmp, Family::V6) => Protocol::ICMPV6,
        }
    }
}

/// What must happen. The second packet opens another connection of the same flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    pub first_arrives: bool,
    pub after: State,
    pub second_arrives: bool,
    /// The second packet is shown to user space.
    pub second_visits: bool,
}

#[derive(Debug, Clone, Copy)]
pub struct Row {
    pub mode: Mode,
    pub learning: Learning,
    pub placement: Placement,
    pub before: Before,
    pub expected: Expected,
}

#[derive(Debug, Clone, Copy)]
pub struct Cell {
    pub row: Row,
    pub kind: Kind,
    pub family: Family,
}

const ARRIVES: bool = true;
const LOST: bool = false;
const VISITS: bool = true;
const STAYS: bool = false;

/// One row: mode, learning, placement, before; then first packet, state after it, second packet, and where that goes.
#[rustfmt::skip]
pub const ROWS: [Row; 32] = [
    row(Log,   Learning::On,  Guard,    New,     ARRIVES, State::Allowed, ARRIVES, STAYS),
    row(Log,   Learning::On,  Guard,    Pending, ARRIVES, State::Pending, ARRIVES, VISITS),
    row(Log,   Learning::On,  Guard,    Allowed, ARRIVES, State::Allowed, ARRIVES, STAYS),
    row(Log,   Learning::On,  Guard,    Denied,  LOST,    State::Denied,  LOST,    STAYS),
    // The one loss that the queue is for: a copy comes too late to open anything for the packet itself.
    row(Log,   Learning::On,  Fallback, New,     LOST,    State::Allowed, ARRIVES, STAYS),
    // Nobody has decided, and a copy opens nothing: only a decision lets such a flow pass.
    row(Log,   Learning::On,  Fallback, Pending, LOST,    State::Pending, LOST,    VISITS),
    row(Log,   Learning::On,  Fallback, Allowed, ARRIVES, State::Allowed, ARRIVES, STAYS),
    row(Log,   Learning::On,  Fallback, Denied,  LOST,    State::Denied,  LOST,    STAYS),
    row(Log,   Learning::Off, Guard,    New,     LOST,    State::Pending, LOST,    VISITS),
    row(Log,   Learning::Off, Guard,    Pending, LOST,    State::Pending, LOST,    VISITS),
    row(Log,   Learning::Off, Guard,    Allowed, ARRIVES, State::Allowed, ARRIVES, STAYS),
    row(Log,   Learning::Off, Guard,    Denied,  LOST,    State::Denied,  LOST,    STAYS),
    row(Log,   Learning::Off, Fallback, New,     LOST,    State::Pending, LOST,    VISITS),
    row(Log,   Learning::Off, Fallback, Pending, LOST,    State::Pending, LOST,    VISITS),
    row(Log,   Learning::Off, Fallback, Allowed, ARRIVES, State::Allowed, ARRIVES, STAYS),
    row(Log,   Learning::Off, Fallback, Denied,  LOST,    State::Denied,  LOST,    STAYS),
    row(Queue, Learning::On,  Guard,    New,     ARRIVES, State::Allowed, ARRIVES, STAYS),
    row(Queue, Learning::On,  Guard,    Pending, ARRIVES, State::Pending, ARRIVES, VISITS),
    row(Queue, Learning::On,  Guard,    Allowed, ARRIVES, State::Allowed, ARRIVES, STAYS),
    row(Queue, Learning::On,  Guard,    Denied,  LOST,    State::Denied,  LOST,    STAYS),
    row(Queue, Learning::On,  Fallback, New,     ARRIVES, State::Allowed, ARRIVES, STAYS),
    row(Queue, Learning::On,  Fallback, Pending, ARRIVES, State::Pending, ARRIVES, VISITS),
    row(Queue, Learning::On,  Fallback, Allowed, ARRIVES, State::Allowed, ARRIVES, STAYS),
    row(Queue, Learning::On,  Fallback, Denied,  LOST,    State::Denied,  LOST,    STAYS),
    row(Queue, Learning::Off, Guard,    New,     LOST,    State::Pending, LOST,    VISITS),
    row(Queue, Learning::Off, Guard,    Pending, LOST,    State::Pending, LOST,    VISITS),
    row(Queue, Learning::Off, Guard,    Allowed, ARRIVES, State::Allowed, ARRIVES, STAYS),
    row(Queue, Learning::Off, Guard,    Denied,  LOST,    State::Denied,  LOST,    STAYS),
    row(Queue, Learning::Off, Fallback, New,     LOST,    State::Pending, LOST,    VISITS),
    row(Queue, Learning::Off, Fallback, Pending, LOST,    State::Pending, LOST,    VISITS),
    row(Queue, Learning::Off, Fallback, Allowed, ARRIVES, State::Allowed, ARRIVES, STAYS),
    row(Queue, Learning::Off, Fallback, Denied,  LOST,    State::Denied,  LOST,    STAYS),
];

#[allow(clippy::too_many_arguments, reason = "the columns of a table")]
const fn row(
    mode: Mode,
    learning: Learning,
    placement: Placement,
    before: Before,
    first_arrives: bool,
    after: State,
    second_arrives: bool,
    second_visits: bool,
) -> Row {
    let expected = Expected { first_arrives, after, second_arrives, second_visits };
    Row { mode, learning, placement, before, expected }
}

/// Every cell of the table.
pub fn cells() -> impl Iterator<Item = Cell> {
    ROWS.into_iter().flat_map(|row| {
        Kind::ALL.into_iter().flat_map(move |kind| Family::ALL.map(|family| Cell { row, kind, family }))
    })
}

#[test]
fn the_table_has_every_cell_once() {
    let mut seen = std::collections::HashSet::new();
    for Cell { row, kind, family } in cells() {
        assert!(seen.insert((row.mode, row.learning, row.placement, row.before, kind, family)), "twice: {row:?}");
    }
    assert_eq!(seen.len(), 192);
    for mode in Mode::ALL {
        for learning in Learning::ALL {
            for placement in Placement::ALL {
                for before in Before::ALL {
                    for kind in Kind::ALL {
                        for family in Family::ALL {
                            let cell = (mode, learning, placement, before, kind, family);
                            assert!(seen.contains(&cell), "missing: {cell:?}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn the_table_keeps_the_promises() {
    for row in ROWS {
        let Expected { first_arrives, after, second_arrives, second_visits } = row.expected;
        assert_eq!(second_visits, after == State::Pending, "decided flows stay in the kernel: {row:?}");
        assert!(!second_arrives || after != State::Denied, "denied flows never pass: {row:?}");
        if row.learning == Learning::Off {
            assert_eq!(first_arrives, row.before == Allowed, "enforcing, only allowed flows pass: {row:?}");
        }
        if row.placement == Guard && row.learning == Learning::On {
            assert_eq!(first_arrives, row.before != Denied, "learning in guard is not noticed: {row:?}");
        }
    }
}
