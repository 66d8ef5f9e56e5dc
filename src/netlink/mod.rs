//! The one place that speaks netlink with the kernel.
//!
//! [`Socket`] carries bytes, [`message`] builds them and [`attributes`] reads them; above these stands one module a subject:
//! [`nfqueue`] and [`nflog`] (which `intercept` turns into packets), [`sets`], [`conntrack`], [`watch`], [`link`] and
//! [`neighbours`].
//! What the kernel says is read by total functions: any bytes at all, any attribute absent, short or twice.
//! Netlink's own headers are in the host's byte order, netfilter's attributes are big-endian: every read and write says which.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)
)]

pub mod attributes;
pub mod conntrack;
mod error;
mod exchange;
pub mod flowtables;
mod key;
pub mod link;
pub mod message;
#[cfg(test)]
pub(crate) mod namespace;
pub mod neighbours;
pub mod nflog;
pub mod nfqueue;
mod packet;
mod procfs;
mod rules;
pub mod sets;
mod socket;
mod stream;
pub mod tables;
pub mod watch;

pub use error::{Cause, Error};
pub use packet::Packet;
pub use procfs::keep_open;
pub use socket::{Batch, Family, Receipt, Socket};
pub use stream::Stream;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::attributes::{HEADER, Message, messages};
    use super::message::{Body, Builder, Header};
    use super::{conntrack, flowtables, link, neighbours, nflog, nfqueue, tables};

    /// Everything that reads what the kernel sends.
    fn read(message: &Message<'_>) {
        message.answer();
        nfqueue::packet(message);
        nflog::record(message);
        tables::elements(message).for_each(drop);
        let table = tables::Table { family: tables::TableFamily::Inet, name: String::new() };
        super::rules::packets(message, &table, "");
        super::rules::number(message, &table);
        tables::notice(message);
        flowtables::flowtable(message);
        conntrack::connection(message);
        link::link(message);
        neighbours::neighbour(message);
        neighbours::route(message);
    }

    /// The kinds some reader takes, and two that none does.
    const KINDS: [u16; 17] =
        [2, 3, 0x0300, 0x0400, 0x0a00, 0x0a02, 0x0a06, 0x0a0c, 0x0a0e, 0x0a16, 0x0100, 16, 17, 24, 28, 0, 0xffff];

    #[derive(Debug, Clone)]
    enum Tree {
        Leaf(u16, Vec<u8>),
        Nest(u16, Vec<Tree>),
    }

    fn tree() -> impl Strategy<Value = Tree> {
        let leaf =
            (0u16..28, proptest::collection::vec(any::<u8>(), 0..24)).prop_map(|(kind, bytes)| Tree::Leaf(kind, bytes));
        leaf.prop_recursive(6, 48, 6, |inner| {
            (0u16..28, proptest::collection::vec(inner, 0..6)).prop_map(|(kind, inside)| Tree::Nest(kind, inside))
        })
    }

    fn build(body: &mut Body<'_>, tree: &Tree) {
        match tree {
            Tree::Leaf(kind, bytes) => body.put(*kind, bytes),
            Tree::Nest(kind, inside) => body.nest(*kind, |body| inside.iter().for_each(|tree| build(body, tree))),
        }
    }

    proptest! {
        #[test]
        fn any_bytes_behind_any_kind_are_read_to_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..160)) {
            for kind in KINDS {
                read(&Message { kind, flags: 0x300, sequence: 0, port: 0, body: &bytes });
            }
        }

        #[test]
        fn any_tree_of_attributes_with_a_damaged_byte_is_read_to_an_end(
            trees in proptest::collection::vec(tree(), 0..8), at in any::<prop::sample::Index>(), byte in any::<u8>(),
        ) {
            for kind in KINDS {
                let mut builder = Builder::default();
                builder.netfilter(Header { kind, flags: 0, sequence: 0 }, 2, 0, |body| {
                    trees.iter().for_each(|tree| build(body, tree));
                });
                let mut bytes = builder.bytes().unwrap().to_vec();
                messages(&bytes).flatten().for_each(|message| read(&message));
                let at = at.index(bytes.len());
                bytes[at] = byte;
                messages(&bytes).flatten().for_each(|message| read(&message));
                prop_assert!(bytes.len() >= HEADER);
            }
        }
    }
}
