use std::fmt;

/// Why bytes have no facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// The bytes at hand end inside this header: a packet cut off by a capture or a copy range.
    Truncated(Header),
    /// This header reaches beyond the length that the packet (or the fragment) claims for itself: its sender's doing.
    Overrun(Header),
    /// The IP version, from the first nibble, is neither 4 nor 6; or not the one asked for.
    Version(u8),
    /// A length field of this header is below the header's own minimum.
    Length(Header),
    /// A hop-by-hop header that does not follow the IPv6 header directly (RFC 8200, section 4.1).
    HopByHopNotFirst,
    /// More than [`MAX_HEADERS`](super::extension::MAX_HEADERS) extension headers.
    TooManyExtensions,
    /// More than [`MAX_TAGS`](super::ethernet::MAX_TAGS) VLAN tags.
    TooManyTags,
}

/// A header, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    Ethernet,
    Vlan,
    Cooked,
    Ipv4,
    Ipv6,
    Extension,
    Tcp,
    Udp,
    UdpLite,
    Sctp,
    Dccp,
    Icmp,
    Icmpv6,
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Header::Ethernet => "Ethernet",
            Header::Vlan => "VLAN",
            Header::Cooked => "Linux cooked",
            Header::Ipv4 => "IPv4",
            Header::Ipv6 => "IPv6",
            Header::Extension => "IPv6 extension",
            Header::Tcp => "TCP",
            Header::Udp => "UDP",
            Header::UdpLite => "UDP-Lite",
            Header::Sctp => "SCTP",
            Header::Dccp => "DCCP",
            Header::Icmp => "ICMP",
            Header::Icmpv6 => "ICMPv6",
        })
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::Truncated(header) => write!(f, "the packet was cut off inside its {header} header"),
            Malformed::Overrun(header) => write!(f, "its {header} header reaches beyond the length the packet claims"),
            Malformed::Version(version) => write!(f, "unexpected IP version {version}"),
            Malformed::Length(header) => write!(f, "its {header} header claims a length below the minimum"),
            Malformed::HopByHopNotFirst => f.write_str("an IPv6 hop-by-hop header in a later place than the first"),
            Malformed::TooManyExtensions => f.write_str("too many IPv6 extension headers"),
            Malformed::TooManyTags => f.write_str("too many VLAN tags"),
        }
    }
}

impl std::error::Error for Malformed {}
