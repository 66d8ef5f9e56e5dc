//! The one place that speaks netlink with the kernel.
//!
//! [`Socket`] carries bytes, [`message`] builds them and [`attributes`] reads them; above these stands one module a subject:
//! [`nfqueue`] and [`nflog`] (which `intercept` turns into packets), [`sets`], [`conntrack`], [`watch`] and [`link`].
//! What the kernel says is read by total functions: any bytes at all, any attribute absent, short or twice.
//! Netlink's own headers are in the host's byte order, netfilter's attributes are big-endian: every read and write says which.

pub mod attributes;
pub mod conntrack;
mod error;
mod exchange;
mod key;
pub mod link;
pub mod message;
#[cfg(test)]
pub(crate) mod namespace;
pub mod nflog;
pub mod nfqueue;
mod packet;
mod procfs;
pub mod sets;
mod socket;
mod stream;
mod tables;
pub mod watch;

pub use error::{Cause, Error};
pub use packet::Packet;
pub use socket::{Batch, Family, Receipt, Socket};
pub use stream::Stream;
