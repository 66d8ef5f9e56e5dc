use std::fmt;
use std::io;

use super::MAX_PACKET;
use super::ng::MAX_INTERFACES;

/// A capture that cannot be read on.
#[derive(Debug)]
pub struct Error {
    /// Bytes from the beginning of the capture to the fault, or to the record that has it.
    pub offset: u64,
    pub fault: Fault,
}

/// What is wrong with a capture.
#[derive(Debug)]
pub enum Fault {
    /// Neither pcap nor pcapng: its first four bytes, if it has as many.
    NoCapture(Option<[u8; 4]>),
    /// A version of the format that is not known.
    Version { major: u16, minor: u16 },
    /// A packet of this length, above [`MAX_PACKET`].
    TooLong(u32),
    /// A pcapng block whose length is impossible: below what its kind needs, or no multiple of four.
    BlockLength(u32),
    /// A pcapng block whose second length differs from its first.
    BlockEnd { begin: u32, end: u32 },
    /// A pcapng section without a byte-order magic.
    ByteOrder([u8; 4]),
    /// A packet of an interface that its section has not described.
    Interface(u32),
    /// A section with more than 4,096 interfaces.
    TooManyInterfaces,
    /// It ends inside its head. (Inside a later record this is [`Reader::truncated`](super::Reader::truncated).)
    Truncated,
    /// Reading failed.
    Io(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.fault {
            Fault::NoCapture(Some([0x1f, 0x8b, ..])) => {
                return f.write_str("is compressed: unpack it with gunzip first");
            }
            Fault::NoCapture(_) => return f.write_str("is no capture: neither pcap nor pcapng"),
            Fault::Version { major, minor } => write!(f, "version {major}.{minor} of the format is not known")?,
            Fault::TooLong(length) => write!(f, "a packet of {length} bytes; the most is {MAX_PACKET}")?,
            Fault::BlockLength(length) => write!(f, "a block cannot be {length} bytes long")?,
            Fault::BlockEnd { begin, end } => write!(f, "a block of {begin} bytes says {end} at its end")?,
            Fault::ByteOrder(_) => f.write_str("a section without a byte-order magic")?,
            Fault::Interface(number) => write!(f, "a packet of interface {number}, which is not described")?,
            Fault::TooManyInterfaces => write!(f, "a section with more than {MAX_INTERFACES} interfaces")?,
            Fault::Truncated => f.write_str("the capture ends inside its head")?,
            Fault::Io(error) => write!(f, "reading failed: {error}")?,
        }
        write!(f, " (at byte {})", self.offset)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.fault {
            Fault::Io(error) => Some(error),
            _ => None,
        }
    }
}
