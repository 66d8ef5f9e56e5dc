//! Lists of the owner's as nft matches: interfaces, networks, the baseline. Pure.

use std::collections::BTreeSet;

use ipnet::IpNet;

use crate::config::settings::Baseline;
use crate::flow::{Port, Protocol};

/// One interface by its name, several as an anonymous set, which takes the kernel longer; `None` for none. The names were
/// checked when they were made.
pub fn interfaces<'a>(names: impl Iterator<Item = &'a str>) -> Option<String> {
    let names: Vec<String> = names.map(|name| format!("\"{name}\"")).collect();
    match &names[..] {
        [] => None,
        [one] => Some(one.clone()),
        _ => Some(format!("{{ {} }}", names.join(", "))),
    }
}

/// Matches on what the owner allowed everybody.
pub fn baseline(entries: &[Baseline]) -> impl Iterator<Item = String> {
    let (mut ports, mut icmp, mut icmp6, mut whole) =
        (BTreeSet::new(), BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for Baseline { protocol, port } in entries {
        match port {
            Port::Number(port) if protocol.has_ports() => drop(ports.insert((protocol.0, *port))),
            Port::Number(kind) if *protocol == Protocol::ICMP => drop(icmp.insert(*kind)),
            Port::Number(kind) if *protocol == Protocol::ICMPV6 => drop(icmp6.insert(*kind)),
            _ => drop(whole.insert(protocol.0)),
        }
    }
    let ports = ports.into_iter().map(|(protocol, port)| format!("{protocol} . {port}"));
    [
        listing("meta l4proto . th dport", ports),
        listing("icmp type", icmp.into_iter().filter(|kind| *kind < 256).map(|kind| kind.to_string())),
        listing("icmpv6 type", icmp6.into_iter().filter(|kind| *kind < 256).map(|kind| kind.to_string())),
        listing("meta l4proto", whole.into_iter().map(|protocol| protocol.to_string())),
    ]
    .into_iter()
    .flatten()
}

/// An address family, as nft names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    pub const BOTH: [Family; 2] = [Family::V4, Family::V6];

    pub fn name(self) -> &'static str {
        match self {
            Family::V4 => "ipv4",
            Family::V6 => "ipv6",
        }
    }

    pub fn field(self) -> &'static str {
        match self {
            Family::V4 => "ip daddr",
            Family::V6 => "ip6 daddr",
        }
    }
}

/// The part of a list of networks that belongs to one family.
pub enum Destinations {
    None,
    All,
    Some(String),
}

/// The networks of one family as the inside of an nft set. They may overlap, which nft would refuse: they are merged.
pub fn destinations(networks: &[IpNet], family: Family) -> Destinations {
    let own = networks.iter().map(IpNet::trunc).filter(|network| network.addr().is_ipv4() == (family == Family::V4));
    let own = IpNet::aggregate(&own.collect());
    if own.iter().any(|network| network.prefix_len() == 0) {
        return Destinations::All;
    }
    match own.is_empty() {
        true => Destinations::None,
        false => Destinations::Some(own.iter().map(IpNet::to_string).collect::<Vec<_>>().join(", ")),
    }
}

/// Matches on destinations in these networks.
pub fn networks(networks: &[IpNet]) -> impl Iterator<Item = String> {
    Family::BOTH.into_iter().filter_map(|family| match destinations(networks, family) {
        Destinations::None => None,
        Destinations::All => Some(format!("meta nfproto {}", family.name())),
        Destinations::Some(networks) => Some(format!("{} {{ {networks} }}", family.field())),
    })
}

fn listing(field: &str, items: impl Iterator<Item = String>) -> Option<String> {
    let items: Vec<String> = items.collect();
    (!items.is_empty()).then(|| format!("{field} {{ {} }}", items.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(list: &[&str]) -> Vec<String> {
        networks(&list.iter().map(|network| network.parse().unwrap()).collect::<Vec<_>>()).collect()
    }

    #[test]
    fn networks_that_overlap_are_one() {
        assert_eq!(of(&["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/8"]), ["ip daddr { 10.0.0.0/8 }"]);
        assert_eq!(of(&["fe80::/10", "10.0.0.0/8"]), ["ip daddr { 10.0.0.0/8 }", "ip6 daddr { fe80::/10 }"]);
    }

    #[test]
    fn everything_is_a_family_and_not_a_set() {
        assert_eq!(of(&["0.0.0.0/0", "10.0.0.0/8"]), ["meta nfproto ipv4"]);
        assert!(of(&[]).is_empty());
    }

    #[test]
    fn the_baseline_is_matched_by_what_its_protocol_has() {
        let entry = |protocol, port| Baseline { protocol: Protocol(protocol), port };
        let entries = [
            entry(17, Port::Number(123)),
            entry(17, Port::Number(123)),
            entry(6, Port::Any),
            entry(1, Port::Number(8)),
            entry(58, Port::Number(128)),
            entry(58, Port::Number(999)),
            entry(47, Port::Number(0)),
        ];
        let expected = [
            "meta l4proto . th dport { 17 . 123 }",
            "icmp type { 8 }",
            "icmpv6 type { 128 }",
            "meta l4proto { 6, 47 }",
        ];
        assert_eq!(baseline(&entries).collect::<Vec<_>>(), expected);
    }
}
