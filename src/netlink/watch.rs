//! Notices when somebody adds or removes tables: `service firewall stop` takes away all of them, ours included.

use std::os::fd::{AsFd, BorrowedFd};

use super::attributes::messages;
use super::exchange::failed;
use super::message::Subsystem;
use super::tables::{self, DELETE_TABLE, TableFamily};
use super::{Batch, Error, Family, Receipt, Socket};

/// `NFNLGRP_NFTABLES`.
const GROUP: u32 = 7;
/// Bytes of the socket's buffer: our own set changes are announced here too.
const SOCKET_BUFFER: usize = 1 << 20;
/// Batches a call of [`Watch::read`] takes at most, so that others get their turn.
const BATCHES: usize = 16;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    TableAdded {
        family: TableFamily,
        name: String,
    },
    TableRemoved {
        family: TableFamily,
        name: String,
    },
    /// Notifications were lost: look for yourself what is there.
    Lost,
}

/// A subscription to what changes in nf_tables.
#[derive(Debug)]
pub struct Watch {
    socket: Socket,
    batch: Batch,
}

impl Watch {
    pub fn open() -> Result<Watch, Error> {
        let socket = Socket::open(Family::Netfilter)?;
        socket.set_receive_buffer(SOCKET_BUFFER);
        socket.join(GROUP)?;
        // The kernel gathers notifications in datagrams of a page or two (NLMSG_GOODSIZE).
        Ok(Watch { socket, batch: Batch::new(8, 32 * 1024) })
    }

    /// Hands over what happened since the last call; returns at once.
    pub fn read(&mut self, mut take: impl FnMut(Event)) -> Result<(), Error> {
        for _ in 0..BATCHES {
            match self
                .socket
                .receive(&mut self.batch)
                .map_err(|error| failed("hear of changes in nf_tables", &error))?
            {
                Receipt::Empty => break,
                Receipt::Overflow => take(Event::Lost),
                Receipt::Datagrams => {
                    if self.batch.truncated() > 0 {
                        take(Event::Lost);
                    }
                    for message in self.batch.datagrams().flat_map(messages).flatten() {
                        let Some((family, name)) = tables::table(&message) else { continue };
                        let name = name.to_owned();
                        let removed = message.kind == Subsystem::Tables.kind(DELETE_TABLE);
                        take(if removed {
                            Event::TableRemoved { family, name }
                        } else {
                            Event::TableAdded { family, name }
                        });
                    }
                }
            }
        }
        Ok(())
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::namespace::{Namespace, nft, wait_readable};
    use crate::netlink::sets::{Change, KeyBytes, Sets, To};

    fn read(watch: &mut Watch) -> Vec<Event> {
        let mut events = Vec::new();
        wait_readable(watch);
        watch.read(|event| events.push(event)).unwrap();
        events
    }

    #[test]
    fn tables_that_come_and_go_are_noticed_and_nothing_else() {
        let Some(namespace) = Namespace::new() else { return };
        namespace.run(|| {
            let mut watch = Watch::open().unwrap();
            let named = |name: &str| (TableFamily::Inet, name.to_owned());
            let added = |name| Event::TableAdded { family: named(name).0, name: named(name).1 };
            let removed = |name| Event::TableRemoved { family: named(name).0, name: named(name).1 };
            nft("table inet glacic { set ports { type inet_service \n } \n }");
            assert_eq!(read(&mut watch), [added("glacic")]);
            let mut sets = Sets::open(TableFamily::Inet, "glacic").unwrap();
            sets.apply(&[Change { set: "ports", key: KeyBytes::new().inet_service(7), to: To::Present }]);
            assert_eq!(read(&mut watch), []);
            nft("add table inet other");
            assert_eq!(read(&mut watch), [added("other")]);
            nft("flush ruleset");
            let mut events = read(&mut watch);
            events.sort_by_key(|event| format!("{event:?}"));
            assert_eq!(events, [removed("glacic"), removed("other")]);
        });
    }

    #[test]
    fn loss_is_told() {
        let Some(namespace) = Namespace::new() else { return };
        namespace.run(|| {
            let mut watch = Watch::open().unwrap();
            watch.socket.set_receive_buffer(2048);
            (0..8).for_each(|number| nft(&format!("add table inet t{number}")));
            assert!(read(&mut watch).contains(&Event::Lost));
        });
    }
}
