//! Ends the connections that a denial is about: with flow offload they have left the chains long ago and would go on for
//! as long as they talk.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::flow::{DeviceMode, Key, Mac, Port, Protocol, State};
use crate::netlink::conntrack::{Connection, Conntrack, Selection};
use crate::netlink::neighbours::{Neighbours, Reach};

use super::apply::Kernel;
use super::message::{Change, Report, Subject};

/// What was just denied, by device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Denied(BTreeMap<Mac, Vec<Subject>>);

impl Denied {
    pub fn of_changes(changes: &[Change]) -> Denied {
        let new = |change: &&Change| change.after == Some(State::Denied) && change.before != change.after;
        Denied::of_subjects(changes.iter().filter(new).map(|change| (change.key.mac, Subject::Flow(change.key))))
    }

    /// What is allowed again, or has been forgotten.
    pub fn of_changes_back(changes: &[Change]) -> Denied {
        let back = |change: &&Change| change.before == Some(State::Denied) && change.after != Some(State::Denied);
        Denied::of_subjects(changes.iter().filter(back).map(|change| (change.key.mac, Subject::Flow(change.key))))
    }

    /// What a device's new mode denies; `flows` are those of it that are denied, which a mode can have covered up.
    pub fn of_device(mac: Mac, before: DeviceMode, after: DeviceMode, flows: impl FnOnce() -> Vec<Key>) -> Denied {
        match (before, after) {
            (_, DeviceMode::Block) => Denied::of_subjects([(mac, Subject::Device(mac))]),
            (DeviceMode::Trust, DeviceMode::Default | DeviceMode::Learn | DeviceMode::Enforce) => {
                Denied::of_subjects(flows().into_iter().map(|key| (mac, Subject::Flow(key))))
            }
            _ => Denied::default(),
        }
    }

    pub fn of_device_back(mac: Mac, before: DeviceMode, after: DeviceMode) -> Denied {
        let back = before != after && (before == DeviceMode::Block || after == DeviceMode::Trust);
        Denied::of_subjects(back.then_some((mac, Subject::Device(mac))))
    }

    fn of_subjects(subjects: impl IntoIterator<Item = (Mac, Subject)>) -> Denied {
        let mut denied = Denied::default();
        for (mac, subject) in subjects {
            denied.0.entry(mac).or_default().push(subject);
        }
        denied
    }

    /// All of what is denied. A device's mode goes before what is decided about its flows.
    pub fn of_load(flows: &[(Key, State)], devices: &[(Mac, DeviceMode)]) -> Denied {
        let flows = flows.iter().filter(|(_, state)| *state == State::Denied);
        let mut denied = Denied::of_subjects(flows.map(|(key, _)| (key.mac, Subject::Flow(*key))));
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
        let trouble = match cut_device(kernel, *mac, subjects) {
            Ok((counts, trouble)) => {
                let cut = subjects.iter().zip(counts).filter(|(_, connections)| *connections > 0);
                reports.extend(cut.map(|(what, connections)| Report::Cut { what: *what, connections, trouble: None }));
                trouble
            }
            Err(why) => Some(why.to_string()),
        };
        if trouble.is_some() {
            reports.push(Report::Cut { what: Subject::Device(*mac), connections: 0, trouble });
        }
    }
    reports
}

/// Lets the other ends of what is denied no longer begin anew what they go on with.
pub fn lift(kernel: &mut Kernel, back: &Denied) -> Result<(), crate::netlink::Error> {
    for (mac, subjects) in &back.0 {
        let whose = Whose::find(kernel, *mac)?;
        kernel.lift(|device, protocol, port| {
            whose.has(device) && subjects.iter().any(|subject| is_about(subject, protocol, port))
        })?;
    }
    Ok(())
}

/// Where a device's packets come from.
struct Whose {
    addresses: Vec<IpAddr>,
    networks: Vec<IpNet>,
}

impl Whose {
    /// Packets of decided flows do not show whose they are. A device that speaks is a neighbour; what was seen of it when it
    /// was still asked about tells of those that are silent, and routes of those behind it.
    fn find(kernel: &mut Kernel, mac: Mac) -> Result<Whose, crate::netlink::Error> {
        let Reach { mut addresses, taken, networks } = Neighbours::open()?.reach_of(mac)?;
        // Anybody can send from any address; who answers there has it.
        addresses.extend(kernel.addresses(mac)?.into_iter().filter(|seen| !taken.contains(seen)));
        Ok(Whose { addresses, networks })
    }

    fn has(&self, address: IpAddr) -> bool {
        self.addresses.contains(&address) || self.networks.iter().any(|network| network.contains(&address))
    }
}

/// How many connections of each subject were ended, and what may undo it.
fn cut_device(
    kernel: &mut Kernel,
    mac: Mac,
    subjects: &[Subject],
) -> Result<(Vec<u32>, Option<String>), crate::netlink::Error> {
    let whose = Whose::find(kernel, mac)?;
    let mut counts = vec![0; subjects.len()];
    if whose.addresses.is_empty() {
        return Ok((counts, None));
    }
    let mut conntrack = Conntrack::open()?;
    let mut doomed: Vec<(usize, Connection)> = Vec::new();
    let selection = Selection { sources: &whose.addresses, networks: &whose.networks, protocol: None, port: None };
    conntrack.list(&selection, |connection| {
        let is_doomed = |subject: &Subject| {
            let own = Key::service(mac, connection.protocol, Port::Number(connection.port));
            // What is said of every port says nothing of one that is allowed by itself.
            let excepted = matches!(subject, Subject::Flow(key) if key.port == Port::Any && kernel.allows(&own));
            is_about(subject, connection.protocol, connection.port) && !excepted
        };
        if let Some(index) = subjects.iter().position(is_doomed) {
            doomed.push((index, connection));
        }
    })?;
    // First the other end's way to begin them anew. Where that fails they end all the same, and it is told.
    let ended = kernel.end_answers(doomed.iter().map(|(_, connection)| connection));
    for (index, connection) in &doomed {
        if let (true, Some(count)) = (conntrack.delete(connection)?, counts.get_mut(*index)) {
            *count += 1;
        }
    }
    Ok((counts, ended.err().map(|error| format!("their other ends can begin them anew: {error}"))))
}

/// Whether a connection of the device, with this port or type, belongs to what is denied.
fn is_about(subject: &Subject, protocol: Protocol, port: u16) -> bool {
    match subject {
        Subject::Device(_) => true,
        Subject::Flow(key) => {
            key.protocol == protocol
                && match key.port {
                    Port::Any => true,
                    Port::Number(number) => !has_numbers(protocol) || number == port,
                }
        }
    }
}

fn has_numbers(protocol: Protocol) -> bool {
    protocol.has_ports() || protocol.has_icmp_types()
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let device = |before, after| Denied::of_device(MAC, before, after, || vec![key]);
        assert!(!device(DeviceMode::Default, DeviceMode::Block).is_empty());
        assert!(device(DeviceMode::Default, DeviceMode::Enforce).is_empty());
        assert!(!device(DeviceMode::Trust, DeviceMode::Enforce).is_empty(), "what trust has covered up");
        assert!(device(DeviceMode::Block, DeviceMode::Enforce).is_empty());
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
