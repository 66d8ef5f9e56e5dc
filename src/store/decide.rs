//! Decisions of the owner, about flows and about devices. Checked whole, then carried out whole, then written,
//! then answered.

use std::collections::BTreeSet;

use rusqlite::params;

use super::due::Kind;
use super::{Decided, DeviceSet, Reply, Store, devices, flows, list};
use crate::control::protocol::{Code, Error};
use crate::flow::query::{self, Decision, Selection, Service};
use crate::flow::{Change, DeviceMode, FlowId, Key, Mac, Now, Origin, Record, State};

/// Numbers that an error names at most.
const NAMED: usize = 10;

impl Store {
    pub(super) fn decide(
        &mut self,
        selection: &Selection,
        decision: Decision,
        fresh: FlowId,
        now: Now,
    ) -> Result<Decided, Error> {
        let mut decided = Decided { matched: 0, changes: Vec::new(), saved: Ok(()) };
        match (self.selected(selection, now)?, decision) {
            (Selected::Known(ids), decision) => {
                decided.matched = ids.len() as u64;
                decided.changes = self.change(&ids, decision, now).map_err(internal)?;
            }
            (Selected::Unseen(key), Decision::Forget) => return Err(not_found(format!("{key} is not known"))),
            (Selected::Unseen(key), Decision::Allow | Decision::Deny) => {
                let after = self.decide_unseen(key, state_of(decision).unwrap_or(State::Pending), fresh, now)?;
                decided.matched = 1;
                decided.changes.push(Change { before: None, after: Some(after) });
            }
        }
        // What changes nothing may be a decision that could not be saved before.
        if !decided.changes.is_empty() || self.shadow.trouble().is_some() {
            decided.saved = self.commit(false, now);
        }
        Ok(decided)
    }

    fn selected(&self, selection: &Selection, now: Now) -> Result<Selected, Error> {
        match selection {
            Selection::Ids(ids) => {
                let ids: BTreeSet<FlowId> = ids.iter().copied().collect();
                let mut missing = Vec::new();
                for id in &ids {
                    if flows::get(&self.tables, *id).map_err(internal)?.is_none() {
                        missing.push(id.0.to_string());
                    }
                }
                if !missing.is_empty() {
                    let more = if missing.len() > NAMED { " …" } else { "" };
                    missing.truncate(NAMED);
                    return Err(not_found(format!("there is no flow {}{more}", missing.join(", "))));
                }
                Ok(Selected::Known(ids.into_iter().collect()))
            }
            Selection::Filter(filter) => {
                // A listing shows all devices of a name; a decision about the wrong one would do harm.
                if let Some(device) = &filter.device {
                    self.one_device(device)?;
                }
                let ids = list::matching(&self.tables, filter, now.wall).map_err(internal)?;
                Ok(Selected::Known(ids))
            }
            Selection::Service(Service { device, proto, port }) => {
                let key = Key::service(self.one_device(device)?, *proto, *port);
                Ok(match self.find(&key).map_err(internal)? {
                    Some(record) => Selected::Known(vec![record.id]),
                    None => Selected::Unseen(key),
                })
            }
        }
    }

    /// The device of an address or of a name that only one has.
    fn one_device(&self, device: &str) -> Result<Mac, Error> {
        if let Some(mac) = query::as_mac(device) {
            if mac.is_multicast() {
                return Err(Error::new(Code::InvalidParams, format!("{mac} is a group address, not a device")));
            }
            return Ok(mac);
        }
        let macs = devices::by_name(&self.tables, device).map_err(internal)?;
        match macs.as_slice() {
            [mac] => Ok(*mac),
            [] => Err(not_found(format!("there is no device {device:?}"))),
            several => {
                let macs: Vec<String> = several.iter().take(NAMED).map(Mac::to_string).collect();
                let message = format!("{device:?} is the name of several devices: name one of {}", macs.join(", "));
                Err(Error::new(Code::InvalidParams, message))
            }
        }
    }

    fn change(&mut self, ids: &[FlowId], decision: Decision, now: Now) -> rusqlite::Result<Vec<Change>> {
        let mut changes = Vec::new();
        self.tables.execute_batch("BEGIN")?;
        for id in ids {
            let Some(before) = flows::get(&self.tables, *id)? else { continue };
            let after = state_of(decision).map(|state| Record { state, origin: Origin::User, ..before });
            match after {
                Some(after) if after == before => continue,
                Some(after) => {
                    flows::decide(&self.tables, &mut self.due, *id, after.state, now.wall)?;
                    let count = self.count(before.state);
                    *count = count.saturating_sub(1);
                    *self.count(after.state) += 1;
                }
                None => self.forget(&before)?,
            }
            changes.push(Change { before: Some(before), after });
        }
        self.tables.execute_batch("COMMIT")?;
        Ok(changes)
    }

    fn decide_unseen(&mut self, key: Key, state: State, fresh: FlowId, now: Now) -> Result<Record, Error> {
        let record = Record {
            id: fresh,
            key,
            state,
            origin: Origin::User,
            first_seen: now.wall,
            last_seen: now.wall,
            connections: 0,
        };
        if flows::get(&self.tables, fresh).map_err(internal)?.is_some() {
            return Err(Error::new(Code::Internal, format!("flow {} exists already", fresh.0)));
        }
        if !self.make_room(self.limits.max_flows.saturating_sub(1)).map_err(internal)? {
            let message = format!(
                "there is no room for another flow: {} are decided. Forget some, or raise max_flows",
                self.limits.max_flows
            );
            return Err(Error::new(Code::Busy, message));
        }
        self.add(&record, None, now).map_err(internal)?;
        Ok(record)
    }

    pub(super) fn device_set(
        &mut self,
        device: &str,
        name: Option<&str>,
        mode: Option<DeviceMode>,
        now: Now,
    ) -> Result<DeviceSet, Error> {
        let invalid = |message: &str| Err(Error::new(Code::InvalidParams, message));
        match name {
            Some(name) if name.len() > devices::MAX_NAME => {
                return invalid(
                    "a device's name has at most 64 bytes, of which a letter beyond ASCII takes two or more: choose a shorter one",
                );
            }
            Some(name) if name.contains(char::is_control) => {
                return invalid("a device's name has no control characters");
            }
            Some(name) if query::as_mac(name).is_some() => return invalid("a device's name is no MAC address"),
            _ => {}
        }
        let mac = self.one_device(device)?;
        let (mode, mode_before) = self.set_row(mac, name, mode, now).map_err(internal)?;
        Ok(DeviceSet { mac, mode, mode_before, saved: self.commit(false, now) })
    }

    fn set_row(
        &mut self,
        mac: Mac,
        name: Option<&str>,
        mode: Option<DeviceMode>,
        now: Now,
    ) -> rusqlite::Result<(DeviceMode, DeviceMode)> {
        let id = devices::number(&self.tables, &mut self.due, mac, None, now.wall)?;
        let before: i64 = self.tables.query_row("SELECT mode FROM devices WHERE id = ?1", [id], |row| row.get(0))?;
        let before = devices::mode(before);
        if let Some(name) = name {
            let name = Some(name).filter(|name| !name.is_empty());
            self.tables.execute("UPDATE devices SET name = ?2 WHERE id = ?1", params![id, name])?;
        }
        let mode = mode.unwrap_or(before);
        self.tables.execute("UPDATE devices SET mode = ?2 WHERE id = ?1", params![id, devices::mode_number(mode)])?;
        self.due.devices.mark(id, Kind::Changed);
        devices::drop_if_idle(&self.tables, &mut self.due, id)?;
        Ok((mode, before))
    }

    pub(super) fn decisions(&self, ticket: u32, reply: &mut dyn FnMut(Reply)) {
        let mut chunk = Vec::with_capacity(Reply::CHUNK);
        self.each(|record, _| {
            if record.state == State::Pending {
                return;
            }
            if chunk.len() == Reply::CHUNK {
                let chunk = std::mem::replace(&mut chunk, Vec::with_capacity(Reply::CHUNK));
                reply(Reply::Decisions { ticket, chunk, last: false });
            }
            chunk.push((record.key, record.state));
        });
        reply(Reply::Decisions { ticket, chunk, last: true });
    }
}

/// What a selection is about.
enum Selected {
    Known(Vec<FlowId>),
    Unseen(Key),
}

/// The state that a decision gives; `None`: the flow goes.
fn state_of(decision: Decision) -> Option<State> {
    match decision {
        Decision::Allow => Some(State::Allowed),
        Decision::Deny => Some(State::Denied),
        Decision::Forget => None,
    }
}

fn not_found(message: String) -> Error {
    Error::new(Code::NotFound, message)
}

pub(super) fn internal(fault: rusqlite::Error) -> Error {
    Error::new(Code::Internal, format!("the database in memory: {fault}"))
}
