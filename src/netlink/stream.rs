//! A socket the kernel sends packets to, by itself: set up without losing the packets that come meanwhile.

use std::io;

use super::attributes::{Message, messages};
use super::exchange::{failed, refused};
use super::message::Builder;
use super::{Batch, Error, Family, Receipt, Socket};

/// Milliseconds the kernel has for an acknowledgement; it gives it before the send returns.
const PATIENCE: u16 = 2_000;

#[derive(Debug)]
pub struct Stream {
    pub socket: Socket,
    pub batch: Batch,
    /// The batch holds what came while the socket was set up.
    kept: bool,
}

impl Stream {
    pub fn open(batch: Batch) -> Result<Stream, Error> {
        Ok(Stream { socket: Socket::open(Family::Netfilter)?, batch, kept: false })
    }

    /// Sends requests numbered from 1 on, each of which asks for an acknowledgement, and gives the answer to each.
    /// Packets that arrive meanwhile are kept for the first [`Stream::receive`]; the few that come before the last batch
    /// (which takes a flood) are handed to `early`.
    pub fn configure<const N: usize>(
        &mut self,
        what: &'static str,
        requests: &Builder,
        mut early: impl FnMut(Message<'_>),
    ) -> Result<[Result<(), Error>; N], Error> {
        self.socket.send(requests.bytes()?).map_err(|error| failed(what, &error))?;
        let mut answers: [Option<Result<(), Error>>; N] = std::array::from_fn(|_| None);
        while answers.iter().any(Option::is_none) {
            if std::mem::take(&mut self.kept) {
                self.batch.datagrams().flat_map(messages).flatten().for_each(&mut early);
            }
            match self.socket.receive(&mut self.batch).map_err(|error| failed(what, &error))? {
                // Without rights the kernel answers the first request and leaves the others.
                Receipt::Empty if answers.iter().flatten().any(Result::is_err) => break,
                Receipt::Empty if self.socket.wait(PATIENCE) => continue,
                Receipt::Empty => return Err(Error::new(what, libc::ETIMEDOUT)),
                Receipt::Datagrams | Receipt::Overflow => (),
            }
            for message in self.batch.datagrams().flat_map(messages).flatten() {
                let Some(answer) = message.answer() else {
                    self.kept = true;
                    continue;
                };
                let index = usize::try_from(message.sequence).ok().and_then(|sequence| sequence.checked_sub(1));
                if let Some(place) = index.and_then(|index| answers.get_mut(index)) {
                    *place = Some(if answer.errno == 0 { Ok(()) } else { Err(refused(what, &answer)) });
                }
            }
        }
        Ok(answers.map(|answer| answer.unwrap_or_else(|| Err(Error::new(what, libc::ECANCELED)))))
    }

    /// The next batch.
    pub fn receive(&mut self) -> io::Result<Receipt> {
        if std::mem::take(&mut self.kept) { Ok(Receipt::Datagrams) } else { self.socket.receive(&mut self.batch) }
    }
}
