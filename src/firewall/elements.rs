//! Decisions as elements of kernel sets: pure, and the way back for what a dump shows.

use std::fmt::Write;

use crate::config::settings::Placement;
use crate::flow::Destination;
use crate::flow::{DeviceMode, Key, Mac, Port, Protocol, State};

use super::set::{Answer, Set, Shape};

/// One element of one of our sets. Eleven bytes, because the firewall remembers one for each decided flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Element {
    pub place: Place,
    /// What the element says; none in sets that only hold devices.
    pub answer: Option<Answer>,
}

/// An element's key, and the set it stands in: one place has one answer at most.
///
/// `number` is the port, or the ICMP type; 0 where the set's shape has neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
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

/// Where a decision about a flow lives, whichever it is. `None`: the kernel has no set for it (destination scope).
pub(super) fn of_key(key: &Key) -> Option<Place> {
    if key.destination != Destination::Any {
        return None;
    }
    let place = |set, number| Place { set, mac: key.mac, protocol: key.protocol, number: Number::new(number) };
    match key.port {
        Port::Number(port) if key.protocol.has_ports() => Some(place(Set::Flows, port)),
        Port::Number(kind) if key.protocol.has_icmp_types() => {
            // An ICMP type has eight bits; a key that claims more matches no packet.
            u8::try_from(kind).ok()?;
            Some(place(if key.protocol == Protocol::ICMP { Set::FlowsIcmp } else { Set::FlowsIcmp6 }, kind))
        }
        _ => Some(place(Set::FlowsProto, 0)),
    }
}

/// What a map says of a flow in this state.
pub(super) fn answer(state: State) -> Option<Answer> {
    match state {
        State::Pending => None,
        State::Denied => Some(Answer::Deny),
        State::Allowed => Some(Answer::Allow),
    }
}

/// The element of a decision about a flow. `None`: nothing was decided, or the kernel has no set for it.
pub fn of_flow(key: &Key, state: State) -> Option<Element> {
    let answer = Some(answer(state)?);
    Some(Element { place: of_key(key)?, answer })
}

/// The element a device's mode comes to; `None` for [`DeviceMode::Default`].
pub fn of_device(mac: Mac, mode: DeviceMode) -> Option<Element> {
    let (set, answer) = match mode {
        DeviceMode::Default => return None,
        DeviceMode::Learn => (Set::Learners, None),
        DeviceMode::Enforce => (Set::Enforced, None),
        DeviceMode::Trust => (Set::WholeDevices, Some(Answer::Allow)),
        DeviceMode::Block => (Set::WholeDevices, Some(Answer::Deny)),
    };
    Some(Element { place: Place { set, mac, protocol: Protocol(0), number: Number::NONE }, answer })
}

impl Place {
    /// The flow it decides; `None` for devices.
    pub fn flow(&self) -> Option<Key> {
        let port = match self.set.shape() {
            Shape::Mac => return None,
            Shape::Service | Shape::IcmpType => Port::Number(self.number.get()),
            Shape::Protocol => Port::Any,
        };
        Some(Key::service(self.mac, self.protocol, port))
    }

    /// The place of a key as the kernel shows it (each part in network order, filled up with zeros to four bytes);
    /// `None` if the bytes are no key of this set.
    pub fn from_key(set: Set, key: &[u8]) -> Option<Place> {
        let (mac, rest) = key.split_first_chunk::<6>()?;
        let place = |protocol, number| Some(Place { set, mac: Mac(*mac), protocol, number });
        let icmp = if set == Set::FlowsIcmp { Protocol::ICMP } else { Protocol::ICMPV6 };
        match (set.shape(), rest) {
            (Shape::Mac, []) | (Shape::Mac, [_, _]) => place(Protocol(0), Number::NONE),
            (Shape::Service, [_, _, protocol, _, _, _, high, low, ..]) => {
                place(Protocol(*protocol), Number([*high, *low]))
            }
            (Shape::IcmpType, [_, _, kind, ..]) => place(icmp, Number::new(u16::from(*kind))),
            (Shape::Protocol, [_, _, protocol, ..]) => place(Protocol(*protocol), Number::NONE),
            _ => None,
        }
    }
}

impl Element {
    /// The element in nft's own language. Numbers, not names: a router's list of protocol names may be short.
    pub fn text(&self, placement: Placement) -> String {
        let Place { set, mac, protocol, number } = &self.place;
        let key = match set.shape() {
            Shape::Mac => mac.to_string(),
            Shape::Service => format!("{mac} . {} . {}", protocol.0, number.get()),
            Shape::IcmpType => format!("{mac} . {}", number.get()),
            Shape::Protocol => format!("{mac} . {}", protocol.0),
        };
        match self.answer {
            Some(answer) => format!("{key} : {}", answer.verdict(placement)),
            None => key,
        }
    }
}

/// Every element there should be, sorted and each place once.
pub fn wanted(flows: &[(Key, State)], devices: &[(Mac, DeviceMode)]) -> Vec<Element> {
    let flows = flows.iter().filter_map(|(key, state)| of_flow(key, *state));
    let devices = devices.iter().filter_map(|(mac, mode)| of_device(*mac, *mode));
    let mut all: Vec<Element> = flows.chain(devices).collect();
    all.sort_unstable();
    // Where two decisions have the same place in the kernel (a protocol without ports, and any port of it), a denial
    // stands first and counts.
    all.dedup_by_key(|element| element.place);
    all
}

/// The elements of one set as text, for [`super::set::definitions`].
pub fn listed(elements: &[Element], set: Set, placement: Placement) -> String {
    let mut text = String::new();
    for element in elements.iter().filter(|element| element.place.set == set) {
        let comma = if text.is_empty() { "" } else { ", " };
        let _ = write!(text, "{comma}{}", element.text(placement));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::NameId;

    const MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);

    fn flow(protocol: u8, port: Port) -> Key {
        Key::service(MAC, Protocol(protocol), port)
    }

    /// Protocol, port, where it lives, its key behind the MAC and its two bytes of padding.
    const PLACES: &[(u8, Port, Set, &[u8])] = &[
        (6, Port::Number(443), Set::Flows, &[6, 0, 0, 0, 0x01, 0xbb, 0, 0]),
        (17, Port::Number(53), Set::Flows, &[17, 0, 0, 0, 0, 53, 0, 0]),
        (132, Port::Number(9), Set::Flows, &[132, 0, 0, 0, 0, 9, 0, 0]),
        (6, Port::Any, Set::FlowsProto, &[6, 0, 0, 0]),
        (1, Port::Number(8), Set::FlowsIcmp, &[8, 0, 0, 0]),
        (58, Port::Number(128), Set::FlowsIcmp6, &[128, 0, 0, 0]),
        (1, Port::Any, Set::FlowsProto, &[1, 0, 0, 0]),
        (47, Port::Number(0), Set::FlowsProto, &[47, 0, 0, 0]),
    ];

    fn element(port: u16, state: State) -> Element {
        of_flow(&flow(6, Port::Number(port)), state).unwrap()
    }

    #[test]
    fn every_kind_of_flow_has_its_set_and_reads_back() {
        for (protocol, port, set, tail) in PLACES {
            let key = flow(*protocol, *port);
            let element = of_flow(&key, State::Allowed).unwrap();
            assert_eq!(element.place.set, *set, "{key}");
            assert_eq!(Place::from_key(*set, &[&MAC.0, &[0, 0][..], tail].concat()), Some(element.place), "{key}");
            // Where the kernel's key is wider than the flow's (gre has no ports), the flow comes back in its own form.
            assert_eq!(element.place.flow().map(|back| of_key(&back)), Some(Some(element.place)), "{key}");
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
    fn modes_of_devices_are_sets_or_answers_about_all_they_do() {
        let of = |mode| of_device(MAC, mode).map(|element| (element.place.set, element.answer));
        assert_eq!(of(DeviceMode::Default), None);
        assert_eq!(of(DeviceMode::Learn), Some((Set::Learners, None)));
        assert_eq!(of(DeviceMode::Enforce), Some((Set::Enforced, None)));
        assert_eq!(of(DeviceMode::Trust), Some((Set::WholeDevices, Some(Answer::Allow))));
        assert_eq!(of(DeviceMode::Block), Some((Set::WholeDevices, Some(Answer::Deny))));
        let place = of_device(MAC, DeviceMode::Block).unwrap().place;
        assert_eq!(Place::from_key(Set::WholeDevices, &MAC.0), Some(place));
    }

    #[test]
    fn an_answer_is_a_verdict_that_depends_on_the_placement() {
        let text = |state, placement| element(443, state).text(placement);
        assert_eq!(text(State::Allowed, Placement::Guard), "02:00:00:00:00:01 . 6 . 443 : accept");
        assert_eq!(text(State::Allowed, Placement::Fallback), "02:00:00:00:00:01 . 6 . 443 : goto allow");
        assert_eq!(text(State::Denied, Placement::Guard), "02:00:00:00:00:01 . 6 . 443 : goto deny");
        assert_eq!(of_device(MAC, DeviceMode::Learn).unwrap().text(Placement::Guard), "02:00:00:00:00:01");
    }

    #[test]
    fn of_two_decisions_in_one_place_the_denial_counts() {
        let (whole, any) = (flow(47, Port::Number(0)), flow(47, Port::Any));
        for [first, second] in [[State::Allowed, State::Denied], [State::Denied, State::Allowed]] {
            assert_eq!(wanted(&[(whole, first), (any, second)], &[]), [of_flow(&any, State::Denied).unwrap()]);
        }
    }

    #[test]
    fn an_element_is_small() {
        assert!(size_of::<Element>() <= 11);
    }
}
