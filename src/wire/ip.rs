//! From the IP header to [`Facts`]: picks the version, walks to the transport header, reads its ports or its type.

use std::net::IpAddr;

use super::extension::{self, Upper};
use super::icmp::Icmp;
use super::ipv4::Ipv4;
use super::ipv6::Ipv6;
use super::ports::Ports;
use super::tcp::Tcp;
use super::{Facts, Header, Malformed, Stage};
use crate::flow::Protocol;

/// What follows an IP header: the bytes at hand, never more than the header claimed for it.
#[derive(Debug, Clone, Copy)]
pub struct Body<'a> {
    bytes: &'a [u8],
    /// How long it claims to be; the capture may have cut it shorter. `None`: it claims nothing.
    claimed: Option<usize>,
}

impl<'a> Body<'a> {
    pub(super) fn new(rest: &'a [u8], claimed: Option<usize>) -> Body<'a> {
        let bytes = claimed.and_then(|claimed| rest.get(..claimed)).unwrap_or(rest);
        Body { bytes, claimed }
    }

    pub const fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// The fixed part of `header`, which stands at the beginning.
    pub(super) fn first_chunk<const N: usize>(self, header: Header) -> Result<&'a [u8; N], Malformed> {
        self.bytes.first_chunk().ok_or_else(|| self.lacks(N, header))
    }

    /// What follows the first `length` bytes, which are `header`'s.
    pub(super) fn skip(self, length: usize, header: Header) -> Result<Body<'a>, Malformed> {
        let bytes = self.bytes.get(length..).ok_or_else(|| self.lacks(length, header))?;
        Ok(Body { bytes, claimed: self.claimed.map(|claimed| claimed.saturating_sub(length)) })
    }

    /// Refuses a `header` of `length` bytes that the packet itself has no room for. A capture may have cut it off.
    pub(super) fn has_room(self, length: usize, header: Header) -> Result<(), Malformed> {
        match self.claimed {
            Some(claimed) if claimed < length => Err(Malformed::Overrun(header)),
            _ => Ok(()),
        }
    }

    /// Why `length` bytes of `header` are not at hand: the packet has no room for them, or it was cut off.
    fn lacks(self, length: usize, header: Header) -> Malformed {
        self.has_room(length, header).err().unwrap_or(Malformed::Truncated(header))
    }
}

/// The facts of a packet whose bytes begin with the IP header; the version is in the first nibble.
///
/// The bytes may end before the packet does (a capture length, a copy range), as long as all headers are there, and go
/// on behind it (padding). A first fragment that does not hold its transport header is malformed: that is how ports
/// are hidden (RFC 1858).
pub fn facts(bytes: &[u8]) -> Result<Facts, Malformed> {
    let first = bytes.first().ok_or(Malformed::Truncated(Header::Ipv4))?;
    let (source, destination, upper): (IpAddr, IpAddr, Upper<'_>) = match first >> 4 {
        4 => {
            let packet = Ipv4::new_checked(bytes)?;
            let upper =
                Upper { protocol: packet.protocol(), later_fragment: packet.is_later_fragment(), body: packet.body() };
            (packet.source().into(), packet.destination().into(), upper)
        }
        6 => {
            let packet = Ipv6::new_checked(bytes)?;
            let upper = extension::walk(packet.next_header(), packet.body())?;
            (packet.source().into(), packet.destination().into(), upper)
        }
        version => return Err(Malformed::Version(version)),
    };
    let (source_port, port, stage) = transport(upper)?;
    Ok(Facts { source, destination, protocol: upper.protocol, source_port, port, stage })
}

/// Source port, destination port or type, and stage.
fn transport(upper: Upper<'_>) -> Result<(u16, u16, Stage), Malformed> {
    if upper.later_fragment {
        return Ok((0, 0, Stage::LaterFragment));
    }
    let ports = |header| {
        let ports = Ports::new_checked(upper.body, header)?;
        Ok((ports.source(), ports.destination(), Stage::Opening))
    };
    let kind = |header| Ok((0, u16::from(Icmp::new_checked(upper.body, header)?.kind()), Stage::Opening));
    match upper.protocol {
        Protocol::TCP => {
            let segment = Tcp::new_checked(upper.body)?;
            Ok((segment.source(), segment.destination(), segment.stage()))
        }
        Protocol::UDP => ports(Header::Udp),
        Protocol::UDPLITE => ports(Header::UdpLite),
        Protocol::SCTP => ports(Header::Sctp),
        Protocol::DCCP => ports(Header::Dccp),
        Protocol::ICMP => kind(Header::Icmp),
        Protocol::ICMPV6 => kind(Header::Icmpv6),
        _ => Ok((0, 0, Stage::Opening)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 10.0.0.1 to 192.0.2.1 with `protocol` and flags/offset of fragments.
    fn v4(protocol: u8, fragment: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes =
            vec![0x45, 0, 0, 20 + body.len() as u8, 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 192, 0, 2, 1];
        bytes[6..8].copy_from_slice(&fragment.to_be_bytes());
        bytes.extend(body);
        bytes
    }

    /// fd00::1 to 2001:db8::1.
    fn v6(next: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x60, 0, 0, 0, 0, body.len() as u8, next, 64];
        bytes.extend("fd00::1".parse::<std::net::Ipv6Addr>().unwrap().octets());
        bytes.extend("2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap().octets());
        bytes.extend(body);
        bytes
    }

    const SYN: [u8; 20] = [0xc3, 0x50, 0x01, 0xbb, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0, 0, 0, 0, 0, 0];
    const DNS: [u8; 8] = [0xc3, 0x50, 0, 53, 0, 8, 0, 0];
    const MORE: u16 = 0x2000;

    fn read(bytes: &[u8]) -> Result<(u8, u16, u16, Stage), Malformed> {
        facts(bytes).map(|facts| (facts.protocol.0, facts.source_port, facts.port, facts.stage))
    }

    #[test]
    fn a_syn_opens_over_either_version() {
        let expected = Ok((6, 50000, 443, Stage::Opening));
        assert_eq!(read(&v4(6, 0, &SYN)), expected);
        assert_eq!(read(&v6(6, &SYN)), expected);
        assert_eq!(facts(&v4(6, 0, &SYN)).unwrap().destination.to_string(), "192.0.2.1");
        assert_eq!(facts(&v6(6, &SYN)).unwrap().source.to_string(), "fd00::1");
    }

    #[test]
    fn icmp_has_its_type_for_a_port() {
        let echo = [8, 0, 0, 0, 0, 1, 0, 1];
        assert_eq!(read(&v4(1, 0, &echo)), Ok((1, 0, 8, Stage::Opening)));
        let echo = [128, 0, 0, 0, 0, 1, 0, 1];
        assert_eq!(read(&v6(58, &echo)), Ok((58, 0, 128, Stage::Opening)));
    }

    #[test]
    fn every_protocol_with_ports_is_read() {
        let body = [DNS.as_slice(), &[0; 4]].concat();
        for protocol in (0..=255).map(Protocol).filter(|protocol| protocol.has_ports() && *protocol != Protocol::TCP) {
            assert_eq!(read(&v4(protocol.0, 0, &body)), Ok((protocol.0, 50000, 53, Stage::Opening)), "{protocol}");
        }
    }

    #[test]
    fn other_protocols_go_by_number_whatever_they_carry() {
        for protocol in [2, 47, 50, 51, 59, 253] {
            assert_eq!(read(&v4(protocol, 0, &[])), Ok((protocol, 0, 0, Stage::Opening)));
            assert_eq!(read(&v6(protocol, &[])), Ok((protocol, 0, 0, Stage::Opening)));
        }
    }

    #[test]
    fn a_later_fragment_has_no_ports() {
        assert_eq!(read(&v4(17, 1, &DNS)), Ok((17, 0, 0, Stage::LaterFragment)));
        assert_eq!(read(&v4(6, MORE | 100, &[])), Ok((6, 0, 0, Stage::LaterFragment)));
        let fragment = [&[17, 0, 0, 8, 0, 0, 0, 1][..], &DNS].concat();
        assert_eq!(read(&v6(44, &fragment)), Ok((17, 0, 0, Stage::LaterFragment)));
    }

    #[test]
    fn a_first_fragment_without_its_transport_header_is_malformed() {
        assert_eq!(read(&v4(17, MORE, &DNS)), Ok((17, 50000, 53, Stage::Opening)));
        assert_eq!(read(&v4(17, MORE, &DNS[..4])), Err(Malformed::Overrun(Header::Udp)));
        assert_eq!(read(&v4(6, MORE, &SYN[..8])), Err(Malformed::Overrun(Header::Tcp)));
        let fragment = [&[6, 0, 0, 1, 0, 0, 0, 1][..], &SYN[..8]].concat();
        assert_eq!(read(&v6(44, &fragment)), Err(Malformed::Overrun(Header::Tcp)));
    }

    #[test]
    fn padding_is_no_header() {
        let mut bytes = v4(17, 0, &DNS[..4]);
        bytes.extend([0; 18]);
        assert_eq!(read(&bytes), Err(Malformed::Overrun(Header::Udp)));
    }

    #[test]
    fn a_snapped_packet_needs_its_headers_only() {
        let whole = v4(17, 0, &[DNS.as_slice(), &[0; 100]].concat());
        assert_eq!(read(&whole[..28]), read(&whole));
        assert_eq!(read(&whole[..27]), Err(Malformed::Truncated(Header::Udp)));
    }

    #[test]
    fn a_jumbogram_is_read() {
        // Hop-by-hop with the jumbo payload option, 65,544 bytes.
        let mut bytes = v6(0, &[&[6, 0, 0xc2, 4, 0, 1, 0, 8][..], &SYN].concat());
        bytes[4..6].fill(0);
        assert_eq!(read(&bytes), Ok((6, 50000, 443, Stage::Opening)));
    }

    #[test]
    fn other_versions_and_nothing_are_refused() {
        assert_eq!(read(&[]), Err(Malformed::Truncated(Header::Ipv4)));
        for version in [0, 1, 5, 7, 15] {
            assert_eq!(read(&[version << 4; 60]), Err(Malformed::Version(version)));
        }
    }
}
