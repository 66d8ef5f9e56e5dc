//! Keys of set elements, byte for byte as nf_tables compares them.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::flow::{Mac, Protocol};

/// A set element's key in network byte order: one part as it is, or a concatenation of parts, each padded to four bytes.
///
/// ```
/// # use glacic::flow::{Mac, Protocol};
/// # use glacic::netlink::sets::KeyBytes;
/// // The key of `02:00:00:00:00:01 . tcp . 443` in a set of type `ether_addr . inet_proto . inet_service`:
/// let key = KeyBytes::new().ether_addr(Mac([2, 0, 0, 0, 0, 1])).inet_proto(Protocol::TCP).inet_service(443);
/// assert_eq!(key.as_bytes(), [2, 0, 0, 0, 0, 1, 0, 0, 6, 0, 0, 0, 1, 187, 0, 0]);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyBytes {
    bytes: [u8; KeyBytes::CAPACITY],
    /// Bytes in use, padding included.
    padded: usize,
    /// The same without the padding of the last part.
    plain: usize,
    parts: u8,
}

impl KeyBytes {
    /// nf_tables' own limit for a key (`NFT_DATA_VALUE_MAXLEN`): two addresses, a MAC and more fit in.
    pub const CAPACITY: usize = 64;

    pub const fn new() -> KeyBytes {
        KeyBytes { bytes: [0; KeyBytes::CAPACITY], padded: 0, plain: 0, parts: 0 }
    }

    pub fn ether_addr(self, mac: Mac) -> KeyBytes {
        self.part(&mac.0)
    }

    pub fn inet_proto(self, protocol: Protocol) -> KeyBytes {
        self.part(&[protocol.0])
    }

    pub fn inet_service(self, port: u16) -> KeyBytes {
        self.part(&port.to_be_bytes())
    }

    /// `icmp_type` and `icmpv6_type`.
    pub fn icmp_type(self, number: u8) -> KeyBytes {
        self.part(&[number])
    }

    pub fn ipv4_addr(self, address: Ipv4Addr) -> KeyBytes {
        self.part(&address.octets())
    }

    pub fn ipv6_addr(self, address: Ipv6Addr) -> KeyBytes {
        self.part(&address.octets())
    }

    /// The key as the kernel wants it, and as a listing shows it.
    pub fn as_bytes(&self) -> &[u8] {
        let length = if self.parts == 1 { self.plain } else { self.padded };
        self.bytes.get(..length).unwrap_or_default()
    }

    /// A part too many is left out: the kernel refuses the key for its length.
    fn part(mut self, part: &[u8]) -> KeyBytes {
        let plain = self.padded.saturating_add(part.len());
        if let Some(place) = self.bytes.get_mut(self.padded..plain) {
            place.copy_from_slice(part);
            self.plain = plain;
            self.padded = plain.next_multiple_of(4);
        }
        self.parts = self.parts.saturating_add(1);
        self
    }
}

impl Default for KeyBytes {
    fn default() -> KeyBytes {
        KeyBytes::new()
    }
}

impl fmt::Debug for KeyBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyBytes({:02x?})", self.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_part_is_not_padded_and_parts_of_many_are() {
        let mac = Mac([2, 0, 0, 0, 0, 1]);
        assert_eq!(KeyBytes::new().ether_addr(mac).as_bytes(), [2, 0, 0, 0, 0, 1]);
        assert_eq!(KeyBytes::new().ether_addr(mac).icmp_type(8).as_bytes(), [2, 0, 0, 0, 0, 1, 0, 0, 8, 0, 0, 0]);
        let addresses = KeyBytes::new().ipv4_addr(Ipv4Addr::LOCALHOST).ipv6_addr(Ipv6Addr::LOCALHOST);
        assert_eq!(addresses.as_bytes().len(), 20);
    }

    #[test]
    fn too_many_parts_do_no_harm() {
        let key = (0..9).fold(KeyBytes::new(), |key, _| key.ipv6_addr(Ipv6Addr::LOCALHOST));
        assert_eq!(key.as_bytes().len(), KeyBytes::CAPACITY);
    }
}
