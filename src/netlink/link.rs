//! Interfaces by number and name (linux/rtnetlink.h). Everything here is in the host's byte order.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};

use super::attributes::{Message, messages, ne32_at};
use super::exchange::{Exchange, failed};
use super::message::{Builder, DUMP, Header, REQUEST};
use super::{Batch, Error, Family, Receipt, Socket};

/// `RTNLGRP_LINK`.
const GROUP: u32 = 1;
/// `RTM_*`.
const NEW_LINK: u16 = 16;
const DELETE_LINK: u16 = 17;
const GET_LINK: u16 = 18;
/// Bytes of `struct ifinfomsg` (family, padding, type, index, flags, change).
const LINK_HEADER: usize = 16;
/// `IFLA_IFNAME`.
const NAME: u16 = 3;
/// Batches a call of [`Links::update`] takes at most, so that others get their turn.
const BATCHES: usize = 16;

/// All interfaces, kept up to date by the kernel's notifications: asking costs no system call.
#[derive(Debug)]
pub struct Links {
    notifications: Socket,
    batch: Batch,
    exchange: Exchange,
    known: BTreeMap<u32, Link>,
}

/// What is known of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Link {
    name: Box<str>,
    hardware: u16,
}

/// What a message says of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkChange<'a> {
    /// `hardware` is one of the ARPHRD numbers of linux/if_arp.h: 1 has Ethernet addresses.
    Is {
        index: u32,
        name: &'a str,
        hardware: u16,
    },
    Gone {
        index: u32,
    },
}

impl Links {
    pub fn open() -> Result<Links, Error> {
        let notifications = Socket::open(Family::Route)?;
        notifications.join(GROUP)?;
        let exchange = Exchange::open(Family::Route)?;
        let mut links = Links { notifications, batch: Batch::new(4, 32 * 1024), exchange, known: BTreeMap::new() };
        links.list()?;
        Ok(links)
    }

    pub fn name(&self, index: u32) -> Option<&str> {
        self.known.get(&index).map(|link| &*link.name)
    }

    pub fn index(&self, name: &str) -> Option<u32> {
        self.known.iter().find(|(_, link)| &*link.name == name).map(|(index, _)| *index)
    }

    /// The kind of an interface's hardware (ARPHRD); none for one that does not exist.
    pub fn hardware(&self, name: &str) -> Option<u16> {
        self.known.values().find(|link| &*link.name == name).map(|link| link.hardware)
    }

    /// Takes in what changed, when the descriptor is readable; says whether anything did.
    pub fn update(&mut self) -> Result<bool, Error> {
        let mut changed = false;
        for _ in 0..BATCHES {
            match self.notifications.receive(&mut self.batch).map_err(|error| failed("hear of interfaces", &error))? {
                Receipt::Empty => break,
                Receipt::Overflow => {
                    let before = self.known.clone();
                    self.list()?;
                    changed |= before != self.known;
                }
                Receipt::Datagrams => {
                    for message in self.batch.datagrams().flat_map(messages).flatten() {
                        changed |= link(&message).is_some_and(|change| take_in(&mut self.known, change));
                    }
                }
            }
        }
        Ok(changed)
    }

    fn list(&mut self) -> Result<(), Error> {
        let mut known = BTreeMap::new();
        let build = |builder: &mut Builder, sequence| {
            builder.message(Header { kind: GET_LINK, flags: REQUEST | DUMP, sequence }, &[0; LINK_HEADER], |_| ());
        };
        self.exchange.ask("list interfaces", build, |message| {
            if let Some(change) = link(&message) {
                take_in(&mut known, change);
            }
        })?;
        self.known = known;
        Ok(())
    }
}

impl AsFd for Links {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.notifications.as_fd()
    }
}

/// Whether the change changed anything.
fn take_in(known: &mut BTreeMap<u32, Link>, change: LinkChange<'_>) -> bool {
    match change {
        LinkChange::Is { index, name, hardware } => {
            let link = Link { name: name.into(), hardware };
            known.insert(index, link.clone()) != Some(link)
        }
        LinkChange::Gone { index } => known.remove(&index).is_some(),
    }
}

/// What a message says of an interface; `None` if it is about something else.
pub fn link<'a>(message: &Message<'a>) -> Option<LinkChange<'a>> {
    // A bridge tells of a port that leaves it by the same messages, in its own family: the interface itself stays.
    if message.family()? != libc::AF_UNSPEC as u8 {
        return None;
    }
    // struct ifinfomsg of linux/rtnetlink.h: the type stands at 2, the index at 4.
    let hardware = message.body.get(2..4).and_then(|bytes| bytes.try_into().ok()).map(u16::from_ne_bytes)?;
    let index = ne32_at(message.body, 4)?;
    match message.kind {
        NEW_LINK => Some(LinkChange::Is { index, name: message.attributes(LINK_HEADER).find(NAME)?.text()?, hardware }),
        DELETE_LINK => Some(LinkChange::Gone { index }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::namespace::{Namespace, run, wait_readable};

    fn update(links: &mut Links) -> bool {
        wait_readable(links);
        links.update().unwrap()
    }

    #[test]
    fn interfaces_are_known_and_followed() {
        let Some(namespace) = Namespace::new() else { return };
        namespace.run(|| {
            let mut links = Links::open().unwrap();
            assert_eq!((links.name(1), links.index("lo")), (Some("lo"), Some(1)));
            assert_eq!((links.hardware("lo"), links.hardware("none")), (Some(libc::ARPHRD_LOOPBACK), None));
            run("ip link add lan0 type veth peer name lan1");
            assert!(update(&mut links));
            assert_eq!(links.hardware("lan0"), Some(libc::ARPHRD_ETHER));
            let index = links.index("lan0").unwrap();
            run("ip link set lan0 name renamed");
            assert!(update(&mut links));
            assert_eq!(links.name(index), Some("renamed"));
            run("ip link del renamed");
            assert!(update(&mut links));
            assert_eq!((links.name(index), links.index("lan1")), (None, None));
        });
    }

    #[test]
    fn leaving_a_bridge_is_not_the_end_of_an_interface() {
        for (family, expected) in [(libc::AF_UNSPEC, Some(LinkChange::Gone { index: 7 })), (libc::AF_BRIDGE, None)] {
            let header = [[family as u8, 0, 0, 0], 7u32.to_ne_bytes(), [0; 4], [0; 4]].concat();
            assert_eq!(link(&Message { kind: DELETE_LINK, flags: 0, sequence: 0, port: 0, body: &header }), expected);
        }
    }

    #[test]
    fn a_flood_of_changes_is_caught_up_with() {
        let Some(namespace) = Namespace::new() else { return };
        namespace.run(|| {
            let mut links = Links::open().unwrap();
            links.notifications.set_receive_buffer(2048);
            (0..8).for_each(|number| drop(run(&format!("ip link add b{number} type bridge"))));
            assert!(update(&mut links));
            assert!((0..8).all(|number| links.index(&format!("b{number}")).is_some()));
        });
    }
}
