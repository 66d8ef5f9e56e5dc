//! IPv4 (RFC 791): options skipped, fragments told apart.

use std::net::Ipv4Addr;

use super::ip::Body;
use super::{Header, Malformed};
use crate::flow::Protocol;

/// A view of an IPv4 packet.
#[derive(Debug, Clone, Copy)]
pub struct Ipv4<'a> {
    header: &'a [u8; 20],
    body: Body<'a>,
}

impl<'a> Ipv4<'a> {
    /// `bytes` begin with the header. They may end before the packet does, but not inside the header.
    ///
    /// A total length of 0 says nothing: segmentation offload leaves it open, so the bytes at hand are the packet.
    pub fn new_checked(bytes: &'a [u8]) -> Result<Ipv4<'a>, Malformed> {
        const SHORT: Malformed = Malformed::Truncated(Header::Ipv4);
        let header: &[u8; 20] = bytes.first_chunk().ok_or(SHORT)?;
        if header[0] >> 4 != 4 {
            return Err(Malformed::Version(header[0] >> 4));
        }
        let header_length = usize::from(header[0] & 0x0f).saturating_mul(4);
        if header_length < header.len() {
            return Err(Malformed::Length(Header::Ipv4));
        }
        let claimed = match u16::from_be_bytes([header[2], header[3]]) {
            0 => None,
            total => {
                let body = usize::from(total).checked_sub(header_length);
                Some(body.ok_or(Malformed::Length(Header::Ipv4))?)
            }
        };
        let rest = bytes.get(header_length..).ok_or(SHORT)?;
        Ok(Ipv4 { header, body: Body::new(rest, claimed) })
    }

    pub const fn source(&self) -> Ipv4Addr {
        let h = self.header;
        Ipv4Addr::new(h[12], h[13], h[14], h[15])
    }

    pub const fn destination(&self) -> Ipv4Addr {
        let h = self.header;
        Ipv4Addr::new(h[16], h[17], h[18], h[19])
    }

    pub const fn protocol(&self) -> Protocol {
        Protocol(self.header[9])
    }

    /// Whether this is a fragment other than the first.
    pub const fn is_later_fragment(&self) -> bool {
        u16::from_be_bytes([self.header[6], self.header[7]]) & 0x1fff != 0
    }

    /// What follows the header and its options.
    pub const fn body(&self) -> Body<'a> {
        self.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 24 bytes in all, UDP, 10.0.0.1 to 192.0.2.53, and two bytes of padding behind it.
    const PACKET: [u8; 26] = [
        0x45, 0, 0, 24, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 192, 0, 2, 53, // header
        1, 2, 3, 4, // body
        0xaa, 0xaa, // padding
    ];

    fn changed(at: usize, to: u8) -> [u8; 26] {
        let mut bytes = PACKET;
        bytes[at] = to;
        bytes
    }

    #[test]
    fn reads_the_header_and_leaves_padding_out() {
        let packet = Ipv4::new_checked(&PACKET).unwrap();
        assert_eq!(packet.source(), Ipv4Addr::new(10, 0, 0, 1));
        assert_eq!(packet.destination(), Ipv4Addr::new(192, 0, 2, 53));
        assert_eq!(packet.protocol(), Protocol::UDP);
        assert!(!packet.is_later_fragment());
        assert_eq!(packet.body().bytes(), [1, 2, 3, 4]);
    }

    #[test]
    fn skips_options() {
        let bytes = changed(0, 0x46);
        assert_eq!(Ipv4::new_checked(&bytes).unwrap().body().bytes(), [0u8; 0]);
    }

    #[test]
    fn a_header_length_below_twenty_is_no_length() {
        for words in 0..5 {
            let bytes = changed(0, 0x40 | words);
            assert_eq!(Ipv4::new_checked(&bytes).unwrap_err(), Malformed::Length(Header::Ipv4), "{words}");
        }
    }

    #[test]
    fn options_beyond_the_total_length_or_the_capture_are_refused() {
        assert_eq!(Ipv4::new_checked(&changed(0, 0x47)).unwrap_err(), Malformed::Length(Header::Ipv4));
        let mut bytes = changed(0, 0x47);
        bytes[3] = 200;
        assert_eq!(Ipv4::new_checked(&bytes).unwrap_err(), Malformed::Truncated(Header::Ipv4));
    }

    #[test]
    fn a_total_length_below_the_header_is_no_length() {
        for total in [1, 19] {
            assert_eq!(Ipv4::new_checked(&changed(3, total)).unwrap_err(), Malformed::Length(Header::Ipv4));
        }
    }

    #[test]
    fn a_total_length_of_nought_was_left_open_by_an_offload() {
        assert_eq!(Ipv4::new_checked(&changed(3, 0)).unwrap().body().bytes(), [1, 2, 3, 4, 0xaa, 0xaa]);
    }

    #[test]
    fn a_packet_may_go_on_beyond_the_capture() {
        assert_eq!(Ipv4::new_checked(&changed(2, 5)).unwrap().body().bytes(), [1, 2, 3, 4, 0xaa, 0xaa]);
    }

    #[test]
    fn a_header_cut_off_is_truncated() {
        for end in 0..20 {
            assert_eq!(Ipv4::new_checked(&PACKET[..end]).unwrap_err(), Malformed::Truncated(Header::Ipv4));
        }
    }

    #[test]
    fn only_an_offset_makes_a_later_fragment() {
        // Flags: reserved, don't fragment, more fragments.
        assert!(!Ipv4::new_checked(&changed(6, 0xe0)).unwrap().is_later_fragment());
        assert!(Ipv4::new_checked(&changed(6, 0x01)).unwrap().is_later_fragment());
        assert!(Ipv4::new_checked(&changed(7, 0x01)).unwrap().is_later_fragment());
    }

    #[test]
    fn another_version_is_refused() {
        assert_eq!(Ipv4::new_checked(&changed(0, 0x65)).unwrap_err(), Malformed::Version(6));
    }
}
