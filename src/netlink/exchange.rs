//! Question and answer: one request at a time, its replies matched by sequence number.

use std::io;

use super::attributes::{self, DUMP_INTERRUPTED, Message, messages};
use super::message::Builder;
use super::{Batch, Cause, Error, Family, Receipt, Socket};

/// The kernel answers before a send returns; this is for a machine that is busy beyond reason, in milliseconds.
const PATIENCE: u16 = 2_000;

/// A socket that asks.
#[derive(Debug)]
pub(super) struct Exchange {
    pub socket: Socket,
    pub batch: Batch,
    pub builder: Builder,
    sequence: u32,
}

/// How a listing ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ended {
    /// What was listed changed meanwhile.
    pub interrupted: bool,
}

impl Exchange {
    /// The kernel sends listings in datagrams of at most this size (netlink_recvmsg).
    const DATAGRAM: usize = 32 * 1024;

    pub fn open(family: Family) -> Result<Exchange, Error> {
        let socket = Socket::open(family)?;
        let batch = Batch::new(8, Exchange::DATAGRAM);
        Ok(Exchange { socket, batch, builder: Builder::default(), sequence: 0 })
    }

    /// A new sequence number; never 0, which notifications carry.
    pub fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1).max(1);
        self.sequence
    }

    /// The first of `count` consecutive sequence numbers, none of them 0.
    pub fn reserve(&mut self, count: u32) -> u32 {
        let first = self.next_sequence();
        match first.checked_add(count) {
            Some(end) => {
                self.sequence = end.wrapping_sub(1);
                first
            }
            None => {
                self.sequence = count;
                1
            }
        }
    }

    /// Sends the one request that `build` makes with the sequence number it is given, and hands over each reply until the
    /// kernel acknowledges it or ends its listing. The request must ask for one of the two.
    pub fn ask(
        &mut self,
        what: &'static str,
        build: impl FnOnce(&mut Builder, u32),
        take: impl FnMut(Message<'_>),
    ) -> Result<Ended, Error> {
        let sequence = self.next_sequence();
        self.builder.clear();
        build(&mut self.builder, sequence);
        self.socket.send(self.builder.bytes()?).map_err(|error| failed(what, &error))?;
        let ended = self.replies(what, sequence, take);
        if ended.as_ref().is_err_and(|error| matches!(error.cause, Cause::Nonsense | Cause::Overflow)) {
            // A listing that is not heard out would keep the kernel from beginning another.
            while matches!(self.socket.receive(&mut self.batch), Ok(Receipt::Datagrams | Receipt::Overflow)) {}
        }
        ended
    }

    fn replies(
        &mut self,
        what: &'static str,
        sequence: u32,
        mut take: impl FnMut(Message<'_>),
    ) -> Result<Ended, Error> {
        let mut ended = Ended { interrupted: false };
        loop {
            match self.socket.receive(&mut self.batch).map_err(|error| failed(what, &error))? {
                Receipt::Datagrams => (),
                Receipt::Empty if self.socket.wait(PATIENCE) => continue,
                Receipt::Empty => return Err(Error::new(what, libc::ETIMEDOUT)),
                Receipt::Overflow => return Err(Error::new(what, libc::ENOBUFS)),
            }
            for message in self.batch.datagrams().flat_map(messages) {
                let Ok(message) = message else { return Err(Error::new(what, libc::EPROTO)) };
                if message.sequence != sequence {
                    continue;
                }
                ended.interrupted |= message.flags & DUMP_INTERRUPTED != 0;
                match message.answer() {
                    Some(answer) if answer.errno == 0 => return Ok(ended),
                    Some(answer) => return Err(refused(what, &answer)),
                    None => take(message),
                }
            }
        }
    }
}

/// The error of a system call.
pub(super) fn failed(what: &'static str, error: &io::Error) -> Error {
    Error::new(what, error.raw_os_error().unwrap_or(libc::EIO))
}

/// The error the kernel answered with.
pub(super) fn refused(what: &'static str, answer: &attributes::Answer<'_>) -> Error {
    Error::new(what, answer.errno).with_kernel_text(answer.text.map(Box::from))
}
