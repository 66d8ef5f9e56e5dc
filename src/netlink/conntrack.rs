//! Connections the kernel tracks (linux/netfilter/nfnetlink_conntrack.h): listed by their original source, and deleted.
//! A denied flow's connections must go: established packets are not asked about again, and offloaded ones are not even seen.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::attributes::{Attribute, Message, NETFILTER_HEADER, messages};
use super::exchange::{Exchange, failed, refused};
use super::message::{ACKNOWLEDGE, Builder, DUMP, Header, REQUEST, Subsystem};
use super::{Cause, Error, Family, Receipt};
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

/// Deletions in one send.
const AT_ONCE: usize = 256;

/// Which connections.
#[derive(Debug, Clone, Copy)]
pub struct Selection<'a> {
    /// The original source is one of these, or in one of these networks; none selects nothing.
    pub sources: &'a [IpAddr],
    pub networks: &'a [IpNet],
    pub protocol: Option<Protocol>,
    /// The destination port as in [`Connection`], for ICMP the type.
    pub port: Option<u16>,
}

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
    /// Packets and bytes of both directions; none where accounting (`nf_conntrack_acct`) is off.
    pub packets: Option<u64>,
    pub bytes: Option<u64>,
    handle: Handle,
}

/// What the kernel knows a connection by, in its own bytes: so that any protocol's can be given back.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Handle {
    tuple: Box<[u8]>,
    id: Option<u32>,
    zone: Option<u16>,
}

/// A way to the connection table.
#[derive(Debug)]
pub struct Conntrack {
    exchange: Exchange,
}

impl Conntrack {
    pub fn open() -> Result<Conntrack, Error> {
        Ok(Conntrack { exchange: Exchange::open(Family::Netfilter)? })
    }

    /// Whether connections can be asked for at all: the error says why not.
    pub fn probe(&mut self) -> Result<(), Error> {
        let ended = self.exchange.ask(
            "ask for connections",
            |builder, sequence| {
                let header =
                    Header { kind: Subsystem::Conntrack.kind(GET_STATS), flags: REQUEST | ACKNOWLEDGE, sequence };
                builder.netfilter(header, libc::AF_UNSPEC as u8, 0, |_| ());
            },
            |_| (),
        );
        ended.map(drop).map_err(module_missing)
    }

    /// Hands over every connection of the selection.
    pub fn list(&mut self, which: &Selection<'_>, mut take: impl FnMut(Connection)) -> Result<(), Error> {
        let sources: HashSet<IpAddr> = which.sources.iter().copied().collect();
        let mut matching = |message: Message<'_>| {
            // The kernel's filter is a help, not a promise: older ones ignore it.
            let selected = |entry: &Connection| {
                (sources.contains(&entry.source)
                    || which.networks.iter().any(|network| network.contains(&entry.source)))
                    && which.protocol.is_none_or(|protocol| protocol == entry.protocol)
                    && which.port.is_none_or(|port| port == entry.port)
            };
            connection(&message).filter(selected).into_iter().for_each(&mut take);
        };
        let v4: Vec<Ipv4Addr> =
            sources.iter().filter_map(|source| if let IpAddr::V4(v4) = source { Some(*v4) } else { None }).collect();
        let has_network = |v6: bool| which.networks.iter().any(|network| network.addr().is_ipv6() == v6);
        let filtered = match v4[..] {
            [source] if !has_network(false) => self.dump(libc::AF_INET, Some(source), &mut matching),
            _ => Err(Error::new("filter connections", libc::EOPNOTSUPP)),
        };
        match filtered {
            _ if v4.is_empty() && !has_network(false) => (),
            // Kernels that know filters but not this one refuse it before they list anything.
            Err(error) if matches!(error.errno, libc::EOPNOTSUPP | libc::EINVAL) => {
                self.dump(libc::AF_INET, None, &mut matching)?;
            }
            other => other?,
        }
        // No filter here: up to Linux 6.18 at least, the kernel's leaves out exactly the IPv6 source that is asked for.
        if sources.iter().any(IpAddr::is_ipv6) || has_network(true) {
            self.dump(libc::AF_INET6, None, &mut matching)?;
        }
        Ok(())
    }

    fn dump(
        &mut self,
        family: libc::c_int,
        source: Option<Ipv4Addr>,
        take: impl FnMut(Message<'_>),
    ) -> Result<(), Error> {
        let build = |builder: &mut Builder, sequence| list(builder, sequence, family as u8, source);
        self.exchange.ask("list connections", build, take).map(drop).map_err(module_missing)
    }

    /// Deletes one; `false` if it was gone already.
    pub fn delete(&mut self, connection: &Connection) -> Result<bool, Error> {
        let build = |builder: &mut Builder, sequence| delete(builder, sequence, REQUEST | ACKNOWLEDGE, connection);
        match self.exchange.ask("delete a connection", build, |_| ()) {
            Ok(_) => Ok(true),
            Err(error) if error.cause == Cause::Gone => Ok(false),
            Err(error) => Err(module_missing(error)),
        }
    }

    /// Deletes every connection of the selection, and says how many there were.
    pub fn delete_all(&mut self, which: &Selection<'_>) -> Result<usize, Error> {
        let mut found = Vec::new();
        self.list(which, |connection| found.push(connection))?;
        let mut deleted = 0usize;
        for some in found.chunks(AT_ONCE) {
            deleted = deleted.saturating_add(self.delete_some(some)?);
        }
        Ok(deleted)
    }

    /// Deletes in one send; says how many were not gone already.
    fn delete_some(&mut self, connections: &[Connection]) -> Result<usize, Error> {
        const WHAT: &str = "delete connections";
        let exchange = &mut self.exchange;
        exchange.builder.clear();
        for connection in connections {
            delete(&mut exchange.builder, 0, REQUEST, connection);
        }
        exchange.socket.send(exchange.builder.bytes()?).map_err(|error| failed(WHAT, &error))?;
        let mut deleted = connections.len();
        // The kernel has done it before the send returned, and says only what it could not do.
        while exchange.socket.receive(&mut exchange.batch).map_err(|error| failed(WHAT, &error))? == Receipt::Datagrams
        {
            for answer in exchange.batch.datagrams().flat_map(messages).flatten().filter_map(|message| message.answer())
            {
                match answer.errno {
                    0 => (),
                    libc::ENOENT => deleted = deleted.saturating_sub(1),
                    _ => return Err(module_missing(refused(WHAT, &answer))),
                }
            }
        }
        Ok(deleted)
    }
}

fn list(builder: &mut Builder, sequence: u32, family: u8, source: Option<Ipv4Addr>) {
    let header = Header { kind: Subsystem::Conntrack.kind(GET), flags: REQUEST | DUMP, sequence };
    builder.netfilter(header, family, 0, |body| {
        let Some(source) = source else { return };
        body.nest(ORIGINAL, |tuple| tuple.nest(TUPLE_IP, |ip| ip.put(V4_SOURCE, &source.octets())));
        // The one attribute of this subsystem in the host's byte order.
        body.nest(FILTER, |filter| filter.put(FILTER_ORIGINAL, &BY_SOURCE.to_ne_bytes()));
    });
}

/// A deletion without a tuple would delete everything: a handle always has one, see [`connection`].
fn delete(builder: &mut Builder, sequence: u32, flags: u16, connection: &Connection) {
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
    let (source, destination) = ends(&tuple.nested().find(TUPLE_IP)?)?;
    let protocol = tuple.nested().find(TUPLE_PROTOCOL)?.nested();
    let number = Protocol(protocol.find(NUMBER)?.u8()?);
    let icmp_type = || protocol.find(ICMP_TYPE).or_else(|| protocol.find(ICMPV6_TYPE))?.u8();
    let redirected = || attributes.find(REPLY)?.nested().find(TUPLE_PROTOCOL)?.nested().find(SOURCE_PORT)?.be16();
    let port = redirected().or_else(|| protocol.find(DESTINATION_PORT)?.be16());
    let counted = |kind| {
        let counters = COUNTERS.map(|direction| attributes.find(direction)?.nested().find(kind)?.be64());
        counters.into_iter().flatten().reduce(u64::saturating_add)
    };
    Some(Connection {
        source,
        destination,
        protocol: number,
        source_port: protocol.find(SOURCE_PORT).and_then(|port| port.be16()).unwrap_or(0),
        port: port.or_else(|| icmp_type().map(u16::from)).unwrap_or(0),
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

/// Netfilter answers EINVAL for a subsystem it does not have.
fn module_missing(error: Error) -> Error {
    if error.errno == libc::EINVAL { error.with_cause(Cause::MissingModule("nf_conntrack_netlink")) } else { error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::namespace::{Namespace, nft, run, udp};

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    const HERE6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

    fn with_tracking(check: impl FnOnce(&mut Conntrack) + Send + 'static) {
        let Some(namespace) = Namespace::new() else { return };
        namespace.run(move || {
            std::fs::write("/proc/sys/net/netfilter/nf_conntrack_acct", "1").unwrap();
            nft("table inet t { chain output { type filter hook output priority 0
                ct state new accept \n }\n }");
            check(&mut Conntrack::open().unwrap());
        });
    }

    fn all_of(sources: &[IpAddr]) -> Selection<'_> {
        Selection { sources, networks: &[], protocol: None, port: None }
    }

    fn listed(conntrack: &mut Conntrack, which: &Selection<'_>) -> Vec<(IpAddr, Protocol, u16)> {
        let mut found = Vec::new();
        conntrack
            .list(which, |connection| found.push((connection.source, connection.protocol, connection.port)))
            .unwrap();
        found.sort();
        found
    }

    #[test]
    fn connections_are_listed_and_deleted_by_their_source() {
        with_tracking(|conntrack| {
            let (server, server6) = (udp("127.0.0.1:7"), udp("[::1]:7"));
            for (from, to) in
                [("127.0.0.1:0", "127.0.0.1:7"), ("127.0.0.2:0", "127.0.0.1:7"), ("127.0.0.1:0", "127.0.0.1:9")]
            {
                udp(from).send_to(b"x", to).unwrap();
            }
            udp("[::1]:0").send_to(b"x", "[::1]:7").unwrap();
            run("ping -c1 -W1 127.0.0.1");
            run("ping -c1 -W1 ::1");

            let here = [(HERE, Protocol::ICMP, 8), (HERE, Protocol::UDP, 7), (HERE, Protocol::UDP, 9)];
            let here6 = [(HERE6, Protocol::UDP, 7), (HERE6, Protocol::ICMPV6, 128)];
            assert_eq!(listed(conntrack, &all_of(&[HERE])), here);
            assert_eq!(listed(conntrack, &all_of(&[HERE6])), here6);
            let all = [&here[..], &[(THERE, Protocol::UDP, 7)], &here6].concat();
            assert_eq!(listed(conntrack, &all_of(&[HERE, THERE, HERE6])), all);
            assert_eq!(listed(conntrack, &all_of(&[THERE, Ipv4Addr::BROADCAST.into()])), [(THERE, Protocol::UDP, 7)]);
            assert_eq!(listed(conntrack, &all_of(&[Ipv6Addr::UNSPECIFIED.into()])), []);
            assert_eq!(listed(conntrack, &all_of(&[])), []);
            let networks = ["127.0.0.2/31".parse().unwrap(), "::/64".parse().unwrap()];
            let within = Selection { networks: &networks, ..all_of(&[]) };
            assert_eq!(listed(conntrack, &within), [&[(THERE, Protocol::UDP, 7)][..], &here6].concat());
            assert_eq!(listed(conntrack, &Selection { sources: &[HERE], ..within }), all);

            let echo = Selection { protocol: Some(Protocol::ICMP), port: Some(8), ..all_of(&[HERE]) };
            assert_eq!(conntrack.delete_all(&echo).unwrap(), 1);
            let seven = Selection { protocol: Some(Protocol::UDP), port: Some(7), ..all_of(&[HERE]) };
            assert_eq!(conntrack.delete_all(&seven).unwrap(), 1);
            assert_eq!(listed(conntrack, &all_of(&[HERE])), [(HERE, Protocol::UDP, 9)]);
            assert_eq!(listed(conntrack, &all_of(&[THERE])).len(), 1, "others' stay");
            assert_eq!(conntrack.delete_all(&all_of(&[HERE6])).unwrap(), 2);
            assert_eq!(conntrack.delete_all(&all_of(&[HERE6])).unwrap(), 0);
            drop((server, server6));
        });
    }

    #[test]
    fn accounting_shows_and_what_is_gone_is_told() {
        with_tracking(|conntrack| {
            let server = udp("127.0.0.1:7");
            let client = udp("127.0.0.1:0");
            client.send_to(b"xx", "127.0.0.1:7").unwrap();
            client.send_to(b"xx", "127.0.0.1:7").unwrap();
            let mut found = Vec::new();
            conntrack.list(&all_of(&[HERE]), |connection| found.push(connection)).unwrap();
            let [connection] = &found[..] else { panic!("{found:?}") };
            assert_eq!((connection.packets, connection.bytes), (Some(2), Some(60)));
            assert_eq!(connection.source_port, client.local_addr().unwrap().port());
            assert_eq!(conntrack.delete(connection), Ok(true));
            assert_eq!(conntrack.delete(connection), Ok(false));
            drop(server);
        });
    }

    /// A later connection between the same ends is another one: what was found of the first must not end it.
    #[test]
    fn a_connection_is_not_taken_for_a_later_one_between_the_same_ends() {
        with_tracking(|conntrack| {
            let (server, client) = (udp("127.0.0.1:7"), udp("127.0.0.1:0"));
            let own = |conntrack: &mut Conntrack| {
                let mut found = Vec::new();
                conntrack.list(&all_of(&[HERE]), |connection| found.push(connection)).unwrap();
                found.retain(|connection| connection.source_port == client.local_addr().unwrap().port());
                found.pop()
            };
            // The kernel makes the number of where the connection lies in memory: the next may lie in the same place.
            for _ in 0..100 {
                client.send_to(b"x", "127.0.0.1:7").unwrap();
                let first = own(conntrack).unwrap();
                assert_eq!(conntrack.delete(&first), Ok(true));
                let others = [(); 8].map(|()| udp("127.0.0.1:0"));
                others.iter().for_each(|other| drop(other.send_to(b"x", "127.0.0.1:7")));
                client.send_to(b"x", "127.0.0.1:7").unwrap();
                let second = own(conntrack).unwrap();
                if first.handle != second.handle {
                    assert_eq!(conntrack.delete(&first), Ok(false));
                    assert_eq!(own(conntrack), Some(second));
                    drop(server);
                    return;
                }
                conntrack.delete(&second).unwrap();
            }
            panic!("a hundred connections lay in the same place as the one before");
        });
    }

    #[test]
    fn everything_but_the_ends_may_be_absent() {
        let read = |fill: &dyn Fn(&mut super::super::message::Body<'_>)| {
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
        assert_eq!((whole.source, whole.destination, whole.port, whole.packets), (HERE, THERE, 0, None));
    }
}
