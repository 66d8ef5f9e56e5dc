//! Capture files, classic pcap and pcapng, read as a stream in bounded memory.
//!
//! Own code because the crate pcap-file 2.0 takes an 8 MB buffer at once (routers have 64), tells no offset of an error
//! or of a record cut off, and brings a proc-macro tree. A file is data from outside: no claim in it is allocated for.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

use std::io::Read;

use crate::flow::Mac;
use crate::wire::Malformed;
use crate::wire::cooked::Cooked;
use crate::wire::ethernet::{EtherType, Ethernet};

mod classic;
mod error;
mod ng;
mod source;

pub use error::{Error, Fault};
use source::Source;

/// The largest packet read, in bytes: what tcpdump and Wireshark take for the largest there is.
pub const MAX_PACKET: u32 = 256 * 1024;

/// What a packet's bytes begin with (LINKTYPE_*, <https://www.tcpdump.org/linktypes.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// 1: an Ethernet header.
    Ethernet,
    /// 113: a Linux cooked header, version 1.
    Cooked,
    /// 276: a Linux cooked header, version 2.
    Cooked2,
    /// 101: an IP header of either version.
    Raw,
    /// 228: an IPv4 header.
    Ipv4,
    /// 229: an IPv6 header.
    Ipv6,
    /// Something else, by number: its packets are read and have no network layer.
    Other(u16),
}

impl From<u16> for Link {
    fn from(number: u16) -> Link {
        match number {
            1 => Link::Ethernet,
            101 => Link::Raw,
            113 => Link::Cooked,
            228 => Link::Ipv4,
            229 => Link::Ipv6,
            276 => Link::Cooked2,
            other => Link::Other(other),
        }
    }
}

/// One packet of a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Microseconds since 1970-01-01 00:00 UTC, by the clock of the capturing machine; `None` where none was kept.
    pub time: Option<u64>,
    pub link: Link,
    /// As captured, from the link header on; the packet may have gone on.
    pub bytes: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The sender's hardware address, where the link has one, and the bytes from the IP header on.
    /// `None` for what is no IP, and for a link header that cannot be read.
    pub fn network(&self) -> Option<(Option<Mac>, &'a [u8])> {
        let cooked = |view: Result<Cooked<'a>, Malformed>| {
            let view = view.ok()?;
            Some((view.source(), view.ip()?))
        };
        match self.link {
            Link::Ethernet => {
                let view = Ethernet::new_checked(self.bytes).ok()?;
                Some((Some(view.source()), view.ip()?))
            }
            Link::Cooked => cooked(Cooked::new_checked_v1(self.bytes)),
            Link::Cooked2 => cooked(Cooked::new_checked_v2(self.bytes)),
            Link::Raw => Some((None, self.bytes)),
            Link::Ipv4 => Some((None, EtherType::IPV4.ip(self.bytes)?)),
            Link::Ipv6 => Some((None, EtherType::IPV6.ip(self.bytes)?)),
            Link::Other(_) => None,
        }
    }
}

/// Reads one capture, packet by packet.
///
/// Memory: a read buffer of 64 KiB, one packet of at most [`MAX_PACKET`] bytes, and 24 bytes an interface.
#[derive(Debug)]
pub struct Reader<R> {
    source: Source<R>,
    format: Format,
    packet: Vec<u8>,
    truncated: Option<u64>,
    ended: bool,
}

#[derive(Debug)]
enum Format {
    Classic(classic::Header),
    Ng(ng::Section),
}

/// What came of reading one record.
enum Record {
    /// A packet, whose bytes are in the buffer.
    Packet { time: Option<u64>, link: Link },
    /// The capture ended where a record could have begun.
    End,
}

impl<R: Read> Reader<R> {
    /// Reads the head of a capture; the format and the byte order show in its first four bytes.
    pub fn open(read: R) -> Result<Reader<R>, Error> {
        let mut source = Source::new(read);
        let magic = match source.array::<4>() {
            Ok(magic) => magic,
            Err(Error { fault: Fault::Truncated, .. }) => {
                return Err(Error { offset: 0, fault: Fault::NoCapture(None) });
            }
            Err(error) => return Err(error),
        };
        let format = if magic == ng::MAGIC {
            Format::Ng(ng::Section::read(&mut source)?)
        } else {
            Format::Classic(classic::Header::read(magic, &mut source)?)
        };
        Ok(Reader { source, format, packet: Vec::new(), truncated: None, ended: false })
    }

    /// The next packet; `None` at the end. Nothing follows an error.
    #[allow(clippy::should_implement_trait, reason = "a frame borrows from the reader, which Iterator cannot say")]
    pub fn next(&mut self) -> Option<Result<Frame<'_>, Error>> {
        if self.ended {
            return None;
        }
        let record = match &mut self.format {
            Format::Classic(header) => header.record(&mut self.source, &mut self.packet),
            Format::Ng(section) => section.record(&mut self.source, &mut self.packet),
        };
        match record {
            Ok(Record::Packet { time, link }) => Some(Ok(Frame { time, link, bytes: &self.packet })),
            Ok(Record::End) => {
                self.ended = true;
                None
            }
            Err(Error { fault: Fault::Truncated, .. }) => {
                self.ended = true;
                self.truncated = Some(self.source.record());
                None
            }
            Err(error) => {
                self.ended = true;
                Some(Err(error))
            }
        }
    }

    /// Once the end is reached: where the last record begins, if the capture was cut off inside it.
    /// That is how a capture ends whose program was killed; what was read before is good.
    pub const fn truncated(&self) -> Option<u64> {
        self.truncated
    }
}
