//! Notices when somebody takes away tables or what is in them: `service firewall stop` takes all of them, ours included.

use std::os::fd::{AsFd, BorrowedFd};

use super::attributes::messages;
use super::exchange::failed;
use super::tables;
use super::{Batch, Error, Family, Receipt, Socket};

pub use super::tables::{Notice, What};

/// `NFNLGRP_NFTABLES`.
const GROUP: u32 = 7;
/// Bytes of the socket's buffer: our own set changes are announced here too.
const SOCKET_BUFFER: usize = 1 << 20;
/// Batches a call of [`Watch::read`] takes at most, so that others get their turn.
const BATCHES: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    Notice(Notice<'a>),
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
    pub fn read(&mut self, mut take: impl FnMut(Event<'_>)) -> Result<(), Error> {
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
                        if let Some(notice) = tables::notice(&message) {
                            take(Event::Notice(notice));
                        }
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
    use std::collections::BTreeSet;

    use super::*;
    use crate::netlink::namespace::{Namespace, nft, wait_readable};
    use crate::netlink::sets::{Change, KeyBytes, Sets, TableFamily, To};

    /// What happened to which table, each once, and the ports of those who did it.
    fn read(watch: &mut Watch) -> (BTreeSet<(String, What)>, BTreeSet<u32>) {
        let (mut events, mut ports) = (BTreeSet::new(), BTreeSet::new());
        wait_readable(watch);
        let take = |event: Event<'_>| {
            let Event::Notice(Notice { family, table, what, port }) = event else { panic!("{event:?}") };
            assert_eq!(family, TableFamily::Inet);
            events.insert((table.to_owned(), what));
            ports.insert(port);
        };
        watch.read(take).unwrap();
        (events, ports)
    }

    #[test]
    fn what_is_taken_away_is_noticed_and_who_did_it() {
        let Some(namespace) = Namespace::new() else { return };
        namespace.run(|| {
            let mut watch = Watch::open().unwrap();
            let events = |list: &[(&str, What)]| list.iter().map(|(name, what)| ((*name).to_owned(), *what)).collect();
            nft("table inet glacic { set ports { type inet_service \n } \n chain c { accept \n } \n }");
            assert_eq!(read(&mut watch).0, events(&[("glacic", What::Added)]));
            let mut sets = Sets::open(TableFamily::Inet, "glacic").unwrap();
            let change = |to| Change { set: "ports", key: KeyBytes::new().inet_service(7), to };
            sets.apply(&[change(To::Present)]);
            assert_eq!(read(&mut watch).0, events(&[]));
            sets.apply(&[change(To::Absent)]);
            let (seen, ports) = read(&mut watch);
            assert_eq!(seen, events(&[("glacic", What::ElementsRemoved)]));
            assert_eq!(ports, BTreeSet::from([sets.port()]));
            sets.apply(&[change(To::Present)]);
            read(&mut watch);
            let rules = sets.rules().unwrap();
            assert_eq!(rules.len(), 1);
            nft("flush table inet glacic");
            nft("flush set inet glacic ports");
            nft("add rule inet glacic c drop");
            let (seen, ports) = read(&mut watch);
            assert_eq!(seen, events(&[("glacic", What::RulesRemoved), ("glacic", What::ElementsRemoved)]));
            assert!(!ports.contains(&sets.port()));
            assert!(sets.rules().unwrap().is_disjoint(&rules), "another rule, another number");
            nft("add table inet other");
            assert_eq!(read(&mut watch).0, events(&[("other", What::Added)]));
            nft("flush ruleset");
            let (seen, _) = read(&mut watch);
            assert!(seen.is_superset(&events(&[("glacic", What::Removed), ("other", What::Removed)])), "{seen:?}");
        });
    }

    #[test]
    fn loss_is_told() {
        let Some(namespace) = Namespace::new() else { return };
        namespace.run(|| {
            let mut watch = Watch::open().unwrap();
            watch.socket.set_receive_buffer(2048);
            (0..8).for_each(|number| nft(&format!("add table inet t{number}")));
            wait_readable(&watch);
            let mut lost = false;
            watch.read(|event| lost |= event == Event::Lost).unwrap();
            assert!(lost);
        });
    }
}
