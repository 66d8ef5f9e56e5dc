//! What a denial ends, and that the other end does not begin it anew.

use std::net::IpAddr;

use super::Kernel;
use crate::firewall::elements::{self, Element, Place};
use crate::firewall::message::Subject;
use crate::firewall::set::{Answer, ENDED4, ENDED6};
use crate::flow::{DeviceMode, Key, Mac, Protocol};
use crate::netlink::Error;
use crate::netlink::conntrack::{Connection, Ends};
use crate::netlink::sets::{Change, KeyBytes, To};

/// Connections of a device whose answers are looked for. One that has more is left to what its packets meet themselves: it
/// could fill the sets, and there would be no room for what is denied of others.
const AT_ONCE: usize = 1024;

impl Kernel {
    /// Whether the sets say that this is denied.
    pub fn denies(&self, subject: &Subject) -> bool {
        let place = match subject {
            Subject::Flow(key) => elements::of_key(key),
            Subject::Device(mac) => whole(*mac),
        };
        place.is_some_and(|place| self.known.denies(&place))
    }

    /// Whether the sets say that a device may do everything, whatever is denied of it.
    pub fn trusts(&self, mac: Mac) -> bool {
        whole(mac).is_some_and(|place| self.known.allows(&place))
    }

    /// Whether the sets say that this flow is allowed, by itself.
    pub fn allows(&self, key: &Key) -> bool {
        elements::of_key(key).is_some_and(|place| self.known.allows(&place))
    }

    /// The flows of a device that are denied, whatever is said of it as a whole.
    pub fn denied_of(&self, mac: Mac) -> Vec<Key> {
        let denied = |element: &Element| element.place.mac == mac && element.answer == Some(Answer::Deny);
        self.known
            .elements()
            .iter()
            .filter(|element| denied(element))
            .filter_map(|element| element.place.flow())
            .collect()
    }

    /// Has answers to these connections dropped, whether they still run or not: this must be there before they end.
    pub fn end_answers<'a>(&mut self, connections: impl Iterator<Item = &'a Connection>) -> Result<(), Error> {
        let elements = connections
            .filter_map(|connection| element(connection.source, connection.protocol, connection.answers?))
            .map(|(set, key)| Change { set, key, to: To::Present });
        self.change_ended(elements.take(AT_ONCE).collect())
    }

    /// Lets answers be packets like others, of which `which` says so by the device's address, the protocol and the other end's
    /// port.
    pub fn lift(&mut self, which: impl Fn(IpAddr, Protocol, u16) -> bool) -> Result<(), Error> {
        let mut elements = Vec::new();
        for (set, v6) in [(ENDED4, false), (ENDED6, true)] {
            self.sets.elements(set, |shown| {
                let Some((device, protocol, answers)) = answers(shown.key, v6) else { return };
                if which(device, protocol, answers.source_port) {
                    elements.extend(element(device, protocol, answers));
                }
            })?;
        }
        self.change_ended(elements.into_iter().map(|(set, key)| Change { set, key, to: To::Absent }).collect())
    }

    fn change_ended(&mut self, changes: Vec<Change<'_>>) -> Result<(), Error> {
        self.sets.apply(&changes).failed.into_iter().next().map_or(Ok(()), |(_, error)| Err(error))
    }
}

/// Where it says how a device is treated as a whole.
fn whole(mac: Mac) -> Option<Place> {
    elements::of_device(mac, DeviceMode::Block).map(|element| element.place)
}

/// `None` where there is nothing to drop: answers that the kernel translates (masquerading) find no way back to the device
/// without their connection, many answer to a group, and protocols without ports have none to tell by.
fn element(device: IpAddr, protocol: Protocol, answers: Ends) -> Option<(&'static str, KeyBytes)> {
    if answers.destination != device || answers.source.is_multicast() || !protocol.has_ports() {
        return None;
    }
    let (set, ends) = match (answers.source, answers.destination) {
        (IpAddr::V4(source), IpAddr::V4(device)) => (ENDED4, KeyBytes::new().ipv4_addr(source).ipv4_addr(device)),
        (IpAddr::V6(source), IpAddr::V6(device)) => (ENDED6, KeyBytes::new().ipv6_addr(source).ipv6_addr(device)),
        _ => return None,
    };
    Some((set, ends.inet_proto(protocol).inet_service(answers.source_port).inet_service(answers.destination_port)))
}

/// The way back, for what a listing shows: the device, the protocol, the ends.
fn answers(key: &[u8], v6: bool) -> Option<(IpAddr, Protocol, Ends)> {
    let (source, destination, rest) = if v6 {
        let (source, rest) = key.split_first_chunk::<16>()?;
        let (destination, rest) = rest.split_first_chunk::<16>()?;
        (IpAddr::from(*source), IpAddr::from(*destination), rest)
    } else {
        let (source, rest) = key.split_first_chunk::<4>()?;
        let (destination, rest) = rest.split_first_chunk::<4>()?;
        (IpAddr::from(*source), IpAddr::from(*destination), rest)
    };
    let [protocol, _, _, _, source_high, source_low, _, _, high, low, ..] = *rest else { return None };
    let source_port = u16::from_be_bytes([source_high, source_low]);
    let ends = Ends { source, destination, source_port, destination_port: u16::from_be_bytes([high, low]) };
    Some((destination, Protocol(protocol), ends))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(source: &str, destination: &str) -> Ends {
        let [source, destination] = [source, destination].map(|address| address.parse().unwrap());
        Ends { source, destination, source_port: 443, destination_port: 50000 }
    }

    #[test]
    fn answers_are_told_by_both_ends() {
        let device = "192.168.1.2".parse().unwrap();
        let (set, key) = element(device, Protocol::TCP, ends("198.51.100.2", "192.168.1.2")).unwrap();
        assert_eq!(set, "ended4");
        let expected = [[198, 51, 100, 2], [192, 168, 1, 2], [6, 0, 0, 0], [1, 187, 0, 0], [0xc3, 0x50, 0, 0]];
        assert_eq!(key.as_bytes(), expected.concat());
        let v6 = element("fd00::2".parse().unwrap(), Protocol::UDP, ends("2001:db8::1", "fd00::2")).unwrap();
        assert_eq!((v6.0, v6.1.as_bytes().len()), ("ended6", 44));
    }

    #[test]
    fn what_a_listing_shows_is_what_was_put_in() {
        for (source, device) in [("198.51.100.2", "192.168.1.2"), ("2001:db8::1", "fd00::2")] {
            let ends = ends(source, device);
            let (_, key) = element(ends.destination, Protocol::UDP, ends).unwrap();
            let shown = answers(key.as_bytes(), ends.source.is_ipv6());
            assert_eq!(shown, Some((ends.destination, Protocol::UDP, ends)));
            assert_eq!(answers(&key.as_bytes()[..key.as_bytes().len() - 4], ends.source.is_ipv6()), None);
        }
    }

    #[test]
    fn answers_that_are_translated_need_nothing() {
        let device = "192.168.1.2".parse().unwrap();
        assert_eq!(element(device, Protocol::TCP, ends("198.51.100.2", "198.51.100.1")), None);
        assert_eq!(element(device, Protocol::ICMP, ends("198.51.100.2", "192.168.1.2")), None);
        assert_eq!(element(device, Protocol::UDP, ends("239.1.2.3", "192.168.1.2")), None);
    }
}
