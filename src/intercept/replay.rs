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

/// Conversations remembered at a time; the least recently active is forgotten first.
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

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: Mac = Mac([0xb8, 0x27, 0xeb, 0, 0, 1]);
    const ROUTER: Mac = Mac([2, 0, 0, 0, 0, 1]);
    const UDP: Protocol = Protocol::UDP;
    const TCP: Protocol = Protocol::TCP;

    const fn at(seconds: u64) -> Monotonic {
        Monotonic::from_secs(seconds)
    }

    /// From the device, 10.0.0.2, to 192.0.2.1.
    fn out(protocol: Protocol, ports: (u16, u16), stage: Stage) -> Facts {
        let (source, destination) = ([10, 0, 0, 2].into(), [192, 0, 2, 1].into());
        Facts { source, destination, protocol, source_port: ports.0, port: ports.1, stage }
    }

    /// The other way, for protocols with ports.
    fn back(facts: Facts, stage: Stage) -> Facts {
        let Facts { source, destination, protocol, source_port, port, .. } = facts;
        Facts { source: destination, destination: source, protocol, source_port: port, port: source_port, stage }
    }

    #[test]
    fn a_conversation_opens_once_whoever_answers() {
        let mut tracker = Tracker::new();
        let query = out(UDP, (40000, 53), Stage::Opening);
        assert!(tracker.opens(DEVICE, &query, at(0)));
        assert!(!tracker.opens(ROUTER, &back(query, Stage::Opening), at(1)));
        assert!(!tracker.opens(DEVICE, &query, at(2)));
        assert!(tracker.opens(DEVICE, &out(UDP, (40001, 53), Stage::Opening), at(3)));
    }

    #[test]
    fn whoever_speaks_first_opens() {
        let mut tracker = Tracker::new();
        let query = out(UDP, (40000, 53), Stage::Opening);
        assert!(tracker.opens(ROUTER, &back(query, Stage::Opening), at(0)));
        assert!(!tracker.opens(DEVICE, &query, at(0)));
    }

    #[test]
    fn a_conversation_is_over_after_five_silent_minutes() {
        let mut tracker = Tracker::new();
        let query = out(UDP, (40000, 53), Stage::Opening);
        assert!(tracker.opens(DEVICE, &query, at(0)));
        assert!(!tracker.opens(DEVICE, &query, at(299)));
        assert!(!tracker.opens(ROUTER, &back(query, Stage::Opening), at(598)));
        assert!(tracker.opens(DEVICE, &query, at(898)));
    }

    #[test]
    fn tcp_opens_with_a_syn_and_never_in_mid_stream() {
        let mut tracker = Tracker::new();
        let syn = out(TCP, (50000, 443), Stage::Opening);
        assert!(!tracker.opens(DEVICE, &out(TCP, (50000, 443), Stage::MidStream), at(0)));
        assert!(tracker.opens(DEVICE, &syn, at(1)));
        assert!(!tracker.opens(DEVICE, &syn, at(2)), "sent again");
        assert!(!tracker.opens(ROUTER, &back(syn, Stage::MidStream), at(3)));
        assert!(!tracker.opens(DEVICE, &out(TCP, (50000, 443), Stage::MidStream), at(1000)), "silent for long");
    }

    #[test]
    fn a_later_fragment_opens_nothing_and_is_no_conversation() {
        let mut tracker = Tracker::new();
        assert!(!tracker.opens(DEVICE, &out(UDP, (0, 0), Stage::LaterFragment), at(0)));
        assert_eq!(tracker.conversations.len(), 0);
    }

    #[test]
    fn of_icmp_only_requests_open() {
        let mut tracker = Tracker::new();
        for (protocol, requests) in [(Protocol::ICMP, &[8, 13, 15, 17][..]), (Protocol::ICMPV6, &[128, 139])] {
            let opened: Vec<u16> = (0..=255)
                .filter(|kind| tracker.opens(DEVICE, &out(protocol, (0, *kind), Stage::Opening), at(0)))
                .collect();
            assert_eq!(opened, requests, "{protocol}");
        }
        assert!(!tracker.opens(DEVICE, &out(IGMP, (0, 0), Stage::Opening), at(0)));
    }

    #[test]
    fn two_hosts_that_ping_each_other_open_two_connections() {
        let mut tracker = Tracker::new();
        let ping = out(Protocol::ICMP, (0, 8), Stage::Opening);
        let other = Facts { source: ping.destination, destination: ping.source, ..ping };
        assert!(tracker.opens(DEVICE, &ping, at(0)));
        assert!(tracker.opens(ROUTER, &other, at(0)));
        assert!(!tracker.opens(DEVICE, &ping, at(1)));
    }

    #[test]
    fn a_group_address_sends_nothing() {
        let query = out(UDP, (40000, 53), Stage::Opening);
        assert!(!Tracker::new().opens(Mac([0xff; 6]), &query, at(0)));
        assert!(!Tracker::new().opens(Mac([1, 0, 0x5e, 0, 0, 1]), &query, at(0)));
    }

    #[test]
    fn memory_is_bounded_and_the_least_active_is_forgotten() {
        let mut tracker = Tracker::with_limit(2);
        let query = |port| out(UDP, (port, 53), Stage::Opening);
        assert!(tracker.opens(DEVICE, &query(1), at(0)));
        assert!(tracker.opens(DEVICE, &query(2), at(0)));
        assert!(!tracker.opens(DEVICE, &query(1), at(0)));
        assert!(tracker.opens(DEVICE, &query(3), at(0)), "2 is forgotten");
        assert!(!tracker.opens(DEVICE, &query(1), at(0)));
        assert!(tracker.opens(DEVICE, &query(2), at(0)));
        assert_eq!(tracker.conversations.len(), 2);
    }

    #[test]
    fn a_clock_that_goes_back_does_no_harm() {
        let mut tracker = Tracker::new();
        let query = out(UDP, (40000, 53), Stage::Opening);
        assert!(tracker.opens(DEVICE, &query, at(1000)));
        assert!(!tracker.opens(DEVICE, &query, at(0)));
        assert!(!tracker.opens(DEVICE, &query, at(1200)));
    }
}
