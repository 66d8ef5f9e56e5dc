//! Which packets of a capture begin connections: what connection tracking does for live traffic, in small.
//!
//! Only packets that open a connection from a device count. Skipped are replies of conversations already seen, TCP that
//! was under way when the capture began, later fragments, and ICMP that is an answer or housekeeping. The same packets
//! give the same answers, and memory is bounded by [`MAX_CONVERSATIONS`].

use std::net::IpAddr;
use std::time::Duration;

use lru::LruCache;

use crate::flow::{Mac, Monotonic, Protocol};
use crate::wire::{Facts, Stage};

/// Conversations remembered at a time; the least recently active is forgotten first. About 100 bytes each.
pub const MAX_CONVERSATIONS: usize = 65_536;

/// A conversation that was silent for so long is over: what follows opens another.
pub const IDLE: Duration = Duration::from_secs(5 * 60);

const IGMP: Protocol = Protocol(2);

/// Tells opening packets from the rest.
#[derive(Debug)]
pub struct Tracker {
    /// When each conversation was last active.
    conversations: LruCache<Conversation, Monotonic>,
    limit: usize,
}

/// Both directions of a conversation are one: the lower of its two ends stands first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Conversation {
    protocol: Protocol,
    ends: [(IpAddr, u16); 2],
}

impl Conversation {
    fn of(facts: &Facts) -> Conversation {
        let from = (facts.source, facts.source_port);
        let to = (facts.destination, facts.port);
        // What answers an ICMP request is told by its type, and two hosts that ping each other do two things.
        let ordered = facts.protocol.has_icmp_types() || from <= to;
        Conversation { protocol: facts.protocol, ends: if ordered { [from, to] } else { [to, from] } }
    }
}

impl Default for Tracker {
    fn default() -> Tracker {
        Tracker::new()
    }
}

impl Tracker {
    pub fn new() -> Tracker {
        Tracker::with_limit(MAX_CONVERSATIONS)
    }

    /// Grows with what it is shown, up to `limit` conversations.
    fn with_limit(limit: usize) -> Tracker {
        Tracker { conversations: LruCache::unbounded(), limit }
    }

    /// Whether this packet, sent by `mac` at the moment `at`, opens a connection of that device.
    ///
    /// Packets are to be shown in the order of the capture; a clock that goes back does no harm.
    pub fn opens(&mut self, mac: Mac, facts: &Facts, at: Monotonic) -> bool {
        if facts.stage == Stage::LaterFragment || mac.is_multicast() || !asks(facts) {
            return false;
        }
        let conversation = Conversation::of(facts);
        if let Some(active) = self.conversations.get_mut(&conversation) {
            let over = at.since(*active) >= IDLE;
            *active = at.max(*active);
            return over && facts.stage == Stage::Opening;
        }
        if facts.stage != Stage::Opening {
            return false;
        }
        if self.conversations.len() >= self.limit {
            self.conversations.pop_lru();
        }
        self.conversations.put(conversation, at);
        true
    }
}

/// Whether a packet of this kind can begin anything.
///
/// Of ICMP and ICMPv6 these types can, the same for which the kernel makes a new connection: echo (8), timestamp (13),
/// information (15) and address mask (17) requests; ICMPv6 echo request (128) and node information query (139).
/// The others are answers (0, 14, 16, 18; 129, 140), errors and redirects (3–5, 11, 12; 1–4, 137), or housekeeping of the
/// link: router and neighbour discovery (9, 10; 133–136), multicast listeners (130–132, 143; all of IGMP), or
/// nothing the kernel would let pass as new.
fn asks(facts: &Facts) -> bool {
    match facts.protocol {
        Protocol::ICMP => matches!(facts.port, 8 | 13 | 15 | 17),
        Protocol::ICMPV6 => matches!(facts.port, 128 | 139),
        IGMP => false,
        _ => true,
    }
}
