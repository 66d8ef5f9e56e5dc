//! The kernel's log: copies of packets, as an nflog group hands them over.

use std::os::fd::{AsFd, BorrowedFd};

use super::{Packet, Received, Warning};
use crate::netlink::Error;

/// A bound log group. Dropping it unbinds.
pub struct Log {}

impl Log {
    /// Binds the group.
    pub fn open(_group: u16) -> Result<(Log, Vec<Warning>), Error> {
        todo!()
    }

    /// Receives what is there, until there is no more or other work should have its turn.
    /// `take` is given the rule's prefix and the packet.
    pub fn receive(&mut self, _take: impl FnMut(&[u8], &Packet<'_>)) -> Result<Received, Error> {
        todo!()
    }
}

impl AsFd for Log {
    fn as_fd(&self) -> BorrowedFd<'_> {
        todo!()
    }
}
