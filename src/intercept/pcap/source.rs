//! Bytes of a capture, counted, so that every fault has its place.

use std::io::{BufReader, ErrorKind, Read};

use super::{Error, Fault, MAX_PACKET};

/// The order of a capture's numbers: that of the machine that wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    pub(super) const fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Order::Little => u16::from_le_bytes(bytes),
            Order::Big => u16::from_be_bytes(bytes),
        }
    }

    pub(super) const fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Order::Little => u32::from_le_bytes(bytes),
            Order::Big => u32::from_be_bytes(bytes),
        }
    }

    pub(super) const fn i64(self, bytes: [u8; 8]) -> i64 {
        match self {
            Order::Little => i64::from_le_bytes(bytes),
            Order::Big => i64::from_be_bytes(bytes),
        }
    }
}

#[derive(Debug)]
pub(super) struct Source<R> {
    read: BufReader<R>,
    offset: u64,
    /// Where the record at hand begins.
    record: u64,
}

impl<R: Read> Source<R> {
    pub(super) fn new(read: R) -> Source<R> {
        Source { read: BufReader::with_capacity(64 * 1024, read), offset: 0, record: 0 }
    }

    /// Bytes read so far.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    /// Says that a record begins here, and where that is.
    pub(super) const fn begin(&mut self) -> u64 {
        self.record = self.offset;
        self.record
    }

    /// Where the record at hand begins.
    pub(super) const fn record(&self) -> u64 {
        self.record
    }

    pub(super) const fn error(&self, fault: Fault) -> Error {
        Error { offset: self.offset, fault }
    }

    /// The next `N` bytes; `None` if there is none at all.
    pub(super) fn array_or_end<const N: usize>(&mut self) -> Result<Option<[u8; N]>, Error> {
        let mut array = [0; N];
        let mut space = array.as_mut_slice();
        while !space.is_empty() {
            match self.read.read(space) {
                Ok(0) if space.len() == N => return Ok(None),
                Ok(0) => return Err(self.error(Fault::Truncated)),
                Ok(count) => {
                    self.offset = self.offset.saturating_add(count as u64);
                    space = space.get_mut(count..).unwrap_or_default();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.error(Fault::Io(error))),
            }
        }
        Ok(Some(array))
    }

    /// The next `N` bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        self.array_or_end()?.ok_or(self.error(Fault::Truncated))
    }

    /// The next `length` bytes into `packet`, which grows with what is there, not with what is claimed.
    pub(super) fn packet(&mut self, length: u32, packet: &mut Vec<u8>) -> Result<(), Error> {
        packet.clear();
        if length > MAX_PACKET {
            return Err(Error { offset: self.record, fault: Fault::TooLong(length) });
        }
        let read = self.read.by_ref().take(u64::from(length)).read_to_end(packet);
        self.advance(read.map(|count| count as u64), u64::from(length))
    }

    /// Leaves out the next `length` bytes.
    pub(super) fn skip(&mut self, length: u32) -> Result<(), Error> {
        let skipped = std::io::copy(&mut self.read.by_ref().take(u64::from(length)), &mut std::io::sink());
        self.advance(skipped, u64::from(length))
    }

    fn advance(&mut self, read: std::io::Result<u64>, wanted: u64) -> Result<(), Error> {
        let count = read.map_err(|error| self.error(Fault::Io(error)))?;
        self.offset = self.offset.saturating_add(count);
        if count < wanted { Err(self.error(Fault::Truncated)) } else { Ok(()) }
    }
}
