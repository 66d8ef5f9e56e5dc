use std::fmt;
use std::net::IpAddr;

use super::{Mac, Protocol};

/// Which port of a protocol: one number, or any.
///
/// For ICMP the number is the type; for protocols without ports it is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Port {
    /// Every port of the protocol: a decision of the owner, never learned from a packet.
    #[default]
    Any,
    Number(u16),
}

impl Port {
    /// The number, `None` for any.
    pub const fn number(self) -> Option<u16> {
        match self {
            Port::Any => None,
            Port::Number(number) => Some(number),
        }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Port::Any => f.pad("any"),
            Port::Number(number) => f.pad(&number.to_string()),
        }
    }
}

/// A destination's name, by its number in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NameId(pub u32);

/// How far a flow reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Destination {
    /// Service scope: this port, wherever it leads.
    Any,
    /// Destination scope: this host, by name.
    Name(NameId),
    /// Destination scope: this address.
    Address(IpAddr),
}

/// What one device does: a flow. Not a connection; every connection of the same kind is the same flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub mac: Mac,
    pub protocol: Protocol,
    pub port: Port,
    pub destination: Destination,
}

impl Key {
    /// The key in service scope. Protocols that have neither ports nor types get port 0, so that one flow has one key.
    pub const fn service(mac: Mac, protocol: Protocol, port: Port) -> Key {
        let port = if protocol.has_ports() || protocol.has_icmp_types() { port } else { Port::Number(0) };
        Key { mac, protocol, port, destination: Destination::Any }
    }

    /// The decision that covers every port of this key's protocol; the key itself where there is no wider one.
    pub const fn any_port(self) -> Key {
        Key::service(self.mac, self.protocol, Port::Any)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.mac, self.protocol)?;
        if self.protocol.has_ports() || self.protocol.has_icmp_types() {
            write!(f, "/{}", self.port)?;
        }
        match self.destination {
            Destination::Any => Ok(()),
            Destination::Name(NameId(id)) => write!(f, " to name {id}"),
            Destination::Address(address) => write!(f, " to {address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);

    #[test]
    fn a_protocol_without_ports_has_one_key() {
        let gre = Protocol(47);
        assert_eq!(Key::service(MAC, gre, Port::Any), Key::service(MAC, gre, Port::Number(7)));
    }

    #[test]
    fn reads_well() {
        assert_eq!(Key::service(MAC, Protocol::TCP, Port::Number(443)).to_string(), "02:00:00:00:00:01 tcp/443");
        assert_eq!(Key::service(MAC, Protocol::UDP, Port::Any).to_string(), "02:00:00:00:00:01 udp/any");
        assert_eq!(Key::service(MAC, Protocol(47), Port::Any).to_string(), "02:00:00:00:00:01 gre");
    }
}
