//! IPv6 (RFC 8200): the fixed header. Extension headers are walked in [`extension`](super::extension).

use std::net::Ipv6Addr;

use super::ip::Body;
use super::{Header, Malformed};

/// A view of an IPv6 packet.
#[derive(Debug, Clone, Copy)]
pub struct Ipv6<'a> {
    header: &'a [u8; 40],
    body: Body<'a>,
}

impl<'a> Ipv6<'a> {
    /// `bytes` begin with the header. They may end before the packet does, but not inside the header.
    ///
    /// A payload length of 0 says nothing: jumbograms carry theirs in an option (RFC 2675) and segmentation
    /// offload leaves it open, so the bytes at hand are the packet.
    pub fn new_checked(bytes: &'a [u8]) -> Result<Ipv6<'a>, Malformed> {
        let (header, rest) = bytes.split_first_chunk::<40>().ok_or(Malformed::Truncated(Header::Ipv6))?;
        if header[0] >> 4 != 6 {
            return Err(Malformed::Version(header[0] >> 4));
        }
        let claimed = match u16::from_be_bytes([header[4], header[5]]) {
            0 => None,
            length => Some(usize::from(length)),
        };
        Ok(Ipv6 { header, body: Body::new(rest, claimed) })
    }

    pub fn source(&self) -> Ipv6Addr {
        let h = self.header;
        Ipv6Addr::from([
            h[8], h[9], h[10], h[11], h[12], h[13], h[14], h[15], h[16], h[17], h[18], h[19], h[20], h[21], h[22],
            h[23],
        ])
    }

    pub fn destination(&self) -> Ipv6Addr {
        let h = self.header;
        Ipv6Addr::from([
            h[24], h[25], h[26], h[27], h[28], h[29], h[30], h[31], h[32], h[33], h[34], h[35], h[36], h[37], h[38],
            h[39],
        ])
    }

    /// What the body begins with: a transport protocol or an extension header.
    pub const fn next_header(&self) -> u8 {
        self.header[6]
    }

    /// What follows the fixed header.
    pub const fn body(&self) -> Body<'a> {
        self.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// fd00::1 to 2001:db8::2, UDP, four bytes and two of padding.
    const PACKET: [u8; 46] = [
        0x60, 0, 0, 0, 0, 4, 17, 64, // version, length, next header, hop limit
        0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, // from
        0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, // to
        1, 2, 3, 4, 0xaa, 0xaa,
    ];

    fn changed(at: usize, to: u8) -> [u8; 46] {
        let mut bytes = PACKET;
        bytes[at] = to;
        bytes
    }

    #[test]
    fn reads_the_header_and_leaves_padding_out() {
        let packet = Ipv6::new_checked(&PACKET).unwrap();
        assert_eq!(packet.source().to_string(), "fd00::1");
        assert_eq!(packet.destination().to_string(), "2001:db8::2");
        assert_eq!(packet.next_header(), 17);
        assert_eq!(packet.body().bytes(), [1, 2, 3, 4]);
    }

    #[test]
    fn a_payload_length_of_nought_says_nothing() {
        assert_eq!(Ipv6::new_checked(&changed(5, 0)).unwrap().body().bytes(), [1, 2, 3, 4, 0xaa, 0xaa]);
    }

    #[test]
    fn a_packet_may_go_on_beyond_the_capture() {
        assert_eq!(Ipv6::new_checked(&changed(4, 5)).unwrap().body().bytes(), [1, 2, 3, 4, 0xaa, 0xaa]);
    }

    #[test]
    fn a_header_cut_off_is_truncated() {
        for end in 0..40 {
            assert_eq!(Ipv6::new_checked(&PACKET[..end]).unwrap_err(), Malformed::Truncated(Header::Ipv6));
        }
    }

    #[test]
    fn another_version_is_refused() {
        assert_eq!(Ipv6::new_checked(&changed(0, 0x45)).unwrap_err(), Malformed::Version(4));
    }
}
