//! The kernel's queue: packets wait in it until their verdict.

use std::os::fd::{AsFd, BorrowedFd};

use super::{Packet, Received, Warning};
use crate::config::settings::{FailMode, Placement, Settings};
use crate::flow::Verdict;
use crate::netlink::Error;

/// How a queue is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueSettings {
    pub number: u16,
    /// Whether packets pass while the queue is full.
    pub fail_open: bool,
    /// Packets the kernel holds at most.
    pub length: u32,
    /// Bytes of each packet that are copied, from the IP header on.
    pub copy_range: u32,
    /// The bits OR-ed into the mark of packets that pass, in fallback placement.
    pub mark_mask: u32,
    pub placement: Placement,
}

impl QueueSettings {
    /// The settings of queue `number`.
    pub fn new(number: u16, settings: &Settings) -> QueueSettings {
        QueueSettings {
            number,
            fail_open: settings.fail_mode == FailMode::Open,
            length: 4096,
            copy_range: 512,
            mark_mask: settings.mark,
            placement: settings.placement,
        }
    }
}

/// A packet that waits in the kernel: what its verdict needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Held {
    pub queue: u16,
    pub id: u32,
    /// The packet's own mark: other users' bits in it survive ours.
    pub mark: u32,
}

/// What the kernel counts of a queue, from `/proc/net/netfilter/nfnetlink_queue`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets in the queue right now.
    pub queue_total: u32,
    /// Dropped (or, fail-open, let through) because the queue was full.
    pub queue_dropped: u32,
    /// Dropped because the socket's buffer was full.
    pub user_dropped: u32,
    /// Packets that ever came to the queue since it was bound; wraps around.
    pub id_sequence: u32,
}

/// A bound queue. Dropping it unbinds; packets still held are then dropped by the kernel.
pub struct Queue {}

impl Queue {
    /// Binds the queue. What the kernel shows of it is compared with what was set.
    pub fn open(_settings: &QueueSettings) -> Result<(Queue, Vec<Warning>), Error> {
        todo!()
    }

    /// Receives what is there, in batches, until there is no more or other work should have its turn.
    /// `decide` answers at once or, with `None`, leaves the packet held until [`Queue::verdict`]. Verdicts given at once
    /// are sent before this returns.
    pub fn receive(&mut self, _decide: impl FnMut(Held, &Packet<'_>) -> Option<Verdict>) -> Result<Received, Error> {
        todo!()
    }

    /// Gives the verdict of a held packet; it leaves with the next [`Queue::flush`].
    pub fn verdict(&mut self, _held: Held, _verdict: Verdict) {
        todo!()
    }

    /// Sends the verdicts that wait, all in one message to the kernel.
    pub fn flush(&mut self) -> Result<(), Error> {
        todo!()
    }

    /// The kernel's own counts; `None` where it does not show them.
    pub fn counters(&self) -> Option<Counters> {
        todo!()
    }
}

impl AsFd for Queue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        todo!()
    }
}
