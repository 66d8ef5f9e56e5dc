//! Ends the connections that a denial is about: with flow offload they have left the chains long ago and would go on for
//! as long as they talk.

use std::collections::BTreeMap;

use crate::flow::{DeviceMode, Key, Mac, Port, State};
use crate::netlink::conntrack::{Connection, Conntrack, Selection};
use crate::netlink::neighbours::{Neighbours, Reach};

use super::apply::Kernel;
use super::message::{Change, Report, Subject};

/// What was just denied, by device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Denied(BTreeMap<Mac, Vec<Subject>>);

impl Denied {
    pub fn of_changes(changes: &[Change]) -> Denied {
        let mut denied = Denied::default();
        for change in
            changes.iter().filter(|change| change.after == Some(State::Denied) && change.before != change.after)
        {
            denied.0.entry(change.key.mac).or_default().push(Subject::Flow(change.key));
        }
        denied
    }

    pub fn of_device(mac: Mac, after: DeviceMode) -> Denied {
        match after {
            DeviceMode::Block => Denied([(mac, vec![Subject::Device(mac)])].into()),
            _ => Denied::default(),
        }
    }

    /// All of what is denied. A device's mode goes before what is decided about its flows.
    pub fn of_load(flows: &[(Key, State)], devices: &[(Mac, DeviceMode)]) -> Denied {
        let mut denied = Denied::default();
        for (key, _) in flows.iter().filter(|(_, state)| *state == State::Denied) {
            denied.0.entry(key.mac).or_default().push(Subject::Flow(*key));
        }
        for (mac, mode) in devices {
            match mode {
                DeviceMode::Block => drop(denied.0.insert(*mac, vec![Subject::Device(*mac)])),
                DeviceMode::Trust => drop(denied.0.remove(mac)),
                _ => {}
            }
        }
        denied
    }

    /// What of it is denied still.
    pub fn still(mut self, denies: impl Fn(&Subject) -> bool) -> Denied {
        self.0.values_mut().for_each(|subjects| subjects.retain(&denies));
        self.0.retain(|_, subjects| !subjects.is_empty());
        self
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Ends every connection of what is denied, and tells of those that lived and of what went wrong. A device that may do
/// everything keeps its own.
pub fn cut(kernel: &mut Kernel, denied: &Denied) -> Vec<Report> {
    let mut reports = Vec::new();
    for (mac, subjects) in &denied.0 {
        if kernel.trusts(*mac) {
            continue;
        }
        match cut_device(kernel, *mac, subjects) {
            Ok(counts) => {
                let cut = subjects.iter().zip(counts).filter(|(_, connections)| *connections > 0);
                reports.extend(cut.map(|(what, connections)| Report::Cut { what: *what, connections, trouble: None }));
            }
            Err(why) => {
                reports.push(Report::Cut {
                    what: Subject::Device(*mac),
                    connections: 0,
                    trouble: Some(why.to_string()),
                });
            }
        }
    }
    reports
}

/// How many connections of each subject were ended.
fn cut_device(kernel: &mut Kernel, mac: Mac, subjects: &[Subject]) -> Result<Vec<u32>, crate::netlink::Error> {
    // Packets of decided flows do not show whose they are. A device that speaks is a neighbour; what was seen of it when
    // it was still asked about tells of those that are silent, and routes of those behind it.
    let Reach { addresses: mut sources, networks } = Neighbours::open()?.reach_of(mac)?;
    sources.extend(kernel.addresses(mac)?);
    let mut counts = vec![0; subjects.len()];
    if sources.is_empty() {
        return Ok(counts);
    }
    let mut conntrack = Conntrack::open()?;
    let mut doomed: Vec<(usize, Connection)> = Vec::new();
    conntrack.list(
        &Selection { sources: &sources, networks: &networks, protocol: None, port: None },
        |connection| {
            if let Some(index) = subjects.iter().position(|subject| is_about(subject, &connection)) {
                doomed.push((index, connection));
            }
        },
    )?;
    // First the other end's way to begin them anew. Where that fails they end all the same, and it is told.
    let ended = kernel.end_answers(doomed.iter().map(|(_, connection)| connection));
    for (index, connection) in &doomed {
        if let (true, Some(count)) = (conntrack.delete(connection)?, counts.get_mut(*index)) {
            *count += 1;
        }
    }
    ended.map(|()| counts)
}

/// Whether a connection of the device belongs to what is denied.
fn is_about(subject: &Subject, connection: &Connection) -> bool {
    match subject {
        Subject::Device(_) => true,
        Subject::Flow(Key { protocol, port, .. }) => {
            *protocol == connection.protocol
                && match port {
                    Port::Any => true,
                    Port::Number(number) => !has_numbers(*protocol) || *number == connection.port,
                }
        }
    }
}

fn has_numbers(protocol: crate::flow::Protocol) -> bool {
    protocol.has_ports() || protocol.has_icmp_types()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Protocol;

    const MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);

    #[test]
    fn only_what_becomes_denied_is_cut() {
        let key = Key::service(MAC, Protocol::TCP, Port::Number(443));
        let change = |before, after| Denied::of_changes(&[Change { key, before, after }]).is_empty();
        assert!(!change(Some(State::Allowed), Some(State::Denied)));
        assert!(!change(None, Some(State::Denied)));
        assert!(change(Some(State::Denied), Some(State::Denied)));
        assert!(change(Some(State::Denied), Some(State::Allowed)));
        assert!(change(Some(State::Allowed), None));
        assert!(!Denied::of_device(MAC, DeviceMode::Block).is_empty());
        assert!(Denied::of_device(MAC, DeviceMode::Enforce).is_empty());
    }

    #[test]
    fn of_a_load_all_that_is_denied_is_cut() {
        let key = |mac| Key::service(mac, Protocol::TCP, Port::Number(443));
        let macs: Vec<Mac> = (1..=4).map(|n| Mac([2, 0, 0, 0, 0, n])).collect();
        let [plain, blocked, trusted, allowed] = macs[..] else { unreachable!() };
        let flows = [plain, blocked, trusted].map(|mac| (key(mac), State::Denied));
        let flows = [&flows[..], &[(key(allowed), State::Allowed), (key(allowed), State::Pending)]].concat();
        let denied = Denied::of_load(&flows, &[(blocked, DeviceMode::Block), (trusted, DeviceMode::Trust)]);
        let expected = [(plain, vec![Subject::Flow(key(plain))]), (blocked, vec![Subject::Device(blocked)])];
        assert_eq!(denied, Denied(expected.into()));
    }
}
