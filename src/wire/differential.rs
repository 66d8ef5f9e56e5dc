//! Our reading held against etherparse's, on packets it builds and on the same packets mutated.
//!
//! Where the two differ on purpose, either [`theirs`] translates or [`DIFFERENCES`] says so:
//! - AH is a protocol here and a header to skip there: theirs is read up to it.
//! - A first fragment has ports here, none there; a later one may go on with extension headers there.
//! - Extension headers are bounded here.
//! - SCTP, DCCP and UDP-Lite are unknown there: their ports are read from its payload.
//! - UDP's length and the fixed length of ICMP timestamps are checked there only: they change no fact.

use etherparse::{
    IpNumber, Ipv6FragmentHeaderSlice, Ipv6Header, Ipv6RawExtHeaderSlice, LaxNetSlice, LaxSlicedPacket, LenSource,
    TcpHeaderSlice, UdpHeaderSlice,
};
use proptest::collection::vec;
use proptest::prelude::*;

use self::plan::{mutated, plan};
use super::extension::MAX_HEADERS;
use super::{Facts, Header, Malformed, Stage, facts};
use crate::flow::Protocol;

mod plan;

/// A disagreement that is meant: whether it is one, from our reading, theirs, and whether they took the bytes at hand
/// for the packet because its length field did not fit.
type Difference = fn(&Result<Facts, Malformed>, &Option<Facts>, bool) -> bool;

const DIFFERENCES: &[(&str, Difference)] = &[
    (
        "a total length below the header's is refused here; there it counts as left open, as only 0 does here",
        |ours, _, open| *ours == Err(Malformed::Length(Header::Ipv4)) && open,
    ),
    ("TCP options may be cut off by the capture here", |ours, theirs, open| {
        theirs.is_none() && open && ours.is_ok_and(|facts| facts.protocol == Protocol::TCP)
    }),
];

/// Their reading, and whether they took the bytes at hand for the packet.
fn theirs(bytes: &[u8]) -> (Option<Facts>, bool) {
    let Ok(packet) = LaxSlicedPacket::from_ip(bytes) else { return (None, false) };
    let Some(net) = packet.net else { return (None, false) };
    let payload = net.ip_payload_ref().unwrap().clone();
    let open = payload.len_source == LenSource::Slice;
    let (source, destination, protocol, later_fragment) = match &net {
        LaxNetSlice::Ipv4(packet) => {
            let header = packet.header();
            let later = header.fragments_offset().value() != 0;
            (header.source_addr().into(), header.destination_addr().into(), header.protocol(), later)
        }
        LaxNetSlice::Ipv6(packet) => {
            let header = packet.header();
            let body = &bytes[Ipv6Header::LEN..];
            let body = match usize::from(header.payload_length()) {
                0 => body,
                claimed => &body[..claimed.min(body.len())],
            };
            let Some((protocol, later, rest)) = upper(header.next_header(), body) else { return (None, open) };
            if !later && protocol != IpNumber::AUTHENTICATION_HEADER {
                // Their own walk, over the whole packet, leads there too.
                assert_eq!((payload.ip_number, payload.payload), (protocol, rest), "{bytes:02x?}");
            }
            (header.source_addr().into(), header.destination_addr().into(), protocol, later)
        }
        LaxNetSlice::Arp(_) => unreachable!("from_ip reads IP"),
    };
    let upper = if later_fragment { Some((0, 0, Stage::LaterFragment)) } else { transport(protocol, payload.payload) };
    let protocol = Protocol(protocol.0);
    let facts =
        upper.map(|(source_port, port, stage)| Facts { source, destination, protocol, source_port, port, stage });
    (facts, open)
}

/// Where the extension headers lead, up to AH or a later fragment, header by header; `None` if they cannot be read.
/// (Their iterator over headers of a malformed packet reads out of bounds in 0.21, so it is not used here.)
fn upper(mut next: IpNumber, mut body: &[u8]) -> Option<(IpNumber, bool, &[u8])> {
    for position in 0.. {
        match next {
            IpNumber::IPV6_HEADER_HOP_BY_HOP if position > 0 => return None,
            IpNumber::IPV6_HEADER_HOP_BY_HOP
            | IpNumber::IPV6_ROUTE_HEADER
            | IpNumber::IPV6_DESTINATION_OPTIONS
            | IpNumber::IPV6_FRAGMENTATION_HEADER
                if position >= MAX_HEADERS =>
            {
                return None;
            }
            IpNumber::IPV6_HEADER_HOP_BY_HOP | IpNumber::IPV6_ROUTE_HEADER | IpNumber::IPV6_DESTINATION_OPTIONS => {
                let header = Ipv6RawExtHeaderSlice::from_slice(body).ok()?;
                (next, body) = (header.next_header(), &body[header.slice().len()..]);
            }
            IpNumber::IPV6_FRAGMENTATION_HEADER => {
                let header = Ipv6FragmentHeaderSlice::from_slice(body).ok()?;
                (next, body) = (header.next_header(), &body[header.slice().len()..]);
                if header.fragment_offset().value() != 0 {
                    return Some((next, true, body));
                }
            }
            _ => break,
        }
    }
    Some((next, false, body))
}

fn transport(protocol: IpNumber, payload: &[u8]) -> Option<(u16, u16, Stage)> {
    let ports = |fixed| {
        let at = |at| u16::from_be_bytes([payload[at], payload[at + 1]]);
        (payload.len() >= fixed).then(|| (at(0), at(2), Stage::Opening))
    };
    match protocol {
        IpNumber::TCP => {
            let header = TcpHeaderSlice::from_slice(payload).ok()?;
            let opens = header.syn() && !header.ack() && !header.rst() && !header.fin();
            let stage = if opens { Stage::Opening } else { Stage::MidStream };
            Some((header.source_port(), header.destination_port(), stage))
        }
        IpNumber::UDP => {
            let header = UdpHeaderSlice::from_slice(payload).ok()?;
            Some((header.source_port(), header.destination_port(), Stage::Opening))
        }
        IpNumber::UDP_LITE => ports(8),
        IpNumber::SCTP | IpNumber::DCCP => ports(12),
        IpNumber::ICMP | IpNumber::IPV6_ICMP => (payload.len() >= 8).then(|| (0, payload[0].into(), Stage::Opening)),
        _ => Some((0, 0, Stage::Opening)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::effort::times(2048, 64)))]

    #[test]
    fn what_they_build_both_read_alike(plan in plan()) {
        let bytes = plan.build();
        prop_assert_eq!(facts(&bytes), Ok(plan.expected()));
        prop_assert_eq!(theirs(&bytes).0, Some(plan.expected()));
    }

    #[test]
    fn what_is_mutated_both_read_alike_but_for_the_differences(bytes in mutated()) {
        let ours = facts(&bytes);
        let (theirs, open) = theirs(&bytes);
        if ours.ok() != theirs {
            let meant = DIFFERENCES.iter().any(|(_, holds)| holds(&ours, &theirs, open));
            prop_assert!(meant, "ours {ours:?}, theirs {theirs:?}, open {open}, {bytes:02x?}");
        }
    }

    #[test]
    fn any_bytes_have_facts_or_not_but_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _ = facts(&bytes);
        let _ = super::ethernet::Ethernet::new_checked(&bytes).map(|frame| frame.ip().map(facts));
        let _ = super::cooked::Cooked::new_checked_v1(&bytes).map(|frame| frame.ip().map(facts));
        let _ = super::cooked::Cooked::new_checked_v2(&bytes).map(|frame| frame.ip().map(facts));
    }

    #[test]
    fn a_prefix_says_the_same_or_nothing(bytes in mutated(), end in any::<prop::sample::Index>()) {
        // A capture length changes no fact. (Where the length was left open, the bytes at hand are the packet.)
        if let Ok(part) = facts(&bytes[..end.index(bytes.len() + 1)]) {
            prop_assert_eq!(facts(&bytes), Ok(part));
        }
    }
}
