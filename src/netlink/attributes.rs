//! Reading what the kernel sends: datagram → messages → attributes (linux/netlink.h).
//!
//! Every function here is total. A length that lies ends the walk; an attribute that is absent or short is `None`; of one that
//! comes twice the last counts, as in the kernel. Headers are in the host's byte order (`ne`), values say theirs.

/// Bytes of `struct nlmsghdr`.
pub const HEADER: usize = 16;
/// Bytes of `struct nfgenmsg`, which every netfilter message begins with: family, version, resource (big-endian).
pub const NETFILTER_HEADER: usize = 4;

/// `NLMSG_ERROR`: an error, or with number 0 an acknowledgement.
pub const ERROR: u16 = 2;
/// `NLMSG_DONE`: the end of a listing, or of the messages in a datagram.
pub const DONE: u16 = 3;
/// `NLM_F_DUMP_INTR`: what was listed changed meanwhile.
pub const DUMP_INTERRUPTED: u16 = 0x10;
/// `NLM_F_CAPPED`: an error repeats only the header of the refused message.
const CAPPED: u16 = 0x100;
/// `NLM_F_ACK_TLVS`: attributes follow an error.
const ERROR_ATTRIBUTES: u16 = 0x200;
/// `NLMSGERR_ATTR_MSG`.
const ERROR_TEXT: u16 = 1;
/// `NLA_TYPE_MASK`: without the flags "nested" and "in network byte order".
const KIND: u16 = 0x3fff;

/// One message of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    pub kind: u16,
    pub flags: u16,
    pub sequence: u32,
    /// The port of whoever asked for it; of a notification, of whoever caused it.
    pub port: u32,
    /// What follows the header.
    pub body: &'a [u8],
}

/// The bytes left over are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// The kernel's answer to a request: an error, or an acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer<'a> {
    /// Positive as in errno.h; 0 acknowledges.
    pub errno: i32,
    /// The type of the request.
    pub request: u16,
    /// The kernel's words, where it has any.
    pub text: Option<&'a str>,
}

/// The messages of a datagram, in order. After [`Malformed`] nothing follows.
pub fn messages(datagram: &[u8]) -> Messages<'_> {
    Messages { rest: datagram }
}

#[derive(Debug, Clone)]
pub struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let rest = std::mem::take(&mut self.rest);
        let Some((message, length)) = message(rest) else { return Some(Err(Malformed)) };
        // The last message of a datagram need not be padded.
        self.rest = rest.get(aligned(length)..).unwrap_or_default();
        Some(Ok(message))
    }
}

fn message(bytes: &[u8]) -> Option<(Message<'_>, usize)> {
    let length = usize::try_from(ne32_at(bytes, 0)?).ok()?;
    let body = bytes.get(HEADER..length)?;
    let (kind, flags) = (ne16_at(bytes, 4)?, ne16_at(bytes, 6)?);
    let message = Message { kind, flags, sequence: ne32_at(bytes, 8)?, port: ne32_at(bytes, 12)?, body };
    Some((message, length))
}

impl<'a> Message<'a> {
    /// The netfilter subsystem a message is of (linux/netfilter/nfnetlink.h).
    pub const fn subsystem(&self) -> u8 {
        self.kind.to_be_bytes()[0]
    }

    /// The message's number within its subsystem.
    pub const fn number(&self) -> u8 {
        self.kind.to_be_bytes()[1]
    }

    /// The family in a netfilter message's header.
    pub fn family(&self) -> Option<u8> {
        self.body.first().copied()
    }

    /// The resource in a netfilter message's header: a queue's number, a log's group.
    pub fn resource(&self) -> Option<u16> {
        Attribute { kind: 0, value: self.body.get(2..4)? }.be16()
    }

    /// The attributes behind a fixed part of `header` bytes.
    pub fn attributes(&self, header: usize) -> Attributes<'a> {
        Attributes { rest: self.body.get(aligned(header)..).unwrap_or_default() }
    }

    /// What an `NLMSG_ERROR` says, or an `NLMSG_DONE` that ends a listing with an error.
    pub fn answer(&self) -> Option<Answer<'a>> {
        let errno = || Some(ne32_at(self.body, 0)?.cast_signed().checked_neg().unwrap_or(i32::MAX));
        match self.kind {
            DONE => Some(Answer { errno: errno().unwrap_or(0), request: 0, text: None }),
            ERROR => {
                let echo =
                    if self.flags & CAPPED != 0 { HEADER } else { usize::try_from(ne32_at(self.body, 4)?).ok()? };
                let attributes = 4usize.checked_add(echo).filter(|_| self.flags & ERROR_ATTRIBUTES != 0);
                let text = attributes
                    .map(|header| self.attributes(header))
                    .and_then(|attributes| attributes.find(ERROR_TEXT))
                    .and_then(|text| text.text());
                Some(Answer { errno: errno()?, request: ne16_at(self.body, 8)?, text })
            }
            _ => None,
        }
    }
}

/// A run of attributes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Attributes<'a> {
    pub fn new(bytes: &'a [u8]) -> Attributes<'a> {
        Attributes { rest: bytes }
    }

    /// The last attribute of this kind.
    pub fn find(self, kind: u16) -> Option<Attribute<'a>> {
        self.filter(|attribute| attribute.kind == kind).last()
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let rest = std::mem::take(&mut self.rest);
        let length = usize::from(ne16_at(rest, 0)?);
        let attribute = Attribute { kind: ne16_at(rest, 2)? & KIND, value: rest.get(4..length)? };
        self.rest = rest.get(aligned(length)..).unwrap_or_default();
        Some(attribute)
    }
}

/// One attribute: its kind means something only where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    pub kind: u16,
    pub value: &'a [u8],
}

impl<'a> Attribute<'a> {
    /// The first `N` bytes; more may follow.
    pub fn array<const N: usize>(&self) -> Option<[u8; N]> {
        self.value.first_chunk().copied()
    }

    pub fn u8(&self) -> Option<u8> {
        self.value.first().copied()
    }

    pub fn be16(&self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub fn be32(&self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub fn be64(&self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// Text up to the first NUL, if it is UTF-8.
    pub fn text(&self) -> Option<&'a str> {
        std::str::from_utf8(self.until_nul()).ok()
    }

    /// The bytes up to the first NUL.
    pub fn until_nul(&self) -> &'a [u8] {
        self.value.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    pub fn nested(&self) -> Attributes<'a> {
        Attributes { rest: self.value }
    }
}

/// The next multiple of four (`NLMSG_ALIGN`, `NLA_ALIGN`).
pub const fn aligned(length: usize) -> usize {
    length.saturating_add(3) & !3
}

/// 16 bits in the host's byte order.
pub fn ne16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..)?.first_chunk().copied().map(u16::from_ne_bytes)
}

/// 32 bits in the host's byte order.
pub fn ne32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().copied().map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::message::{Builder, Header};
    use proptest::prelude::*;

    fn attribute(kind: u16, length: u16, value: &[u8]) -> Vec<u8> {
        [&length.to_ne_bytes()[..], &kind.to_ne_bytes()[..], value].concat()
    }

    #[test]
    fn reads_what_the_builder_writes() {
        let mut builder = Builder::default();
        for sequence in [1, 2] {
            builder.netfilter(Header { kind: 0x0301, flags: 5, sequence }, 10, 100, |body| {
                body.put(3, &[1, 2, 3]);
                body.put_be32(4, 0x0102_0304);
                body.nest(7, |inside| inside.put_text(1, "abc"));
            });
        }
        let all: Vec<_> = messages(builder.bytes().unwrap()).map(Result::unwrap).collect();
        assert_eq!(all.iter().map(|message| message.sequence).collect::<Vec<_>>(), [1, 2]);
        let message = all[1];
        assert_eq!((message.subsystem(), message.number(), message.flags), (3, 1, 5));
        assert_eq!((message.family(), message.resource()), (Some(10), Some(100)));
        let attributes = message.attributes(NETFILTER_HEADER);
        assert_eq!(attributes.count(), 3);
        assert_eq!(attributes.find(3).unwrap().value, [1, 2, 3]);
        assert_eq!(attributes.find(4).unwrap().be32(), Some(0x0102_0304));
        assert_eq!(attributes.find(7).unwrap().nested().find(1).unwrap().text(), Some("abc"));
    }

    #[test]
    fn the_last_of_two_counts() {
        let bytes = [attribute(1, 5, &[7, 0, 0, 0]), attribute(1, 5, &[8])].concat();
        assert_eq!(Attributes::new(&bytes).find(1).unwrap().u8(), Some(8));
    }

    #[test]
    fn a_length_that_lies_ends_the_walk() {
        for length in [0, 3, 9, u16::MAX] {
            let bytes = [attribute(1, 8, &[0; 4]), attribute(2, length, &[0; 4])].concat();
            let kinds: Vec<_> = Attributes::new(&bytes).map(|attribute| attribute.kind).collect();
            assert_eq!(kinds, [1], "{length}");
        }
        for length in [0u32, 15, 17, u32::MAX] {
            let bytes = [&length.to_ne_bytes()[..], &[0; 12]].concat();
            assert_eq!(messages(&bytes).collect::<Vec<_>>(), [Err(Malformed)], "{length}");
        }
    }

    #[test]
    fn a_short_attribute_is_none() {
        let short = Attribute { kind: 1, value: &[1] };
        assert_eq!((short.be16(), short.be32(), short.be64()), (None, None, None));
        assert_eq!(Attribute { kind: 1, value: b"" }.text(), Some(""));
        assert_eq!(Attribute { kind: 1, value: b"ab\0cd" }.text(), Some("ab"));
        assert_eq!(Attribute { kind: 1, value: &[0xff] }.text(), None);
    }

    #[test]
    fn an_error_tells_number_request_and_text() {
        let refused =
            [32u32.to_ne_bytes(), [0x06, 0x0a, 0, 0], [0; 4], [0; 4], [9; 4], [9; 4], [9; 4], [9; 4]].concat();
        let text = attribute(ERROR_TEXT, 8, b"no!\0");
        for (flags, echo) in [(ERROR_ATTRIBUTES, 32), (ERROR_ATTRIBUTES | CAPPED, HEADER)] {
            let body = [&(-2i32).to_ne_bytes()[..], &refused[..echo], &text].concat();
            let answer = Message { kind: ERROR, flags, sequence: 0, port: 0, body: &body }.answer().unwrap();
            assert_eq!((answer.errno, answer.text), (2, Some("no!")));
            assert_eq!(answer.request, u16::from_ne_bytes([0x06, 0x0a]));
        }
        let acknowledged = Message { kind: DONE, flags: 0, sequence: 0, port: 0, body: &[] }.answer().unwrap();
        assert_eq!(acknowledged.errno, 0);
    }

    proptest! {
        #[test]
        fn any_bytes_are_walked_to_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            for message in messages(&bytes).flatten() {
                message.answer();
                message.attributes(NETFILTER_HEADER).for_each(|attribute| { attribute.nested().for_each(drop); });
            }
            prop_assert!(Attributes::new(&bytes).count() <= bytes.len());
        }
    }
}
