//! The kernel's log: copies of packets, as an nflog group hands them over. Losses are counted exactly, by the gaps in the
//! records' numbers: the socket's own complaint tells of an episode only.

use std::os::fd::{AsFd, BorrowedFd};

use super::{Packet, Received, Warning};
use crate::netlink::attributes::{DONE, messages};
use crate::netlink::message::Builder;
use crate::netlink::nflog::{self, Gaps, Gathering};
use crate::netlink::{Batch, Error, Receipt, Stream};

/// Bytes of the socket's buffer.
const SOCKET_BUFFER: usize = 4 << 20;
/// Few wake-ups under load, ten milliseconds of delay without.
const GATHERING: Gathering = Gathering { copy_range: 512, buffer: 64 * 1024, timeout: 1, threshold: 256 };
/// Bytes of a datagram: twice the kernel's buffer, see [`Gathering::buffer`].
const DATAGRAM: usize = 128 * 1024;
const DATAGRAMS: usize = 2;
/// Batches a call of [`Log::receive`] takes at most, so that others get their turn.
const BATCHES: usize = 8;

/// A bound log group. Dropping it unbinds.
#[derive(Debug)]
pub struct Log {
    stream: Stream,
    gaps: Gaps,
}

impl Log {
    /// Binds the group.
    pub fn open(group: u16) -> Result<(Log, Vec<Warning>), Error> {
        let mut stream = Stream::open(Batch::new(DATAGRAMS, DATAGRAM))?;
        let got = stream.socket.set_receive_buffer(SOCKET_BUFFER);
        let mut requests = Builder::default();
        nflog::bind(&mut requests, 1, group, &GATHERING);
        // Records that come before the acknowledgement are kept; what does not fit the batch shows as a gap.
        let [bound] = stream
            .configure("bind a log group", &requests, |_| ())
            .map_err(|error| nflog::explain_bind(error, group))?;
        bound.map_err(|error| nflog::explain_bind(error, group))?;
        let warnings = match got {
            got if got < SOCKET_BUFFER => vec![Warning::SmallBuffer { wanted: SOCKET_BUFFER, got }],
            _ => Vec::new(),
        };
        Ok((Log { stream, gaps: Gaps::after_bind() }, warnings))
    }

    /// Receives what is there, until there is no more or other work should have its turn.
    /// `take` is given the rule's prefix and the packet.
    pub fn receive(&mut self, mut take: impl FnMut(&[u8], &Packet<'_>)) -> Result<Received, Error> {
        let mut received = Received::default();
        for _ in 0..BATCHES {
            let receipt = self
                .stream
                .receive()
                .map_err(|error| Error::new("receive from the log", error.raw_os_error().unwrap_or(libc::EIO)))?;
            match receipt {
                Receipt::Empty => break,
                Receipt::Overflow => {
                    received.overflows += 1;
                    continue;
                }
                Receipt::Datagrams => (),
            }
            // A datagram holds many records, and ends with DONE.
            for message in self.stream.batch.datagrams().flat_map(messages) {
                let Ok(message) = message else {
                    received.malformed += 1;
                    continue;
                };
                if let Some(record) = nflog::record(&message) {
                    received.packets += 1;
                    let lost = record.sequence.map_or(0, |sequence| self.gaps.lost_before(sequence));
                    received.lost += u64::from(lost);
                    take(record.prefix, &record.packet);
                } else if message.kind != DONE && message.answer().is_none() {
                    received.malformed += 1;
                }
            }
            if !self.stream.batch.is_full() {
                break;
            }
        }
        Ok(received)
    }
}

impl AsFd for Log {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::namespace::{Namespace, nft, udp, wait_readable};

    #[test]
    fn a_group_that_was_just_bound_has_lost_nothing() {
        let Some(namespace) = Namespace::new() else { return };
        namespace.run(|| {
            nft("table inet t { chain output { type filter hook output priority 0
                udp dport 7 log group 5 \n }\n }");
            let client = udp("127.0.0.1:0");
            for _ in 0..2 {
                client.send_to(b"unheard", "127.0.0.1:7").unwrap();
                let (mut log, _) = Log::open(5).unwrap();
                client.send_to(b"heard", "127.0.0.1:7").unwrap();
                wait_readable(&log);
                assert_eq!(log.receive(|_, _| ()).unwrap(), Received { packets: 1, ..Received::default() });
            }
        });
    }

    #[test]
    fn what_is_lost_is_counted_to_the_record() {
        let Some(namespace) = Namespace::new() else { return };
        namespace.run(|| {
            nft("table inet t { chain output { type filter hook output priority 0
                udp dport 7 log group 5 \n }\n }");
            let (mut log, _) = Log::open(5).unwrap();
            log.stream.socket.set_receive_buffer(2048);
            let (server, client) = (udp("127.0.0.1:7"), udp("127.0.0.1:0"));
            let mut received = Received::default();
            let mut buffer = [0; 8];
            // Nobody reads meanwhile: what is beyond the first of the kernel's buffers has no room.
            for _ in 0..2000 {
                client.send_to(b"x", "127.0.0.1:7").unwrap();
                server.recv(&mut buffer).unwrap();
            }
            let mut sent = 2000;
            while received.packets + received.lost < sent {
                // A loss shows when the next record comes.
                client.send_to(b"x", "127.0.0.1:7").unwrap();
                sent += 1;
                wait_readable(&log);
                received += log.receive(|_, _| ()).unwrap();
            }
            assert_eq!(received.packets + received.lost, sent);
            assert!(received.lost > 1000 && received.overflows > 0, "{received:?}");
        });
    }
}
