//! Elements of nf_tables sets: put, removed and listed without an `nft` process.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::Error;
use crate::flow::{Mac, Protocol};

/// The address family of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TableFamily {
    Inet,
    Ip,
    Ip6,
    Arp,
    Netdev,
    Bridge,
}

/// An element's key: the parts of a concatenation, each padded to four bytes, in network byte order.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyBytes {
    bytes: [u8; KeyBytes::CAPACITY],
    length: u8,
}

impl KeyBytes {
    /// nf_tables' own limit for a key (NFT_DATA_VALUE_MAXLEN).
    pub const CAPACITY: usize = 64;

    pub const fn new() -> KeyBytes {
        todo!()
    }
    pub fn ether_addr(self, _mac: Mac) -> KeyBytes {
        todo!()
    }
    pub fn inet_proto(self, _protocol: Protocol) -> KeyBytes {
        todo!()
    }
    pub fn inet_service(self, _port: u16) -> KeyBytes {
        todo!()
    }
    /// `icmp_type` and `icmpv6_type`.
    pub fn icmp_type(self, _number: u8) -> KeyBytes {
        todo!()
    }
    pub fn ipv4_addr(self, _address: Ipv4Addr) -> KeyBytes {
        todo!()
    }
    pub fn ipv6_addr(self, _address: Ipv6Addr) -> KeyBytes {
        todo!()
    }
    pub fn as_bytes(&self) -> &[u8] {
        todo!()
    }
}

/// One change of one set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change<'a> {
    pub set: &'a str,
    pub key: KeyBytes,
    /// Put it there (it may be there already), or take it away (it may be gone already).
    pub put: bool,
}

impl std::fmt::Debug for KeyBytes {
    fn fmt(&self, _f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        todo!()
    }
}

/// What became of changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// Changes that are in the kernel now.
    pub done: usize,
    /// Those that are not: their index, and why.
    pub failed: Vec<(usize, Error)>,
}

/// An element of a set, as a listing shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element<'a> {
    pub key: &'a [u8],
    /// From the element's `counter`; none where the set has no counter.
    pub packets: Option<u64>,
    pub bytes: Option<u64>,
    /// Milliseconds the element lives from now on; none where it stays.
    pub expires_ms: Option<u64>,
}

/// What a listing brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Listing {
    pub elements: usize,
    /// The ruleset changed meanwhile: elements may be missing or listed twice.
    pub interrupted: bool,
}

/// The sets of one table.
pub struct Sets {}

impl Sets {
    /// A way to the sets of `table`, which need not exist yet.
    pub fn open(_family: TableFamily, _table: &str) -> Result<Sets, Error> {
        todo!()
    }
    /// Puts and removes elements, in transactions of up to 256. A change that fails is left out and the rest done.
    pub fn apply(&mut self, _changes: &[Change<'_>]) -> Applied {
        todo!()
    }
    /// Hands over every element of `set`.
    pub fn elements(&mut self, _set: &str, _take: impl FnMut(Element<'_>)) -> Result<Listing, Error> {
        todo!()
    }
    /// Whether the table is there.
    pub fn table_exists(&mut self) -> Result<bool, Error> {
        todo!()
    }
    /// Removes the table with all that is in it; it may be gone already.
    pub fn delete_table(&mut self) -> Result<(), Error> {
        todo!()
    }
}
