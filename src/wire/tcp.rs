//! TCP (RFC 9293): ports, and whether a segment opens a connection.

use super::ip::Body;
use super::{Header, Malformed, Stage};

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// A view of a TCP segment.
#[derive(Debug, Clone, Copy)]
pub struct Tcp<'a> {
    header: &'a [u8; 20],
}

impl<'a> Tcp<'a> {
    /// Options may be cut off by the capture, but have to have room in the packet.
    pub fn new_checked(body: Body<'a>) -> Result<Tcp<'a>, Malformed> {
        let header: &[u8; 20] = body.first_chunk(Header::Tcp)?;
        let length = usize::from(header[12] >> 4).saturating_mul(4);
        if length < header.len() {
            return Err(Malformed::Length(Header::Tcp));
        }
        body.has_room(length, Header::Tcp)?;
        Ok(Tcp { header })
    }

    pub const fn source(&self) -> u16 {
        u16::from_be_bytes([self.header[0], self.header[1]])
    }

    pub const fn destination(&self) -> u16 {
        u16::from_be_bytes([self.header[2], self.header[3]])
    }

    /// An opening segment has SYN, and none of ACK, RST and FIN. The bits of ECN and later ones do not matter.
    pub const fn stage(&self) -> Stage {
        match self.header[13] & (SYN | ACK | RST | FIN) {
            SYN => Stage::Opening,
            _ => Stage::MidStream,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 50000 to 443, SYN, no options.
    const SEGMENT: [u8; 20] = [0xc3, 0x50, 0x01, 0xbb, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, SYN, 0xff, 0xff, 0, 0, 0, 0];

    fn changed(at: usize, to: u8) -> [u8; 20] {
        let mut bytes = SEGMENT;
        bytes[at] = to;
        bytes
    }

    #[test]
    fn reads_both_ports() {
        let segment = Tcp::new_checked(Body::new(&SEGMENT, Some(20))).unwrap();
        assert_eq!((segment.source(), segment.destination()), (50000, 443));
    }

    #[test]
    fn only_a_lone_syn_opens() {
        const PSH: u8 = 0x08;
        const ECE_CWR: u8 = 0xc0;
        for (flags, stage) in [
            (SYN, Stage::Opening),
            (SYN | ECE_CWR, Stage::Opening),
            (SYN | PSH, Stage::Opening),
            (SYN | ACK, Stage::MidStream),
            (SYN | RST, Stage::MidStream),
            (SYN | FIN, Stage::MidStream),
            (ACK, Stage::MidStream),
            (RST, Stage::MidStream),
            (0, Stage::MidStream),
            (0xff, Stage::MidStream),
        ] {
            let bytes = changed(13, flags);
            assert_eq!(Tcp::new_checked(Body::new(&bytes, Some(20))).unwrap().stage(), stage, "{flags:#04x}");
        }
    }

    #[test]
    fn a_data_offset_below_twenty_is_no_length() {
        for words in 0..5 {
            let bytes = changed(12, words << 4);
            assert_eq!(Tcp::new_checked(Body::new(&bytes, Some(20))).unwrap_err(), Malformed::Length(Header::Tcp));
        }
    }

    #[test]
    fn options_need_room_in_the_packet_not_in_the_capture() {
        let bytes = changed(12, 0x60);
        for claimed in [20, 23] {
            let refused = Tcp::new_checked(Body::new(&bytes, Some(claimed))).unwrap_err();
            assert_eq!(refused, Malformed::Overrun(Header::Tcp));
        }
        assert!(Tcp::new_checked(Body::new(&bytes, Some(24))).is_ok());
        assert!(Tcp::new_checked(Body::new(&bytes, None)).is_ok());
    }

    #[test]
    fn a_header_cut_off_has_no_facts() {
        for end in 0..20 {
            let read = |claimed| Tcp::new_checked(Body::new(&SEGMENT[..end], Some(claimed)));
            assert_eq!(read(end).unwrap_err(), Malformed::Overrun(Header::Tcp), "{end}");
            assert_eq!(read(20).unwrap_err(), Malformed::Truncated(Header::Tcp), "{end}");
        }
    }
}
