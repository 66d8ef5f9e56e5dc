//! Ethernet II (IEEE 802.3 clause 3) with any VLAN tags (802.1Q, 802.1ad) skipped.
//!
//! Frames with a length in place of the type (802.3 with LLC) are valid and carry no IP.

use super::{Header, Malformed};
use crate::flow::Mac;

/// VLAN tags a frame may carry: two are in use anywhere, the rest is room for oddities.
pub const MAX_TAGS: usize = 4;

/// What a frame carries. Values below 0x0600 are lengths of 802.3 frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EtherType(pub u16);

impl EtherType {
    pub const IPV4: EtherType = EtherType(0x0800);
    pub const IPV6: EtherType = EtherType(0x86dd);

    /// 802.1Q, 802.1ad, and the number used for stacked tags before 802.1ad.
    const fn is_tag(self) -> bool {
        matches!(self.0, 0x8100 | 0x88a8 | 0x9100)
    }

    /// `payload` if this type says that it is IP and its first nibble does not contradict.
    /// Receivers drop a packet whose version is not the one its frame announced.
    pub fn ip(self, payload: &[u8]) -> Option<&[u8]> {
        let version = match self {
            EtherType::IPV4 => 4,
            EtherType::IPV6 => 6,
            _ => return None,
        };
        payload.first().is_none_or(|first| first >> 4 == version).then_some(payload)
    }
}

/// Skips the VLAN tags that `kind` announces: the type behind them, and what it describes.
pub(super) fn skip_tags(mut kind: EtherType, mut bytes: &[u8]) -> Result<(EtherType, &[u8]), Malformed> {
    for _ in 0..MAX_TAGS {
        if !kind.is_tag() {
            return Ok((kind, bytes));
        }
        let (tag, rest) = bytes.split_first_chunk::<4>().ok_or(Malformed::Truncated(Header::Vlan))?;
        kind = EtherType(u16::from_be_bytes([tag[2], tag[3]]));
        bytes = rest;
    }
    if kind.is_tag() { Err(Malformed::TooManyTags) } else { Ok((kind, bytes)) }
}

/// A view of an Ethernet frame.
#[derive(Debug, Clone, Copy)]
pub struct Ethernet<'a> {
    header: &'a [u8; 14],
    kind: EtherType,
    payload: &'a [u8],
}

impl<'a> Ethernet<'a> {
    /// `bytes` begin with the destination address; no preamble. A check sequence at the end does no harm.
    pub fn new_checked(bytes: &'a [u8]) -> Result<Ethernet<'a>, Malformed> {
        let (header, rest) = bytes.split_first_chunk::<14>().ok_or(Malformed::Truncated(Header::Ethernet))?;
        let [.., high, low] = *header;
        let (kind, payload) = skip_tags(EtherType(u16::from_be_bytes([high, low])), rest)?;
        Ok(Ethernet { header, kind, payload })
    }

    pub const fn destination(&self) -> Mac {
        let [a, b, c, d, e, f, ..] = *self.header;
        Mac([a, b, c, d, e, f])
    }

    pub const fn source(&self) -> Mac {
        let [_, _, _, _, _, _, a, b, c, d, e, f, ..] = *self.header;
        Mac([a, b, c, d, e, f])
    }

    /// The type behind any VLAN tags.
    pub const fn ether_type(&self) -> EtherType {
        self.kind
    }

    /// What follows the header and its tags, up to the end of the frame, padding included.
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The bytes from the IP header on; `None` for what is no IP.
    pub fn ip(&self) -> Option<&'a [u8]> {
        self.kind.ip(self.payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &[u8] = &[
        0x02, 0, 0, 0, 0, 0x01, // to
        0xb8, 0x27, 0xeb, 0, 0, 0x02, // from
        0x08, 0x00, 0x45, 0x00,
    ];

    /// `PLAIN` with `tags` (each a type and an identifier) put before its own type.
    fn tagged(tags: &[[u8; 4]]) -> Vec<u8> {
        [&PLAIN[..12], &tags.concat(), &PLAIN[12..]].concat()
    }

    #[test]
    fn reads_addresses_and_type() {
        let frame = Ethernet::new_checked(PLAIN).unwrap();
        assert_eq!(frame.destination().to_string(), "02:00:00:00:00:01");
        assert_eq!(frame.source().to_string(), "b8:27:eb:00:00:02");
        assert_eq!(frame.ether_type(), EtherType::IPV4);
        assert_eq!(frame.ip(), Some(&[0x45, 0x00][..]));
    }

    #[test]
    fn skips_vlan_tags() {
        for tags in [&[[0x81, 0, 0, 7]][..], &[[0x88, 0xa8, 0, 1], [0x81, 0, 0x20, 7]], &[[0x91, 0, 0, 1]]] {
            let bytes = tagged(tags);
            let frame = Ethernet::new_checked(&bytes).unwrap();
            assert_eq!(frame.ether_type(), EtherType::IPV4, "{tags:02x?}");
            assert_eq!(frame.ip(), Some(&[0x45, 0x00][..]), "{tags:02x?}");
        }
    }

    #[test]
    fn tags_are_bounded() {
        let tag = [0x81, 0, 0, 1];
        assert!(Ethernet::new_checked(&tagged(&[tag; MAX_TAGS])).is_ok());
        let too_many = tagged(&[tag; MAX_TAGS + 1]);
        assert_eq!(Ethernet::new_checked(&too_many).unwrap_err(), Malformed::TooManyTags);
    }

    #[test]
    fn a_frame_cut_off_is_truncated() {
        for end in 0..14 {
            assert_eq!(Ethernet::new_checked(&PLAIN[..end]).unwrap_err(), Malformed::Truncated(Header::Ethernet));
        }
        let bytes = tagged(&[[0x81, 0, 0, 7]]);
        assert_eq!(Ethernet::new_checked(&bytes[..17]).unwrap_err(), Malformed::Truncated(Header::Vlan));
    }

    #[test]
    fn an_802_3_frame_carries_no_ip() {
        // Length 38, LLC: spanning tree.
        let bytes = [&PLAIN[..12], &[0x00, 0x26, 0x42, 0x42, 0x03]].concat();
        assert_eq!(Ethernet::new_checked(&bytes).unwrap().ip(), None);
    }

    #[test]
    fn arp_is_no_ip() {
        let bytes = [&PLAIN[..12], &[0x08, 0x06, 0x00, 0x01]].concat();
        assert_eq!(Ethernet::new_checked(&bytes).unwrap().ip(), None);
    }

    #[test]
    fn a_version_other_than_the_announced_is_no_ip() {
        let bytes = [&PLAIN[..14], &[0x60]].concat();
        assert_eq!(Ethernet::new_checked(&bytes).unwrap().ip(), None);
    }
}
