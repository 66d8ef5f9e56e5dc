//! The sets of `table inet glacic`: their names, types and sizes. They are the same in every placement and mode, so
//! that a change of plan swaps chains and leaves sets and their counters alone.

use std::fmt::Write;

use super::plan::Limits;

/// Changes with every change of a set's name, type or flags: tables of another schema are replaced as a whole.
const SCHEMA: u32 = 1;

/// The set and object names below live in this table.
pub const TABLE: &str = "glacic";

/// Counts packets of guarded interfaces that carry no hardware address.
pub const NO_MAC: &str = "no_mac";

/// A set that glacic fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Set {
    Blocked,
    Trusted,
    /// Devices that are enforced while the house learns.
    Enforced,
    /// Devices that learn while the house enforces.
    Learners,
    Denied,
    Allowed,
    DeniedIcmp,
    AllowedIcmp,
    DeniedIcmp6,
    AllowedIcmp6,
    /// Protocols without ports, and decisions about any port of a protocol.
    DeniedProto,
    AllowedProto,
}

/// What a set's key is made of. Each part takes a multiple of four bytes in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `ether_addr`
    Mac,
    /// `ether_addr . inet_proto . inet_service`
    Service,
    /// `ether_addr . icmp_type` (or `icmpv6_type`)
    IcmpType,
    /// `ether_addr . inet_proto`
    Protocol,
}

impl Set {
    pub const ALL: [Set; 12] = [
        Set::Blocked,
        Set::Trusted,
        Set::Enforced,
        Set::Learners,
        Set::Denied,
        Set::Allowed,
        Set::DeniedIcmp,
        Set::AllowedIcmp,
        Set::DeniedIcmp6,
        Set::AllowedIcmp6,
        Set::DeniedProto,
        Set::AllowedProto,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Set::Blocked => "blocked",
            Set::Trusted => "trusted",
            Set::Enforced => "enforced",
            Set::Learners => "learners",
            Set::Denied => "denied",
            Set::Allowed => "allowed",
            Set::DeniedIcmp => "denied_icmp",
            Set::AllowedIcmp => "allowed_icmp",
            Set::DeniedIcmp6 => "denied_icmp6",
            Set::AllowedIcmp6 => "allowed_icmp6",
            Set::DeniedProto => "denied_proto",
            Set::AllowedProto => "allowed_proto",
        }
    }

    pub const fn shape(self) -> Shape {
        match self {
            Set::Blocked | Set::Trusted | Set::Enforced | Set::Learners => Shape::Mac,
            Set::Denied | Set::Allowed => Shape::Service,
            Set::DeniedIcmp | Set::AllowedIcmp | Set::DeniedIcmp6 | Set::AllowedIcmp6 => Shape::IcmpType,
            Set::DeniedProto | Set::AllowedProto => Shape::Protocol,
        }
    }

    /// Whether its elements count connections: all but those that are only looked up on the way to another decision.
    pub const fn counts(self) -> bool {
        !matches!(self, Set::Enforced | Set::Learners)
    }

    /// Elements it holds at most.
    pub const fn size(self, limits: Limits) -> u32 {
        match self.shape() {
            Shape::Mac => limits.devices,
            Shape::Service => limits.flows,
            // A device has a handful of these; a quarter of all flows is more than was ever seen.
            Shape::IcmpType | Shape::Protocol => limits.flows / 4,
        }
    }

    const fn datatype(self) -> &'static str {
        match self {
            Set::DeniedIcmp6 | Set::AllowedIcmp6 => "ether_addr . icmpv6_type",
            _ => match self.shape() {
                Shape::Mac => "ether_addr",
                Shape::Service => "ether_addr . inet_proto . inet_service",
                Shape::IcmpType => "ether_addr . icmp_type",
                Shape::Protocol => "ether_addr . inet_proto",
            },
        }
    }

    const fn comment(self) -> &'static str {
        match self {
            Set::Blocked => "devices that may do nothing",
            Set::Trusted => "devices that may do everything",
            Set::Enforced => "devices that do not learn while the others do",
            Set::Learners => "devices that learn while the others do not",
            Set::Denied => "denied flows: device, protocol, port",
            Set::Allowed => "allowed flows: device, protocol, port",
            Set::DeniedIcmp | Set::DeniedIcmp6 => "denied flows: device, ICMP type",
            Set::AllowedIcmp | Set::AllowedIcmp6 => "allowed flows: device, ICMP type",
            Set::DeniedProto => "denied flows: device, protocol (any port)",
            Set::AllowedProto => "allowed flows: device, protocol (any port)",
        }
    }
}

/// The table's comment. It says which sets the table has, so that whoever finds it loaded knows whether they fit.
pub fn schema(limits: Limits) -> String {
    format!("glacic, sets v{SCHEMA}, {} flows, {} devices", limits.flows, limits.devices)
}

/// The definitions of all sets as lines inside the table's block. `elements` gives what is written into a set as
/// nft text; empty text leaves it empty.
pub fn definitions(limits: Limits, elements: impl Fn(Set) -> String) -> String {
    let mut text = String::new();
    let devices = limits.devices;
    // LAN hosts choose their addresses: sizes and timeouts bound what they can make the kernel keep.
    let _ = write!(
        text,
        "\tcounter {NO_MAC} {{\n\t\tcomment \"packets without a hardware address\"\n\t}}\n\
         \tset dev4 {{\n\t\ttype ether_addr . ipv4_addr\n\t\tsize {}\n\t\tflags dynamic,timeout\n\t\ttimeout 1d\n\
         \t\tcomment \"IPv4 addresses of devices\"\n\t}}\n\
         \tset dev6 {{\n\t\ttype ether_addr . ipv6_addr\n\t\tsize {}\n\t\tflags dynamic,timeout\n\t\ttimeout 1d\n\
         \t\tcomment \"IPv6 addresses of devices\"\n\t}}\n\
         \tset flood {{\n\t\ttype ether_addr\n\t\tsize {devices}\n\t\tflags dynamic,timeout\n\t\ttimeout 1m\n\
         \t\tcomment \"new flows a device may ask about\"\n\t}}\n",
        devices.saturating_mul(4),
        devices.saturating_mul(8),
    );
    for set in Set::ALL {
        let _ = write!(text, "\tset {} {{\n\t\ttype {}\n\t\tsize {}\n", set.name(), set.datatype(), set.size(limits));
        if set.counts() {
            text.push_str("\t\tcounter\n");
        }
        let _ = writeln!(text, "\t\tcomment \"{}\"", set.comment());
        let elements = elements(set);
        if !elements.is_empty() {
            let _ = writeln!(text, "\t\telements = {{ {elements} }}");
        }
        text.push_str("\t}\n");
    }
    text
}
