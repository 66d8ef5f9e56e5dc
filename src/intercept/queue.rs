//! The kernel's queue: packets wait in it until their verdict.
//!
//! Packets come in batches of up to 64 a system call, and their verdicts leave in one. The crate `nfq` speaks the same
//! language, but gives no descriptor to poll and no batches, hides overflows, and loses packets when it is set up under
//! traffic; it serves as the peer of a test. Checksums the network card would have completed are not complete here.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use super::verdict::{Answer, answer};
use super::{Packet, Received, Warning};
use crate::config::settings::{FailMode, Placement, Settings};
use crate::flow::Verdict;
use crate::netlink::attributes::{Message, messages};
use crate::netlink::message::Builder;
use crate::netlink::{Batch, Error, Receipt, Socket, Stream, nfqueue};

/// Bytes of the socket's buffer. The system's default holds 256 packets, whatever the length of the queue.
const SOCKET_BUFFER: usize = 4 << 20;
/// Batches a call of [`Queue::receive`] takes at most, so that others get their turn.
const BATCHES: usize = 16;
/// Bytes of a message apart from the packet: measured below 200, with room for attributes that come with new kernels.
const AROUND_PACKET: usize = 1024;
/// Bytes of waiting verdicts that are sent without being asked: some 800.
const MANY_VERDICTS: usize = 32 * 1024;
const READ_BACK: &str = "/proc/net/netfilter/nfnetlink_queue";

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
#[derive(Debug)]
pub struct Queue {
    stream: Stream,
    verdicts: Verdicts,
    settings: QueueSettings,
}

impl Queue {
    /// Binds the queue. What the kernel shows of it is compared with what was set.
    pub fn open(settings: &QueueSettings) -> Result<(Queue, Vec<Warning>), Error> {
        const WHAT: &str = "bind a queue";
        let slot = usize::try_from(settings.copy_range).unwrap_or(usize::MAX).min(0xffff).saturating_add(AROUND_PACKET);
        let mut queue = Queue {
            stream: Stream::open(Batch::new(Batch::MOST, slot))?,
            verdicts: Verdicts::default(),
            settings: *settings,
        };
        let got = queue.stream.socket.set_receive_buffer(SOCKET_BUFFER);
        let mut warnings = Vec::new();
        if got < SOCKET_BUFFER {
            warnings.push(Warning::SmallBuffer { wanted: SOCKET_BUFFER, got });
        }

        let QueueSettings { number, fail_open, .. } = *settings;
        let mut requests = Builder::default();
        nfqueue::bind(&mut requests, 1, number, settings.copy_range, settings.length);
        let flags = nfqueue::GSO | if fail_open { nfqueue::FAIL_OPEN } else { 0 };
        nfqueue::set_flags(&mut requests, 2, number, nfqueue::GSO | nfqueue::FAIL_OPEN, flags);
        let early_verdicts = &mut queue.verdicts;
        let early = |message: Message<'_>| {
            if let Some((queue, id, packet)) = nfqueue::packet(&message) {
                let answer = if fail_open { Answer::Accept } else { Answer::Drop };
                early_verdicts.add(Held { queue, id, mark: packet.mark }, answer, settings.mark_mask);
            }
        };
        let [bound, flagged] =
            queue.stream.configure(WHAT, &requests, early).map_err(|error| nfqueue::explain_bind(error, number))?;
        bound.map_err(|error| nfqueue::explain_bind(error, number))?;
        if let Err(error) = flagged {
            warnings.push(Warning::NotTaken { setting: "the queue flags fail-open and GSO", why: error.to_string() });
        }
        warnings.extend(queue.mismatches());
        Ok((queue, warnings))
    }

    /// What it was opened with.
    pub fn settings(&self) -> &QueueSettings {
        &self.settings
    }

    /// What the kernel shows of the queue otherwise than it was set. Length and flags it does not show; it
    /// acknowledged them.
    pub fn mismatches(&self) -> Vec<Warning> {
        let shown = match nfqueue::shown(self.settings.number) {
            Ok(shown) => shown.unwrap_or_default(),
            Err(error) => return vec![Warning::Unread { file: READ_BACK, why: error.to_string() }],
        };
        let compared = [
            ("the queue's reader", u64::from(self.stream.socket.port()), u64::from(shown.port)),
            ("the queue's copy mode", u64::from(nfqueue::COPY_PACKET), u64::from(shown.copy_mode)),
            ("the queue's copy range", u64::from(self.settings.copy_range), u64::from(shown.copy_range)),
        ];
        let differing = compared.into_iter().filter(|(_, set, found)| set != found);
        differing.map(|(setting, set, found)| Warning::Mismatch { setting, set, found }).collect()
    }

    /// Receives what is there, in batches, until there is no more or other work should have its turn.
    /// `decide` answers at once or, with `None`, leaves the packet held until [`Queue::verdict`]. Verdicts given at once
    /// are sent before this returns.
    pub fn receive(&mut self, mut decide: impl FnMut(Held, &Packet<'_>) -> Option<Verdict>) -> Result<Received, Error> {
        let mut received = Received::default();
        for _ in 0..BATCHES {
            match self.stream.receive().map_err(|error| os_error("receive from the queue", &error))? {
                Receipt::Empty => break,
                Receipt::Overflow => {
                    received.overflows += 1;
                    continue;
                }
                Receipt::Datagrams => (),
            }
            for message in self.stream.batch.datagrams().flat_map(messages) {
                let Ok(message) = message else {
                    received.malformed += 1;
                    continue;
                };
                if let Some((queue, id, packet)) = nfqueue::packet(&message) {
                    received.packets += 1;
                    let held = Held { queue, id, mark: packet.mark };
                    if let Some(verdict) = decide(held, &packet) {
                        self.verdicts.add(held, answer(verdict, self.settings.placement), self.settings.mark_mask);
                    }
                } else if let Some(answer) = message.answer() {
                    received.verdict_errors += u64::from(answer.errno != 0 && nfqueue::is_verdict(answer.request));
                } else {
                    received.malformed += 1;
                }
            }
            self.flush()?;
            if !self.stream.batch.is_full() {
                break;
            }
        }
        self.flush()?;
        received.verdict_errors += std::mem::take(&mut self.verdicts.lost);
        Ok(received)
    }

    /// Gives the verdict of a held packet; it leaves with the next [`Queue::flush`].
    pub fn verdict(&mut self, held: Held, verdict: Verdict) {
        self.verdicts.add(held, answer(verdict, self.settings.placement), self.settings.mark_mask);
        if self.verdicts.builder.len() >= MANY_VERDICTS {
            // What is lost is counted, and told with the next batch.
            let _ = self.flush();
        }
    }

    /// Sends the verdicts that wait, all in one message to the kernel. Where the kernel has no memory for it just now,
    /// they go on waiting for the next call.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.verdicts.send(&self.stream.socket)
    }
}

/// The kernel's own counts of a queue, from a file; `None` where it does not show them.
pub fn counters(number: u16) -> Option<Counters> {
    let shown = nfqueue::shown(number).ok()??;
    Some(Counters {
        queue_total: shown.total,
        queue_dropped: shown.queue_dropped,
        user_dropped: shown.user_dropped,
        id_sequence: shown.id_sequence,
    })
}

/// Verdicts that wait for being sent.
#[derive(Debug, Default)]
struct Verdicts {
    builder: Builder,
    waiting: u64,
    /// Verdicts that could not be sent.
    lost: u64,
}

impl Verdicts {
    /// Writes one down. The mark a packet came with stays: ours is OR-ed in.
    fn add(&mut self, held: Held, answer: Answer, mark_mask: u32) {
        let (accept, mark) = match answer {
            Answer::Accept => (true, None),
            Answer::AcceptMarked => (true, Some(held.mark | mark_mask)),
            Answer::Drop => (false, None),
        };
        nfqueue::verdict(&mut self.builder, held.queue, held.id, accept, mark);
        self.waiting = self.waiting.saturating_add(1);
    }

    fn send(&mut self, socket: &Socket) -> Result<(), Error> {
        if self.builder.is_empty() {
            return Ok(());
        }
        let sent = socket.send(self.builder.bytes()?);
        match &sent {
            Ok(()) => (),
            Err(error) if is_transient(error) && self.builder.len() < 4 * MANY_VERDICTS => return Ok(()),
            Err(_) => self.lost = self.lost.saturating_add(self.waiting),
        }
        self.builder.clear();
        self.waiting = 0;
        sent.map_err(|error| os_error("send verdicts", &error))
    }
}

fn is_transient(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::ENOMEM | libc::EPIPE | libc::EAGAIN))
}

fn os_error(what: &'static str, error: &io::Error) -> Error {
    Error::new(what, error.raw_os_error().unwrap_or(libc::EIO))
}

impl AsFd for Queue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::Family;
    use crate::netlink::namespace::{Namespace, run, udp, wait_readable};

    #[test]
    fn a_socket_that_overflows_is_survived_and_counted() {
        let Some(namespace) = Namespace::new() else { return };
        namespace.run(|| {
            run("iptables-nft -A OUTPUT -p udp -j NFQUEUE --queue-num 5");
            // Fail-open, the kernel lets such packets pass and does not count them.
            let settings = Settings { fail_mode: FailMode::Closed, ..Settings::default() };
            let (mut queue, _) = Queue::open(&QueueSettings::new(5, &settings)).unwrap();
            queue.stream.socket.set_receive_buffer(2048);
            let client = udp("127.0.0.1:0");
            // Nobody reads meanwhile. A datagram that is dropped on its way out is an error for its sender.
            (0..200).for_each(|_| drop(client.send_to(b"x", "127.0.0.1:7")));
            wait_readable(&queue);
            let mut received = queue.receive(|_, _| Some(Verdict::Pass)).unwrap();
            let counters = counters(5).unwrap();
            assert!(received.overflows > 0 && received.packets > 0, "{received:?}");
            assert_eq!(received.packets + u64::from(counters.user_dropped), 200, "{counters:?}");
            client.send_to(b"x", "127.0.0.1:7").unwrap();
            wait_readable(&queue);
            received += queue.receive(|_, _| Some(Verdict::Pass)).unwrap();
            assert_eq!((received.verdict_errors, received.malformed), (0, 0));
        });
    }

    #[test]
    fn packets_that_come_before_an_acknowledgement_are_not_lost() {
        let Some(namespace) = Namespace::new() else { return };
        namespace.run(|| {
            run("iptables-nft -A OUTPUT -p udp -j NFQUEUE --queue-num 5");
            let (mut queue, _) = Queue::open(&QueueSettings::new(5, &Settings::default())).unwrap();
            let client = udp("127.0.0.1:0");
            (0..100).for_each(|_| assert_eq!(client.send_to(b"x", "127.0.0.1:7").unwrap(), 1));
            let mut requests = Builder::default();
            nfqueue::set_flags(&mut requests, 1, 5, nfqueue::GSO, nfqueue::GSO);
            let mut early = 0;
            let [answer] = queue.stream.configure("set flags", &requests, |_| early += 1).unwrap();
            assert_eq!((answer, early), (Ok(()), 64));
            let received = queue.receive(|_, _| Some(Verdict::Pass)).unwrap();
            assert_eq!(received, Received { packets: 36, ..Received::default() });
        });
    }

    #[test]
    fn verdicts_that_cannot_be_sent_are_counted() {
        let socket = Socket::open(Family::Netfilter).unwrap();
        let mut verdicts = Verdicts::default();
        // More than any socket sends at once.
        (0..100_000).for_each(|id| verdicts.add(Held { queue: 5, id, mark: 0 }, Answer::Drop, 0));
        assert_eq!(verdicts.send(&socket).unwrap_err().errno, libc::EMSGSIZE);
        assert_eq!((verdicts.lost, verdicts.waiting, verdicts.builder.is_empty()), (100_000, 0, true));
    }
}
