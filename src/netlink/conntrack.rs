//! Connections the kernel tracks: listed by their original source, and deleted.
//! A denied flow's connections must go: established packets are not asked about again, and offloaded ones are not even seen.

mod entry;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

pub use self::entry::{Connection, Ends, connection};
use super::attributes::{Message, messages};
use super::exchange::{Exchange, failed, refused};
use super::message::{ACKNOWLEDGE, Builder, REQUEST};
use super::{Cause, Error, Family, Receipt};
use crate::flow::Protocol;

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
        let ended = self.exchange.ask("ask for connections", entry::probe, |_| ());
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
        let build = |builder: &mut Builder, sequence| entry::list(builder, sequence, family as u8, source);
        self.exchange.ask("list connections", build, take).map(drop).map_err(module_missing)
    }

    /// Deletes one; `false` if it was gone already.
    pub fn delete(&mut self, connection: &Connection) -> Result<bool, Error> {
        let build =
            |builder: &mut Builder, sequence| entry::delete(builder, sequence, REQUEST | ACKNOWLEDGE, connection);
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
            entry::delete(&mut exchange.builder, 0, REQUEST, connection);
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

/// Netfilter answers EINVAL for a subsystem it does not have.
fn module_missing(error: Error) -> Error {
    if error.errno == libc::EINVAL { error.with_cause(Cause::MissingModule("nf_conntrack_netlink")) } else { error }
}
