//! One connection on the wire (linux/netfilter/nfnetlink_conntrack.h): the requests about it, and what a listing says.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::attributes::{Attribute, Message, NETFILTER_HEADER};
use super::super::message::{ACKNOWLEDGE, Builder, DUMP, Header, REQUEST, Subsystem};
use crate::flow::Protocol;

/// `IPCTNL_MSG_CT_*`.
const NEW: u8 = 0;
const GET: u8 = 1;
const DELETE: u8 = 2;
const GET_STATS: u8 = 5;

/// `CTA_*`.
const ORIGINAL: u16 = 1;
const REPLY: u16 = 2;
const COUNTERS: [u16; 2] = [9, 10];
const ID: u16 = 12;
const ZONE: u16 = 18;
const FILTER: u16 = 25;
/// `CTA_TUPLE_*`, `CTA_IP_*`, `CTA_PROTO_*`, `CTA_COUNTERS_*`, `CTA_FILTER_*`.
const TUPLE_IP: u16 = 1;
const TUPLE_PROTOCOL: u16 = 2;
const V4_SOURCE: u16 = 1;
const V4_DESTINATION: u16 = 2;
const V6_SOURCE: u16 = 3;
const V6_DESTINATION: u16 = 4;
const NUMBER: u16 = 1;
const SOURCE_PORT: u16 = 2;
const DESTINATION_PORT: u16 = 3;
const ICMP_TYPE: u16 = 5;
const ICMPV6_TYPE: u16 = 8;
const COUNTED_PACKETS: u16 = 1;
const COUNTED_BYTES: u16 = 2;
const FILTER_ORIGINAL: u16 = 1;
/// `CTA_FILTER_F_CTA_IP_SRC`: the kernel's own name for "compare the source" (nf_internals.h).
const BY_SOURCE: u32 = 1;

/// A connection, as its first packet had it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub protocol: Protocol,
    pub source_port: u16,
    /// The destination port as the chains see it, behind a redirect (`dnat`, `redirect`): where answers come from. For
    /// ICMP the type, 0 where the protocol has neither.
    pub port: u16,
    /// What arrives in answer; `None` where the kernel does not say.
    pub answers: Option<Ends>,
    /// Packets and bytes of both directions; none where accounting (`nf_conntrack_acct`) is off.
    pub packets: Option<u64>,
    pub bytes: Option<u64>,
    pub(super) handle: Handle,
}

/// The ends of the packets of one direction; without ports 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub source_port: u16,
    pub destination_port: u16,
}

impl Ends {
    fn read(tuple: &Attribute<'_>) -> Option<Ends> {
        let (source, destination) = ends(&tuple.nested().find(TUPLE_IP)?)?;
        let protocol = tuple.nested().find(TUPLE_PROTOCOL)?.nested();
        let port = |kind| protocol.find(kind).and_then(|port| port.be16()).unwrap_or(0);
        Some(Ends { source, destination, source_port: port(SOURCE_PORT), destination_port: port(DESTINATION_PORT) })
    }
}

/// What the kernel knows a connection by, in its own bytes: so that any protocol's can be given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Handle {
    tuple: Box<[u8]>,
    id: Option<u32>,
    zone: Option<u16>,
}

/// Whether there is anything to ask: the kernel answers with its statistics.
pub(super) fn probe(builder: &mut Builder, sequence: u32) {
    let header = Header { kind: Subsystem::Conntrack.kind(GET_STATS), flags: REQUEST | ACKNOWLEDGE, sequence };
    builder.netfilter(header, libc::AF_UNSPEC as u8, 0, |_| ());
}

/// Every connection of a family, or of one source.
pub(super) fn list(builder: &mut Builder, sequence: u32, family: u8, source: Option<Ipv4Addr>) {
    let header = Header { kind: Subsystem::Conntrack.kind(GET), flags: REQUEST | DUMP, sequence };
    builder.netfilter(header, family, 0, |body| {
        let Some(source) = source else { return };
        body.nest(ORIGINAL, |tuple| tuple.nest(TUPLE_IP, |ip| ip.put(V4_SOURCE, &source.octets())));
        // The one attribute of this subsystem in the host's byte order.
        body.nest(FILTER, |filter| filter.put(FILTER_ORIGINAL, &BY_SOURCE.to_ne_bytes()));
    });
}

/// A deletion without a tuple would delete everything: a handle always has one, see [`connection`].
pub(super) fn delete(builder: &mut Builder, sequence: u32, flags: u16, connection: &Connection) {
    let header = Header { kind: Subsystem::Conntrack.kind(DELETE), flags, sequence };
    let family = if connection.source.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let Handle { tuple, id, zone } = &connection.handle;
    builder.netfilter(header, family as u8, 0, |body| {
        body.nest(ORIGINAL, |body| body.raw(tuple));
        if let Some(zone) = zone {
            body.put_be16(ZONE, *zone);
        }
        // Tells a connection from a later one between the same ends.
        if let Some(id) = id {
            body.put_be32(ID, *id);
        }
    });
}

/// A connection of a listing; `None` if the message is none, or its ends are not there.
pub fn connection(message: &Message<'_>) -> Option<Connection> {
    if message.kind != Subsystem::Conntrack.kind(NEW) {
        return None;
    }
    let attributes = message.attributes(NETFILTER_HEADER);
    let tuple = attributes.find(ORIGINAL)?;
    let Ends { source, destination, source_port, destination_port } = Ends::read(&tuple)?;
    let protocol = tuple.nested().find(TUPLE_PROTOCOL)?.nested();
    let number = Protocol(protocol.find(NUMBER)?.u8()?);
    let icmp_type = protocol.find(ICMP_TYPE).or_else(|| protocol.find(ICMPV6_TYPE)).and_then(|kind| kind.u8());
    let answers = attributes.find(REPLY).and_then(|tuple| Ends::read(&tuple));
    let counted = |kind| {
        let counters = COUNTERS.map(|direction| attributes.find(direction)?.nested().find(kind)?.be64());
        counters.into_iter().flatten().reduce(u64::saturating_add)
    };
    Some(Connection {
        source,
        destination,
        protocol: number,
        source_port,
        port: icmp_type.map_or_else(|| answers.map_or(destination_port, |answers| answers.source_port), u16::from),
        answers,
        packets: counted(COUNTED_PACKETS),
        bytes: counted(COUNTED_BYTES),
        handle: Handle {
            tuple: tuple.value.into(),
            id: attributes.find(ID).and_then(|id| id.be32()),
            zone: attributes.find(ZONE).and_then(|zone| zone.be16()),
        },
    })
}

fn ends(ip: &Attribute<'_>) -> Option<(IpAddr, IpAddr)> {
    let v4 = |kind| Some(IpAddr::V4(Ipv4Addr::from(ip.nested().find(kind)?.array::<4>()?)));
    let v6 = |kind| Some(IpAddr::V6(Ipv6Addr::from(ip.nested().find(kind)?.array::<16>()?)));
    let both = |source: Option<IpAddr>, destination: Option<IpAddr>| source.zip(destination);
    both(v4(V4_SOURCE), v4(V4_DESTINATION)).or_else(|| both(v6(V6_SOURCE), v6(V6_DESTINATION)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::attributes::messages;
    use crate::netlink::message::Body;

    #[test]
    fn everything_but_the_ends_may_be_absent() {
        let read = |fill: &dyn Fn(&mut Body<'_>)| {
            let mut builder = Builder::default();
            let header = Header { kind: Subsystem::Conntrack.kind(NEW), flags: 0, sequence: 0 };
            builder.netfilter(header, libc::AF_INET as u8, 0, |body| body.nest(ORIGINAL, |tuple| fill(tuple)));
            connection(&messages(builder.bytes().unwrap()).next().unwrap().unwrap())
        };
        assert_eq!(read(&|_| ()), None);
        let whole = read(&|tuple| {
            tuple.nest(TUPLE_IP, |ip| {
                ip.put(V4_SOURCE, &[127, 0, 0, 1]);
                ip.put(V4_DESTINATION, &[127, 0, 0, 2]);
            });
            tuple.nest(TUPLE_PROTOCOL, |protocol| protocol.put(NUMBER, &[47]));
        });
        let whole = whole.unwrap();
        assert_eq!(
            (whole.source, whole.destination, whole.port, whole.packets),
            ("127.0.0.1".parse().unwrap(), "127.0.0.2".parse().unwrap(), 0, None)
        );
    }
}
