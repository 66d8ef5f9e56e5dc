//! ICMP (RFC 792) and ICMPv6 (RFC 4443): the type.

use super::ip::Body;
use super::{Header, Malformed};

/// A view of an ICMP or ICMPv6 message.
#[derive(Debug, Clone, Copy)]
pub struct Icmp<'a> {
    header: &'a [u8; 8],
}

impl<'a> Icmp<'a> {
    /// `header` says which of the two. Eight bytes are the least that any message of either has.
    pub fn new_checked(body: Body<'a>, header: Header) -> Result<Icmp<'a>, Malformed> {
        Ok(Icmp { header: body.first_chunk(header)? })
    }

    /// The message's type.
    pub const fn kind(&self) -> u8 {
        self.header[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ECHO: [u8; 8] = [8, 0, 0, 0, 0, 1, 0, 1];

    #[test]
    fn reads_the_type() {
        assert_eq!(Icmp::new_checked(Body::new(&ECHO, Some(8)), Header::Icmp).unwrap().kind(), 8);
    }

    #[test]
    fn a_message_below_eight_bytes_is_refused() {
        let short = Body::new(&ECHO[..7], Some(7));
        assert_eq!(Icmp::new_checked(short, Header::Icmpv6).unwrap_err(), Malformed::Overrun(Header::Icmpv6));
    }
}
