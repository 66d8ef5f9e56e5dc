//! Bytes to facts: pure, total functions over any input. They never panic, allocate or know anybody.
//!
//! One file a protocol. Each has a checked view: after `new_checked` no accessor can fail, because the view
//! holds the fixed part of the header as an array. Nothing here verifies checksums: offloads leave them open.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

use std::net::IpAddr;

use crate::flow::Protocol;

pub mod cooked;
#[cfg(test)]
mod differential;
pub mod ethernet;
pub mod extension;
pub mod icmp;
pub mod ip;
pub mod ipv4;
pub mod ipv6;
mod malformed;
pub mod ports;
pub mod tcp;

pub use ip::facts;
pub use malformed::{Header, Malformed};

/// What one packet says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    pub source: IpAddr,
    pub destination: IpAddr,
    /// The transport protocol, after any IPv6 extension headers.
    pub protocol: Protocol,
    /// The source port; 0 where the protocol has none.
    pub source_port: u16,
    /// The destination port; for ICMP and ICMPv6 the type; 0 where the protocol has neither.
    pub port: u16,
    pub stage: Stage,
}

/// Where in its connection a packet stands, as far as the packet alone shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It can begin a connection: a TCP SYN without ACK, any packet of a protocol without connections.
    Opening,
    /// A TCP packet that is no opening SYN: of a connection that began unseen.
    MidStream,
    /// A fragment other than the first: its ports are elsewhere.
    LaterFragment,
}
