//! Linux cooked captures, what `tcpdump -i any` writes: version 1 (LINKTYPE_LINUX_SLL) and 2 (LINKTYPE_LINUX_SLL2).
//!
//! They know the sender's address and the type, not the destination.

use super::ethernet::{EtherType, skip_tags};
use super::{Header, Malformed};
use crate::flow::Mac;

/// ARPHRD_ETHER, `linux/if_arp.h`: the only kind of interface here whose address is a MAC address.
const ETHERNET: u16 = 1;

/// A view of a cooked packet of either version.
#[derive(Debug, Clone, Copy)]
pub struct Cooked<'a> {
    /// ARPHRD_*, `linux/if_arp.h`.
    interface: u16,
    address_length: u16,
    address: &'a [u8; 8],
    kind: EtherType,
    payload: &'a [u8],
}

impl<'a> Cooked<'a> {
    /// Version 1, 16 bytes: packet type, interface type, address length, address, type.
    pub fn new_checked_v1(bytes: &'a [u8]) -> Result<Cooked<'a>, Malformed> {
        const SHORT: Malformed = Malformed::Truncated(Header::Cooked);
        let ([_, _, i0, i1, l0, l1], rest) = bytes.split_first_chunk::<6>().ok_or(SHORT)?;
        let (address, rest) = rest.split_first_chunk::<8>().ok_or(SHORT)?;
        let (kind, rest) = rest.split_first_chunk::<2>().ok_or(SHORT)?;
        let (kind, payload) = skip_tags(EtherType(u16::from_be_bytes(*kind)), rest)?;
        Ok(Cooked {
            interface: u16::from_be_bytes([*i0, *i1]),
            address_length: u16::from_be_bytes([*l0, *l1]),
            address,
            kind,
            payload,
        })
    }

    /// Version 2, 20 bytes: type, reserved, interface index, interface type, packet type, address length, address.
    pub fn new_checked_v2(bytes: &'a [u8]) -> Result<Cooked<'a>, Malformed> {
        const SHORT: Malformed = Malformed::Truncated(Header::Cooked);
        let ([k0, k1, _, _, _, _, _, _, i0, i1, _, length], rest) = bytes.split_first_chunk::<12>().ok_or(SHORT)?;
        let (address, rest) = rest.split_first_chunk::<8>().ok_or(SHORT)?;
        let (kind, payload) = skip_tags(EtherType(u16::from_be_bytes([*k0, *k1])), rest)?;
        let interface = u16::from_be_bytes([*i0, *i1]);
        Ok(Cooked { interface, address_length: u16::from(*length), address, kind, payload })
    }

    /// The sender's address; `None` where the interface has no MAC addresses (ppp, wg, tun, lo).
    pub fn source(&self) -> Option<Mac> {
        let [a, b, c, d, e, f, _, _] = *self.address;
        (self.interface == ETHERNET && self.address_length == 6).then_some(Mac([a, b, c, d, e, f]))
    }

    /// The type behind any VLAN tags.
    pub const fn ether_type(&self) -> EtherType {
        self.kind
    }

    /// The bytes from the IP header on; `None` for what is no IP.
    pub fn ip(&self) -> Option<&'a [u8]> {
        self.kind.ip(self.payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: &[u8] = &[
        0, 0, // to us
        0, 1, // Ethernet
        0, 6, 0xb8, 0x27, 0xeb, 0, 0, 2, 0, 0, // address
        0x86, 0xdd, 0x60,
    ];
    const V2: &[u8] = &[
        0x08, 0x00, 0, 0, // type, reserved
        0, 0, 0, 3, // interface index
        0, 1, 0, 6, // Ethernet, to us, address length
        0xb8, 0x27, 0xeb, 0, 0, 2, 0, 0, // address
        0x45,
    ];

    #[test]
    fn reads_version_1() {
        let packet = Cooked::new_checked_v1(V1).unwrap();
        assert_eq!(packet.source(), Some(Mac([0xb8, 0x27, 0xeb, 0, 0, 2])));
        assert_eq!(packet.ether_type(), EtherType::IPV6);
        assert_eq!(packet.ip(), Some(&[0x60][..]));
    }

    #[test]
    fn reads_version_2() {
        let packet = Cooked::new_checked_v2(V2).unwrap();
        assert_eq!(packet.source(), Some(Mac([0xb8, 0x27, 0xeb, 0, 0, 2])));
        assert_eq!(packet.ether_type(), EtherType::IPV4);
        assert_eq!(packet.ip(), Some(&[0x45][..]));
    }

    #[test]
    fn skips_vlan_tags() {
        let bytes = [&V1[..14], &[0x81, 0x00, 0, 7], &V1[14..]].concat();
        assert_eq!(Cooked::new_checked_v1(&bytes).unwrap().ip(), Some(&[0x60][..]));
    }

    #[test]
    fn an_interface_without_mac_addresses_has_no_source() {
        let mut ppp = V1.to_vec();
        ppp[2..4].copy_from_slice(&512u16.to_be_bytes());
        assert_eq!(Cooked::new_checked_v1(&ppp).unwrap().source(), None);
        let mut loopback = V2.to_vec();
        loopback[8..10].copy_from_slice(&772u16.to_be_bytes());
        assert_eq!(Cooked::new_checked_v2(&loopback).unwrap().source(), None);
        let mut infiniband = V2.to_vec();
        infiniband[11] = 20;
        assert_eq!(Cooked::new_checked_v2(&infiniband).unwrap().source(), None);
    }

    #[test]
    fn a_packet_cut_off_is_truncated() {
        const SHORT: Malformed = Malformed::Truncated(Header::Cooked);
        for end in 0..16 {
            assert_eq!(Cooked::new_checked_v1(&V1[..end]).unwrap_err(), SHORT, "{end}");
        }
        for end in 0..20 {
            assert_eq!(Cooked::new_checked_v2(&V2[..end]).unwrap_err(), SHORT, "{end}");
        }
    }
}
