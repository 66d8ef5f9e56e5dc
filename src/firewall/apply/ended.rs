//! What a denial ends, and that the other end does not begin it anew.

use std::net::IpAddr;

use super::Kernel;
use crate::firewall::elements::{self, Place};
use crate::firewall::message::Subject;
use crate::firewall::set::{ENDED4, ENDED6};
use crate::flow::{DeviceMode, Mac, Protocol};
use crate::netlink::Error;
use crate::netlink::conntrack::{Connection, Ends};
use crate::netlink::sets::{Change, KeyBytes, To};

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

    /// Has answers to these connections dropped, whether they still run or not: this must be there before they end.
    pub fn end_answers<'a>(&mut self, connections: impl Iterator<Item = &'a Connection>) -> Result<(), Error> {
        let changes: Vec<Change<'_>> = connections
            .filter_map(|connection| element(connection.source, connection.protocol, connection.answers?))
            .collect();
        self.sets.apply(&changes).failed.into_iter().next().map_or(Ok(()), |(_, error)| Err(error))
    }
}

/// Where it says how a device is treated as a whole.
fn whole(mac: Mac) -> Option<Place> {
    elements::of_device(mac, DeviceMode::Block).map(|element| element.place)
}

/// `None` where there is nothing to drop: answers that the kernel translates (masquerading) find no way back to the device
/// without their connection, and protocols without ports have none to tell by.
fn element(device: IpAddr, protocol: Protocol, answers: Ends) -> Option<Change<'static>> {
    if answers.destination != device || !protocol.has_ports() {
        return None;
    }
    let (set, ends) = match (answers.source, answers.destination) {
        (IpAddr::V4(source), IpAddr::V4(device)) => (ENDED4, KeyBytes::new().ipv4_addr(source).ipv4_addr(device)),
        (IpAddr::V6(source), IpAddr::V6(device)) => (ENDED6, KeyBytes::new().ipv6_addr(source).ipv6_addr(device)),
        _ => return None,
    };
    let key = ends.inet_proto(protocol).inet_service(answers.source_port).inet_service(answers.destination_port);
    Some(Change { set, key, to: To::Present })
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
        let change = element(device, Protocol::TCP, ends("198.51.100.2", "192.168.1.2")).unwrap();
        assert_eq!((change.set, change.to), ("ended4", To::Present));
        let expected = [[198, 51, 100, 2], [192, 168, 1, 2], [6, 0, 0, 0], [1, 187, 0, 0], [0xc3, 0x50, 0, 0]];
        assert_eq!(change.key.as_bytes(), expected.concat());
        let v6 = element("fd00::2".parse().unwrap(), Protocol::UDP, ends("2001:db8::1", "fd00::2")).unwrap();
        assert_eq!((v6.set, v6.key.as_bytes().len()), ("ended6", 44));
    }

    #[test]
    fn answers_that_are_translated_need_nothing() {
        let device = "192.168.1.2".parse().unwrap();
        assert_eq!(element(device, Protocol::TCP, ends("198.51.100.2", "198.51.100.1")), None);
        assert_eq!(element(device, Protocol::ICMP, ends("198.51.100.2", "192.168.1.2")), None);
    }
}
