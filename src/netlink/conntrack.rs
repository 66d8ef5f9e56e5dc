//! Connections the kernel tracks: listed by their original source, and deleted.

use std::net::IpAddr;

use super::Error;
use crate::flow::Protocol;

/// Which connections.
#[derive(Debug, Clone, Copy)]
pub struct Selection<'a> {
    /// The original source is one of these.
    pub sources: &'a [IpAddr],
    pub protocol: Option<Protocol>,
    /// The original destination port, for ICMP the type.
    pub port: Option<u16>,
}

/// A connection, as its first packet had it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub protocol: Protocol,
    pub source_port: u16,
    /// The destination port, for ICMP the type, 0 where the protocol has neither.
    pub port: u16,
    /// Packets and bytes of both directions; none where accounting (`nf_conntrack_acct`) is off.
    pub packets: Option<u64>,
    pub bytes: Option<u64>,
    /// What the kernel knows it by.
    handle: Handle,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Handle {}

/// A way to the connection table.
pub struct Conntrack {}

impl Conntrack {
    pub fn open() -> Result<Conntrack, Error> {
        todo!()
    }
    /// Hands over every connection of the selection.
    pub fn list(&mut self, _which: &Selection<'_>, _take: impl FnMut(Connection)) -> Result<(), Error> {
        todo!()
    }
    /// Deletes one; `false` if it was gone already.
    pub fn delete(&mut self, _connection: &Connection) -> Result<bool, Error> {
        todo!()
    }
    /// Deletes every connection of the selection, and says how many there were.
    pub fn delete_all(&mut self, _which: &Selection<'_>) -> Result<usize, Error> {
        todo!()
    }
}
