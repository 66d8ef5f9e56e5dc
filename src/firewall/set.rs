//! The sets of `table inet glacic`: their names, types and sizes. They are the same in every mode, so that a change of
//! plan swaps chains and leaves sets and their counters alone; what their elements say differs by placement.

use std::fmt::Write;

use crate::config::settings::Placement;

use super::plan::{Limits, Plan};

/// Changes with every change of a set's name, type or flags: tables of another schema are replaced as a whole.
const SCHEMA: u32 = 3;

/// The set and object names below live in this table.
pub const TABLE: &str = "glacic";

/// Counts packets of guarded interfaces that carry no hardware address.
pub const NO_MAC: &str = "no_mac";

/// Answers to connections that a denial has ended, by family: as their packets arrive, source, destination, protocol and
/// both ports.
pub const ENDED4: &str = "ended4";
pub const ENDED6: &str = "ended6";

/// The chains that elements lead to.
pub const ALLOW: &str = "allow";
pub const DENY: &str = "deny";

/// A set that glacic fills. Those that decide are maps: one lookup gives the answer, whichever it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Set {
    /// Devices that are blocked or trusted as a whole.
    WholeDevices,
    /// Devices that are enforced while the house learns.
    Enforced,
    /// Devices that learn while the house enforces.
    Learners,
    Flows,
    FlowsIcmp,
    FlowsIcmp6,
    /// Protocols without ports, and decisions about any port of a protocol.
    FlowsProto,
}

/// What a map says of a flow or a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    Deny,
    Allow,
}

impl Answer {
    /// The chain that packets go to; `None`: they are accepted at once. (In fallback placement they get a mark first.)
    pub const fn chain(self, placement: Placement) -> Option<&'static str> {
        match (self, placement) {
            (Answer::Deny, _) => Some(DENY),
            (Answer::Allow, Placement::Fallback) => Some(ALLOW),
            (Answer::Allow, Placement::Guard) => None,
        }
    }

    /// The verdict as nft writes it.
    pub const fn verdict(self, placement: Placement) -> &'static str {
        match (self, placement) {
            (Answer::Deny, _) => "goto deny",
            (Answer::Allow, Placement::Fallback) => "goto allow",
            (Answer::Allow, Placement::Guard) => "accept",
        }
    }
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
    pub const ALL: [Set; 7] =
        [Set::WholeDevices, Set::Enforced, Set::Learners, Set::Flows, Set::FlowsIcmp, Set::FlowsIcmp6, Set::FlowsProto];

    pub const fn name(self) -> &'static str {
        match self {
            Set::WholeDevices => "whole_devices",
            Set::Enforced => "enforced",
            Set::Learners => "learners",
            Set::Flows => "flows",
            Set::FlowsIcmp => "flows_icmp",
            Set::FlowsIcmp6 => "flows_icmp6",
            Set::FlowsProto => "flows_proto",
        }
    }

    pub const fn shape(self) -> Shape {
        match self {
            Set::WholeDevices | Set::Enforced | Set::Learners => Shape::Mac,
            Set::Flows => Shape::Service,
            Set::FlowsIcmp | Set::FlowsIcmp6 => Shape::IcmpType,
            Set::FlowsProto => Shape::Protocol,
        }
    }

    /// Whether it is a map: its elements have an [`Answer`] and count connections. The others are only looked up on the way
    /// to another decision.
    pub const fn decides(self) -> bool {
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
            Set::FlowsIcmp6 => "ether_addr . icmpv6_type",
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
            Set::WholeDevices => "devices that may do everything, or nothing",
            Set::Enforced => "devices that do not learn while the others do",
            Set::Learners => "devices that learn while the others do not",
            Set::Flows => "decided flows: device, protocol, port",
            Set::FlowsIcmp | Set::FlowsIcmp6 => "decided flows: device, ICMP type",
            Set::FlowsProto => "decided flows: device, protocol (any port)",
        }
    }
}

/// The table's comment. It says which sets the table has and what their elements say, so that whoever finds it loaded
/// knows whether they fit.
pub fn schema(plan: &Plan) -> String {
    let placement = match plan.placement {
        Placement::Guard => "guard",
        Placement::Fallback => "fallback",
    };
    format!("glacic {placement}, sets v{SCHEMA}, {} flows, {} devices", plan.limits.flows, plan.limits.devices)
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
    for (name, address) in [(ENDED4, "ipv4_addr"), (ENDED6, "ipv6_addr")] {
        let _ = write!(
            text,
            "\tset {name} {{\n\t\ttype {address} . {address} . inet_proto . inet_service . inet_service\n\t\tsize {}\n\
             \t\tflags dynamic,timeout\n\t\ttimeout 1h\n\t\tcomment \"answers to connections that a denial has ended\"\n\t}}\n",
            devices.saturating_mul(8),
        );
    }
    for set in Set::ALL {
        let (kind, answer, counter) =
            if set.decides() { ("map", " : verdict", "\t\tcounter\n") } else { ("set", "", "") };
        let (name, datatype, size) = (set.name(), set.datatype(), set.size(limits));
        let _ = write!(text, "\t{kind} {name} {{\n\t\ttype {datatype}{answer}\n\t\tsize {size}\n{counter}");
        let _ = writeln!(text, "\t\tcomment \"{}\"", set.comment());
        let elements = elements(set);
        if !elements.is_empty() {
            let _ = writeln!(text, "\t\telements = {{ {elements} }}");
        }
        text.push_str("\t}\n");
    }
    text
}
