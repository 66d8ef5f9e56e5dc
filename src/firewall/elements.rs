//! Decisions as elements of kernel sets: pure, and the way back for what a dump shows.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::flow::Destination;
use crate::flow::{DeviceMode, Key, Mac, Port, Protocol, State};

use super::message::Change;
use super::set::{Set, Shape};

/// One element of one of our sets. Eleven bytes, because the firewall remembers one for each decided flow.
///
/// `number` is the port, or the ICMP type; 0 where the set's shape has neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Element {
    pub set: Set,
    pub mac: Mac,
    pub protocol: Protocol,
    pub number: Number,
}

/// A port or a type. Stored as bytes, so that an [`Element`] has no padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number([u8; 2]);

impl Number {
    const NONE: Number = Number([0; 2]);

    pub const fn new(number: u16) -> Number {
        Number(number.to_be_bytes())
    }

    pub const fn get(self) -> u16 {
        u16::from_be_bytes(self.0)
    }
}

/// Where a decision about a flow lives. `None`: nowhere, because nothing was decided, or because the kernel has no
/// set for it (destination scope).
pub fn of_flow(key: &Key, state: State) -> Option<Element> {
    let denied = match state {
        State::Pending => return None,
        State::Denied => true,
        State::Allowed => false,
    };
    if key.destination != Destination::Any {
        return None;
    }
    let pick = |if_denied, if_allowed| if denied { if_denied } else { if_allowed };
    let element = |set, number| Element { set, mac: key.mac, protocol: key.protocol, number: Number::new(number) };
    match key.port {
        Port::Number(port) if key.protocol.has_ports() => Some(element(pick(Set::Denied, Set::Allowed), port)),
        Port::Number(kind) if key.protocol.has_icmp_types() => {
            // An ICMP type has eight bits; a key that claims more matches no packet.
            u8::try_from(kind).ok()?;
            let set = match key.protocol {
                Protocol::ICMP => pick(Set::DeniedIcmp, Set::AllowedIcmp),
                _ => pick(Set::DeniedIcmp6, Set::AllowedIcmp6),
            };
            Some(element(set, kind))
        }
        _ => Some(element(pick(Set::DeniedProto, Set::AllowedProto), 0)),
    }
}

/// The set a device's mode puts it into; `None` for [`DeviceMode::Default`].
pub fn of_device(mac: Mac, mode: DeviceMode) -> Option<Element> {
    let set = match mode {
        DeviceMode::Default => return None,
        DeviceMode::Learn => Set::Learners,
        DeviceMode::Enforce => Set::Enforced,
        DeviceMode::Trust => Set::Trusted,
        DeviceMode::Block => Set::Blocked,
    };
    Some(Element { set, mac, protocol: Protocol(0), number: Number::NONE })
}

impl Element {
    /// The flow it decides; `None` for elements that are devices.
    pub fn flow(&self) -> Option<Key> {
        let port = match self.set.shape() {
            Shape::Mac => return None,
            Shape::Service | Shape::IcmpType => Port::Number(self.number.get()),
            Shape::Protocol => Port::Any,
        };
        Some(Key::service(self.mac, self.protocol, port))
    }

    /// The element of a key as the kernel shows it (each part in network order, filled up with zeros to four bytes);
    /// `None` if the bytes are no key of this set.
    pub fn from_key(set: Set, key: &[u8]) -> Option<Element> {
        let (mac, rest) = key.split_first_chunk::<6>()?;
        let element = |protocol, number| Some(Element { set, mac: Mac(*mac), protocol, number });
        let icmp = match set {
            Set::DeniedIcmp | Set::AllowedIcmp => Protocol::ICMP,
            _ => Protocol::ICMPV6,
        };
        match (set.shape(), rest) {
            (Shape::Mac, []) | (Shape::Mac, [_, _]) => element(Protocol(0), Number::NONE),
            (Shape::Service, [_, _, protocol, _, _, _, high, low, ..]) => {
                element(Protocol(*protocol), Number([*high, *low]))
            }
            (Shape::IcmpType, [_, _, kind, ..]) => element(icmp, Number::new(u16::from(*kind))),
            (Shape::Protocol, [_, _, protocol, ..]) => element(Protocol(*protocol), Number::NONE),
            _ => None,
        }
    }

    /// The element in nft's own language. Numbers, not names: a router's list of protocol names may be short.
    pub fn text(&self) -> String {
        match self.set.shape() {
            Shape::Mac => self.mac.to_string(),
            Shape::Service => format!("{} . {} . {}", self.mac, self.protocol.0, self.number.get()),
            Shape::IcmpType => format!("{} . {}", self.mac, self.number.get()),
            Shape::Protocol => format!("{} . {}", self.mac, self.protocol.0),
        }
    }
}

/// Every element there should be, sorted and each once.
pub fn wanted(flows: &[(Key, State)], devices: &[(Mac, DeviceMode)]) -> Vec<Element> {
    let flows = flows.iter().filter_map(|(key, state)| of_flow(key, *state));
    let devices = devices.iter().filter_map(|(mac, mode)| of_device(*mac, *mode));
    let mut all: Vec<Element> = flows.chain(devices).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The elements of one set as text, for [`super::set::definitions`].
pub fn listed(elements: &[Element], set: Set) -> String {
    let mut text = String::new();
    for element in elements.iter().filter(|element| element.set == set) {
        let comma = if text.is_empty() { "" } else { ", " };
        let _ = write!(text, "{comma}{}", element.text());
    }
    text
}

/// What to take out of the sets and what to put in. Both become valid in one transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delta {
    pub remove: Vec<Element>,
    pub add: Vec<Element>,
}

impl Delta {
    /// What a group of changes comes to. A flow that changes twice ends as its last change says.
    pub fn of_changes(changes: &[Change]) -> Delta {
        let (mut remove, mut add) = (BTreeSet::new(), BTreeSet::new());
        for change in changes {
            let place = |state: Option<State>| state.and_then(|state| of_flow(&change.key, state));
            if let Some(element) = place(change.before)
                && !add.remove(&element)
            {
                remove.insert(element);
            }
            if let Some(element) = place(change.after)
                && !remove.remove(&element)
            {
                add.insert(element);
            }
        }
        Delta { remove: remove.into_iter().collect(), add: add.into_iter().collect() }
    }

    /// What a device's change of mode comes to.
    pub fn of_device(mac: Mac, before: DeviceMode, after: DeviceMode) -> Delta {
        if before == after {
            return Delta::default();
        }
        Delta { remove: of_device(mac, before).into_iter().collect(), add: of_device(mac, after).into_iter().collect() }
    }

    /// What makes `wanted` out of `present`; both are sorted.
    pub fn between(present: &[Element], wanted: &[Element]) -> Delta {
        let absent = |list: &[Element], element: &Element| list.binary_search(element).is_err();
        Delta {
            remove: present.iter().filter(|element| absent(wanted, element)).copied().collect(),
            add: wanted.iter().filter(|element| absent(present, element)).copied().collect(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.add.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::NameId;

    const MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);

    fn flow(protocol: u8, port: Port) -> Key {
        Key::service(MAC, Protocol(protocol), port)
    }

    /// Protocol, port, where it lives when allowed, its key behind the MAC and its two bytes of padding.
    const PLACES: &[(u8, Port, Set, &[u8])] = &[
        (6, Port::Number(443), Set::Allowed, &[6, 0, 0, 0, 0x01, 0xbb, 0, 0]),
        (17, Port::Number(53), Set::Allowed, &[17, 0, 0, 0, 0, 53, 0, 0]),
        (132, Port::Number(9), Set::Allowed, &[132, 0, 0, 0, 0, 9, 0, 0]),
        (6, Port::Any, Set::AllowedProto, &[6, 0, 0, 0]),
        (1, Port::Number(8), Set::AllowedIcmp, &[8, 0, 0, 0]),
        (58, Port::Number(128), Set::AllowedIcmp6, &[128, 0, 0, 0]),
        (1, Port::Any, Set::AllowedProto, &[1, 0, 0, 0]),
        (47, Port::Number(0), Set::AllowedProto, &[47, 0, 0, 0]),
    ];

    #[test]
    fn every_kind_of_flow_has_its_set_and_reads_back() {
        for (protocol, port, set, tail) in PLACES {
            let key = flow(*protocol, *port);
            let element = of_flow(&key, State::Allowed).unwrap();
            assert_eq!(element.set, *set, "{key}");
            assert_eq!(Element::from_key(*set, &[&MAC.0, &[0, 0][..], tail].concat()), Some(element), "{key}");
            // Where the kernel's key is wider than the flow's (gre has no ports), the flow comes back in its own form.
            assert_eq!(element.flow().map(|back| of_flow(&back, State::Allowed)), Some(Some(element)), "{key}");
        }
    }

    #[test]
    fn what_is_undecided_or_bound_to_a_destination_lives_nowhere() {
        assert_eq!(of_flow(&flow(6, Port::Number(1)), State::Pending), None);
        let bound = Key { destination: Destination::Name(NameId(1)), ..flow(6, Port::Number(443)) };
        assert_eq!(of_flow(&bound, State::Allowed), None);
        assert_eq!(of_flow(&flow(1, Port::Number(300)), State::Allowed), None);
    }

    #[test]
    fn modes_of_devices_are_sets() {
        let set = |mode| of_device(MAC, mode).map(|element| element.set);
        assert_eq!(set(DeviceMode::Default), None);
        assert_eq!(set(DeviceMode::Learn), Some(Set::Learners));
        assert_eq!(set(DeviceMode::Enforce), Some(Set::Enforced));
        assert_eq!(set(DeviceMode::Trust), Some(Set::Trusted));
        assert_eq!(set(DeviceMode::Block), Some(Set::Blocked));
        assert_eq!(Element::from_key(Set::Blocked, &MAC.0), of_device(MAC, DeviceMode::Block));
    }

    #[test]
    fn a_reversed_decision_moves_from_one_set_to_the_other() {
        let key = flow(6, Port::Number(443));
        let delta = Delta::of_changes(&[Change { key, before: Some(State::Allowed), after: Some(State::Denied) }]);
        assert_eq!(delta.remove, [of_flow(&key, State::Allowed).unwrap()]);
        assert_eq!(delta.add, [of_flow(&key, State::Denied).unwrap()]);
    }

    #[test]
    fn changes_that_undo_each_other_come_to_nothing() {
        let key = flow(6, Port::Number(443));
        let change = |before, after| Change { key, before, after };
        let there_and_back = [change(None, Some(State::Allowed)), change(Some(State::Allowed), None)];
        assert!(Delta::of_changes(&there_and_back).is_empty());
        let away_and_back = [change(Some(State::Allowed), None), change(None, Some(State::Allowed))];
        assert!(Delta::of_changes(&away_and_back).is_empty());
        assert!(Delta::of_changes(&[change(None, Some(State::Pending))]).is_empty());
    }

    #[test]
    fn stale_elements_go_and_missing_ones_come() {
        let element = |port| of_flow(&flow(6, Port::Number(port)), State::Allowed).unwrap();
        let delta = Delta::between(&[element(1), element(2)], &[element(2), element(3)]);
        assert_eq!(delta, Delta { remove: vec![element(1)], add: vec![element(3)] });
    }

    #[test]
    fn an_element_is_small() {
        assert!(size_of::<Element>() <= 10);
    }
}
