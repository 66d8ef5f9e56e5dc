//! Building what the kernel is sent. Lengths are filled in afterwards; what does not fit its length field is an error
//! when the bytes are taken, never a message that says something else.

use super::Error;
use super::attributes::{HEADER, aligned};

/// `NLM_F_REQUEST`.
pub const REQUEST: u16 = 1;
/// `NLM_F_ACK`.
pub const ACKNOWLEDGE: u16 = 4;
/// `NLM_F_ROOT | NLM_F_MATCH`: list everything.
pub const DUMP: u16 = 0x300;
/// `NLM_F_CREATE`.
pub const CREATE: u16 = 0x400;

/// Netfilter's subsystems (linux/netfilter/nfnetlink.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Subsystem {
    Conntrack = 1,
    Queue = 3,
    Log = 4,
    Tables = 10,
}

impl Subsystem {
    /// The type of message `number`.
    pub const fn kind(self, number: u8) -> u16 {
        u16::from_be_bytes([self as u8, number])
    }
}

/// `NLA_F_NESTED`.
const NESTED: u16 = 0x8000;
/// `NFNL_MSG_BATCH_BEGIN` and `NFNL_MSG_BATCH_END`.
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;

/// What stands in a message's header, apart from its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub kind: u16,
    pub flags: u16,
    pub sequence: u32,
}

/// Messages one behind the other, as one send takes them. The buffer is kept when it is cleared.
#[derive(Debug, Default)]
pub struct Builder {
    bytes: Vec<u8>,
    too_long: bool,
}

impl Builder {
    /// Begins anew.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.too_long = false;
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The messages, unless something in them was too long.
    pub fn bytes(&self) -> Result<&[u8], Error> {
        if self.too_long { Err(Error::new("build a message for the kernel", libc::EMSGSIZE)) } else { Ok(&self.bytes) }
    }

    /// A message with a fixed part of its own.
    pub fn message(&mut self, header: Header, fixed: &[u8], fill: impl FnOnce(&mut Body<'_>)) {
        let start = self.bytes.len();
        let ([k, l], [f, g]) = (header.kind.to_ne_bytes(), header.flags.to_ne_bytes());
        let [s, t, u, v] = header.sequence.to_ne_bytes();
        // One call, because a verdict is built for every packet. The last four are the sender's port: the kernel knows it.
        self.bytes.extend_from_slice(&[0, 0, 0, 0, k, l, f, g, s, t, u, v, 0, 0, 0, 0]);
        self.bytes.extend_from_slice(fixed);
        self.pad();
        fill(&mut Body { builder: self });
        let length = self.bytes.len().saturating_sub(start);
        debug_assert!(length >= HEADER);
        match (u32::try_from(length), self.bytes.get_mut(start..).and_then(<[u8]>::first_chunk_mut)) {
            (Ok(length), Some(place)) => *place = length.to_ne_bytes(),
            _ => self.too_long = true,
        }
    }

    /// A netfilter message; `resource` is a queue's number, a log's group, or 0.
    pub fn netfilter(&mut self, header: Header, family: u8, resource: u16, fill: impl FnOnce(&mut Body<'_>)) {
        let [high, low] = resource.to_be_bytes();
        // struct nfgenmsg: family, version, resource (big-endian).
        self.message(header, &[family, 0, high, low], fill);
    }

    /// Opens a transaction of nf_tables changes.
    pub fn batch_begin(&mut self, sequence: u32) {
        self.netfilter(Header { kind: BATCH_BEGIN, flags: REQUEST, sequence }, 0, Subsystem::Tables as u16, |_| ());
    }

    /// Closes it: the kernel commits all of it, or nothing.
    pub fn batch_end(&mut self, sequence: u32) {
        self.netfilter(Header { kind: BATCH_END, flags: REQUEST, sequence }, 0, Subsystem::Tables as u16, |_| ());
    }

    fn pad(&mut self) {
        let padded = aligned(self.bytes.len());
        if padded > self.bytes.len() {
            self.bytes.resize(padded, 0);
        }
    }
}

/// The attributes of a message that is being built.
pub struct Body<'a> {
    builder: &'a mut Builder,
}

impl Body<'_> {
    pub fn put(&mut self, kind: u16, value: &[u8]) {
        self.attribute(kind, |body| body.builder.bytes.extend_from_slice(value));
    }

    pub fn put_be16(&mut self, kind: u16, value: u16) {
        self.put(kind, &value.to_be_bytes());
    }

    pub fn put_be32(&mut self, kind: u16, value: u32) {
        self.put(kind, &value.to_be_bytes());
    }

    /// Text with the NUL the kernel expects behind it.
    pub fn put_text(&mut self, kind: u16, text: &str) {
        self.attribute(kind, |body| {
            body.builder.bytes.extend_from_slice(text.as_bytes());
            body.builder.bytes.push(0);
        });
    }

    /// Attributes within an attribute.
    pub fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Body<'_>)) {
        self.attribute(kind | NESTED, fill);
    }

    /// Attributes as they came from the kernel.
    pub fn raw(&mut self, attributes: &[u8]) {
        self.builder.bytes.extend_from_slice(attributes);
    }

    fn attribute(&mut self, kind: u16, fill: impl FnOnce(&mut Body<'_>)) {
        let builder = &mut *self.builder;
        let start = builder.bytes.len();
        let [k, l] = kind.to_ne_bytes();
        builder.bytes.extend_from_slice(&[0, 0, k, l]);
        fill(&mut Body { builder });
        let length = builder.bytes.len().saturating_sub(start);
        match (u16::try_from(length), builder.bytes.get_mut(start..).and_then(<[u8]>::first_chunk_mut)) {
            (Ok(length), Some(place)) => *place = length.to_ne_bytes(),
            _ => builder.too_long = true,
        }
        builder.pad();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_padded_and_their_lengths_are_not() {
        let mut builder = Builder::default();
        builder.netfilter(Header { kind: 1, flags: 0, sequence: 0 }, 0, 0x1234, |body| body.put(9, &[1]));
        let bytes = builder.bytes().unwrap();
        assert_eq!(bytes.len(), 16 + 4 + 8);
        assert_eq!(bytes[..4], 28u32.to_ne_bytes());
        assert_eq!(bytes[18..20], [0x12, 0x34], "the resource is big-endian");
        assert_eq!(bytes[20..22], 5u16.to_ne_bytes());
    }

    #[test]
    fn what_does_not_fit_is_an_error_until_cleared() {
        let mut builder = Builder::default();
        let header = Header { kind: 1, flags: 0, sequence: 0 };
        builder.message(header, &[], |body| body.put(1, &vec![0; usize::from(u16::MAX) - 4]));
        assert!(builder.bytes().is_ok());
        builder.message(header, &[], |body| body.nest(1, |inside| inside.put(1, &vec![0; usize::from(u16::MAX) - 3])));
        assert!(builder.bytes().is_err());
        builder.clear();
        assert!(builder.bytes().is_ok() && builder.is_empty());
    }
}
