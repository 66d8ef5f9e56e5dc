//! IPv6 extension headers (RFC 8200, section 4), walked up to the transport header.
//!
//! The walk ends where the kernel's does (`meta l4proto`, `ipv6_find_hdr` with AH as a stop), so that what is learned
//! from a packet is what a set of the kernel will match: hop-by-hop, routing, fragment and destination options are
//! skipped; AH, ESP, mobility, HIP and shim6 are protocols of their own, as they are over IPv4.

use super::ip::Body;
use super::{Header, Malformed};
use crate::flow::Protocol;

/// Extension headers a packet may have. RFC 8200 knows an order of seven, of which a sane packet uses two.
pub const MAX_HEADERS: usize = 8;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const DESTINATION: u8 = 60;

/// Where the extension headers lead.
#[derive(Debug, Clone, Copy)]
pub struct Upper<'a> {
    pub protocol: Protocol,
    /// A fragment other than the first: `body` is from the middle of the packet.
    pub later_fragment: bool,
    pub body: Body<'a>,
}

/// Walks the extension headers of a packet whose fixed header announced `next`.
///
/// Each step goes forward by at least eight bytes, so a chain of headers cannot loop; its length is bounded as well.
pub fn walk(next: u8, body: Body<'_>) -> Result<Upper<'_>, Malformed> {
    let mut next = next;
    let mut body = body;
    for position in 0..=MAX_HEADERS {
        match next {
            HOP_BY_HOP if position > 0 => return Err(Malformed::HopByHopNotFirst),
            HOP_BY_HOP | ROUTING | DESTINATION | FRAGMENT if position == MAX_HEADERS => {
                return Err(Malformed::TooManyExtensions);
            }
            HOP_BY_HOP | ROUTING | DESTINATION => {
                let options = Options::new_checked(body)?;
                next = options.next_header();
                body = options.rest();
            }
            FRAGMENT => {
                let fragment = Fragment::new_checked(body)?;
                next = fragment.next_header();
                body = fragment.rest();
                if fragment.is_later() {
                    return Ok(Upper { protocol: Protocol(next), later_fragment: true, body });
                }
            }
            _ => break,
        }
    }
    Ok(Upper { protocol: Protocol(next), later_fragment: false, body })
}

/// A view of a header that carries its own length: hop-by-hop, routing, destination options.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    header: &'a [u8; 2],
    rest: Body<'a>,
}

impl<'a> Options<'a> {
    pub fn new_checked(body: Body<'a>) -> Result<Options<'a>, Malformed> {
        let header: &[u8; 2] = body.first_chunk(Header::Extension)?;
        // In units of eight bytes, the first eight not counted.
        let length = usize::from(header[1]).saturating_add(1).saturating_mul(8);
        Ok(Options { header, rest: body.skip(length, Header::Extension)? })
    }

    pub const fn next_header(&self) -> u8 {
        self.header[0]
    }

    pub const fn rest(&self) -> Body<'a> {
        self.rest
    }
}

/// A view of a fragment header.
#[derive(Debug, Clone, Copy)]
pub struct Fragment<'a> {
    header: &'a [u8; 8],
    rest: Body<'a>,
}

impl<'a> Fragment<'a> {
    pub fn new_checked(body: Body<'a>) -> Result<Fragment<'a>, Malformed> {
        let header: &[u8; 8] = body.first_chunk(Header::Extension)?;
        Ok(Fragment { header, rest: body.skip(header.len(), Header::Extension)? })
    }

    pub const fn next_header(&self) -> u8 {
        self.header[0]
    }

    /// Whether this is a fragment other than the first. Atomic fragments (offset 0, no more to come) are not.
    pub const fn is_later(&self) -> bool {
        u16::from_be_bytes([self.header[2], self.header[3]]) & 0xfff8 != 0
    }

    pub const fn rest(&self) -> Body<'a> {
        self.rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAD: [u8; 6] = [1, 4, 0, 0, 0, 0];

    fn options(next: u8) -> Vec<u8> {
        [&[next, 0][..], &PAD].concat()
    }

    /// The walk over whole bytes, without borrowing: protocol, later fragment, bytes left.
    fn walked(next: u8, bytes: &[u8]) -> Result<(u8, bool, usize), Malformed> {
        walk(next, Body::new(bytes, Some(bytes.len())))
            .map(|upper| (upper.protocol.0, upper.later_fragment, upper.body.bytes().len()))
    }

    #[test]
    fn without_extension_headers_the_next_header_is_the_protocol() {
        assert_eq!(walked(17, &[0; 8]), Ok((17, false, 8)));
    }

    #[test]
    fn skips_the_headers_that_the_kernel_skips() {
        let chain = [options(43), options(60), options(6), vec![0; 20]].concat();
        assert_eq!(walked(0, &chain), Ok((6, false, 20)));
    }

    #[test]
    fn a_header_may_be_longer_than_eight_bytes() {
        let chain = [&[17, 1][..], &[0; 14], &[0; 8]].concat();
        assert_eq!(walked(60, &chain), Ok((17, false, 8)));
    }

    #[test]
    fn ah_esp_mobility_hip_shim6_and_no_next_header_are_protocols() {
        for protocol in [51, 50, 135, 139, 140, 59] {
            let chain = [options(protocol), options(6), vec![0; 20]].concat();
            assert_eq!(walked(60, &chain), Ok((protocol, false, 28)));
        }
    }

    #[test]
    fn a_first_or_atomic_fragment_is_read_on() {
        for more in [0, 1] {
            let chain = [&[17, 0, 0, more, 0, 0, 0, 9][..], &[0; 8]].concat();
            assert_eq!(walked(44, &chain), Ok((17, false, 8)));
        }
    }

    #[test]
    fn a_later_fragment_is_not_read_on() {
        // Its bytes look like a destination options header and are none.
        let chain = [&[60, 0, 0, 0b0000_1001, 0, 0, 0, 9][..], &options(6)].concat();
        assert_eq!(walked(44, &chain), Ok((60, true, 8)));
    }

    #[test]
    fn hop_by_hop_stands_first_or_not_at_all() {
        let chain = [options(0), options(6), vec![0; 20]].concat();
        assert_eq!(walked(60, &chain), Err(Malformed::HopByHopNotFirst));
        assert_eq!(walked(0, &chain), Err(Malformed::HopByHopNotFirst));
    }

    #[test]
    fn the_chain_is_bounded() {
        let chain = |headers: usize| {
            let mut bytes = options(60).repeat(headers - 1);
            bytes.extend(options(17));
            bytes.extend([0; 8]);
            bytes
        };
        assert_eq!(walked(60, &chain(MAX_HEADERS)), Ok((17, false, 8)));
        assert_eq!(walked(60, &chain(MAX_HEADERS + 1)), Err(Malformed::TooManyExtensions));
    }

    #[test]
    fn a_header_that_does_not_fit_is_refused() {
        assert_eq!(walked(60, &[6]), Err(Malformed::Overrun(Header::Extension)));
        assert_eq!(walked(60, &[6, 1, 0, 0, 0, 0, 0, 0]), Err(Malformed::Overrun(Header::Extension)));
        assert_eq!(walked(44, &[6, 0, 0, 0, 0, 0, 0]), Err(Malformed::Overrun(Header::Extension)));
        let snapped = walk(60, Body::new(&[6, 1, 0, 0], Some(36)));
        assert_eq!(snapped.unwrap_err(), Malformed::Truncated(Header::Extension));
    }
}
