//! UDP (RFC 768), UDP-Lite (RFC 3828), SCTP (RFC 9260) and DCCP (RFC 4340): headers that begin with two ports.
//!
//! The whole fixed header has to be there, although only its ports are read: a receiver drops what is shorter.
//! UDP's own length is not looked at: offloads leave it open, and it changes no fact.

use super::ip::Body;
use super::{Header, Malformed};

/// A view of a header that begins with a source and a destination port.
#[derive(Debug, Clone, Copy)]
pub struct Ports<'a> {
    header: &'a [u8; 4],
}

impl<'a> Ports<'a> {
    /// `header` says which protocol's: that decides how long the fixed part is.
    pub fn new_checked(body: Body<'a>, header: Header) -> Result<Ports<'a>, Malformed> {
        let fixed = match header {
            Header::Sctp | Header::Dccp => 12,
            _ => 8,
        };
        body.skip(fixed, header)?;
        Ok(Ports { header: body.first_chunk(header)? })
    }

    pub const fn source(&self) -> u16 {
        u16::from_be_bytes([self.header[0], self.header[1]])
    }

    pub const fn destination(&self) -> u16 {
        u16::from_be_bytes([self.header[2], self.header[3]])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: [u8; 12] = [0x30, 0x39, 0x01, 0xbb, 0, 12, 0, 0, 0, 0, 0, 0];

    #[test]
    fn reads_both_ports() {
        for header in [Header::Udp, Header::UdpLite, Header::Sctp, Header::Dccp] {
            let ports = Ports::new_checked(Body::new(&BYTES, Some(12)), header).unwrap();
            assert_eq!((ports.source(), ports.destination()), (12345, 443), "{header}");
        }
    }

    #[test]
    fn the_whole_fixed_header_has_to_be_there() {
        for (header, fixed) in [(Header::Udp, 8), (Header::UdpLite, 8), (Header::Sctp, 12), (Header::Dccp, 12)] {
            let read = |end: usize, claimed| Ports::new_checked(Body::new(&BYTES[..end], Some(claimed)), header);
            assert!(read(fixed, fixed).is_ok(), "{header}");
            assert_eq!(read(fixed - 1, fixed - 1).unwrap_err(), Malformed::Overrun(header));
            assert_eq!(read(fixed - 1, 100).unwrap_err(), Malformed::Truncated(header));
        }
    }
}
