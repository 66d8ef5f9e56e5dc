use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Unreadable;

/// A transport protocol by its IANA number (the IPv4 `protocol` field, IPv6's last `next header`).
///
/// It has one spelling: the name in [`NAMES`] where there is one, the number otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Protocol(pub u8);

/// Protocols with a name; the first spelling of a number is the one that is written.
const NAMES: &[(u8, &str)] = &[
    (1, "icmp"),
    (2, "igmp"),
    (4, "ipip"),
    (6, "tcp"),
    (17, "udp"),
    (33, "dccp"),
    (41, "ipv6"),
    (47, "gre"),
    (50, "esp"),
    (51, "ah"),
    (58, "icmpv6"),
    (58, "ipv6-icmp"),
    (58, "icmp6"),
    (89, "ospf"),
    (103, "pim"),
    (112, "vrrp"),
    (132, "sctp"),
    (136, "udplite"),
];

impl Protocol {
    pub const ICMP: Protocol = Protocol(1);
    pub const TCP: Protocol = Protocol(6);
    pub const UDP: Protocol = Protocol(17);
    pub const DCCP: Protocol = Protocol(33);
    pub const ICMPV6: Protocol = Protocol(58);
    pub const SCTP: Protocol = Protocol(132);
    pub const UDPLITE: Protocol = Protocol(136);

    /// Whether its header begins with a source and a destination port.
    pub const fn has_ports(self) -> bool {
        matches!(self.0, 6 | 17 | 33 | 132 | 136)
    }

    /// Whether a flow's port number is an ICMP type.
    pub const fn has_icmp_types(self) -> bool {
        matches!(self.0, 1 | 58)
    }

    /// The name, where there is one.
    pub fn name(self) -> Option<&'static str> {
        NAMES.iter().find(|(number, _)| *number == self.0).map(|(_, name)| *name)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => f.pad(&self.0.to_string()),
        }
    }
}

impl fmt::Debug for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Protocol {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Protocol, Unreadable> {
        let lower = text.to_ascii_lowercase();
        if let Some((number, _)) = NAMES.iter().find(|(_, name)| *name == lower) {
            return Ok(Protocol(*number));
        }
        if !text.is_empty()
            && text.bytes().all(|b| b.is_ascii_digit())
            && let Ok(number) = text.parse()
        {
            return Ok(Protocol(number));
        }
        Err(Unreadable {
            expected: "a protocol: tcp, udp, icmp, icmpv6, sctp, dccp, udplite, gre, esp … or a number from 0 to 255",
        })
    }
}

impl TryFrom<String> for Protocol {
    type Error = Unreadable;
    fn try_from(text: String) -> Result<Protocol, Unreadable> {
        text.parse()
    }
}

impl From<Protocol> for String {
    fn from(protocol: Protocol) -> String {
        protocol.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_one_spelling_that_reads_back() {
        for number in 0..=255 {
            let protocol = Protocol(number);
            assert_eq!(protocol.to_string().parse(), Ok(protocol));
        }
    }

    #[test]
    fn other_spellings_mean_the_same_protocol() {
        for text in ["icmpv6", "ipv6-icmp", "icmp6", "ICMPv6", "58"] {
            assert_eq!(text.parse(), Ok(Protocol::ICMPV6), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_protocol() {
        for text in ["", "256", "-1", "+6", "tcpp", " tcp"] {
            assert!(text.parse::<Protocol>().is_err(), "{text:?}");
        }
    }
}
