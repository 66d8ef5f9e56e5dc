//! What the store replies, and what follows: for packets that waited, for the kernel, for whoever asked.

use std::collections::HashSet;

use super::errands::Errand;
use super::held::{Awaiting, Waiting};
use super::house::House;
use super::warnings::Subject;
use crate::control::protocol::{Code, Decided, Error, FlowCounts};
use crate::engine::events::What;
use crate::firewall;
use crate::flow::view::FlowView;
use crate::flow::{Change, DeviceMode, Key, Record, State};
use crate::store::{self, Reply};

/// Flows of one decision that are logged by name, at most.
const LOGGED: usize = 10;

impl House {
    /// Follows what the store says.
    pub fn store_reply(&mut self, reply: Reply) {
        if let Some(asked) = self.store.asked.take() {
            self.store.lag = self.now.mono.since(asked);
        }
        match reply {
            Reply::Found { key, record } => {
                if let Some(was) = record.and_then(|record| self.engine.found(&record)) {
                    self.recount(Some(was), None);
                }
                let waiting = self.lobby.call(|waiting| waiting.key == key && waiting.awaiting == Awaiting::Store);
                self.resume(waiting);
            }
            Reply::Full { key } => {
                if let Some(state) = self.engine.not_kept(&key, self.now) {
                    self.recount(Some(state), None);
                }
                self.warnings.set(Subject::DatabaseFull, vec![
                    "the database holds max_flows flows: of new ones few are kept, or none; forget some or raise the option".to_owned(),
                ]);
            }
            Reply::Forgotten(records) => {
                let keys: Vec<_> = records.iter().map(|record| record.key).collect();
                self.engine.forgotten(&keys);
                records.iter().for_each(|record| self.recount(Some(record.state), None));
            }
            Reply::Decided { ticket, result } => self.decided(ticket, result),
            Reply::DeviceSet { ticket, result } => self.device_set(ticket, result),
            Reply::Kept { ticket, saved } => self.learning_kept(ticket, saved),
            Reply::Listed { ticket, result } | Reply::Got { ticket, result } | Reply::Devices { ticket, result } => {
                if let Some((client, _)) = self.errands.end(ticket) {
                    match result {
                        Ok(json) => self.control.reply(client, &json),
                        Err(error) => self.control.fail(client, error),
                    }
                }
            }
            Reply::Decisions { ticket, chunk, last } => {
                let engine = &self.engine;
                self.kernel.fill(ticket, chunk, last, || engine.device_modes());
            }
            // What has drifted (a flow that both sides made at once) is put right.
            Reply::Status { status, .. } => {
                self.flows = status.flows;
                self.look_for_room();
            }
            Reply::Trouble(trouble) => {
                self.warnings.set(Subject::Database, vec![trouble.to_string()]);
                self.alert("database", trouble.to_string());
                self.store.trouble = Some(trouble.0);
            }
            Reply::MovedAside(path) => {
                self.warnings.set(Subject::DatabaseMoved, vec![moved_aside(&path)]);
                self.alert("database", moved_aside(&path));
                self.store.moved_aside = Some(path);
            }
            Reply::Recovered => {
                self.store.trouble = None;
                self.warnings.clear(Subject::Database);
                if self.store.moved_aside.is_none() {
                    self.warnings.clear(Subject::DatabaseMoved);
                }
                log::info!("the database can be written again; nothing was lost");
            }
        }
    }

    /// Follows a decision of the owner that the store has taken down.
    fn decided(&mut self, ticket: u32, result: Result<store::Decided, Error>) {
        let decided = match result {
            Ok(decided) => decided,
            Err(error) => return self.refuse(ticket, error),
        };
        let store::Decided { matched, changes, saved } = decided;
        self.engine.decided(&changes, self.now);
        for change in &changes {
            self.recount(change.before.map(|record| record.state), change.after.map(|record| record.state));
        }
        told(&changes);
        let keys: HashSet<Key> = changes.iter().filter_map(|change| change.after).map(|record| record.key).collect();
        self.settle(Some(ticket));
        let waiting = self.lobby.call(|waiting| keys.contains(&waiting.key) || keys.contains(&waiting.key.any_port()));
        self.resume(waiting);
        let shown = changes.iter().filter_map(|change: &Change| change.after.or(change.before));
        let answer = Decided {
            matched,
            changed: shown.take(Decided::SHOWN).map(|record: Record| self.named(FlowView::new(&record))).collect(),
            changed_total: changes.len() as u64,
        };
        let Some((client, _)) = self.errands.end(ticket) else { return };
        if let Err(trouble) = saved {
            let message = format!("the decision holds until the next restart, but could not be saved: {trouble}");
            return self.control.fail(client, Error::new(Code::NotSaved, message));
        }
        let answer = serde_json::to_string(&answer).unwrap_or_else(|_| "{}".to_owned());
        match self.kernel.will_follow() {
            true => self.errands.go_on(ticket, client, Errand::Kernel { answer }),
            false => self.control.reply(client, &answer),
        }
    }

    fn device_set(&mut self, ticket: u32, result: Result<store::DeviceSet, Error>) {
        let set = match result {
            Ok(set) => set,
            Err(error) => return self.refuse(ticket, error),
        };
        let store::DeviceSet { mac, mode, mode_before, saved } = set;
        self.modes.retain(|(known, _)| *known != mac);
        if mode != DeviceMode::Default {
            self.modes.push((mac, mode));
        }
        // A section of the configuration, which the device's name may have led around, goes before a command.
        let after = self.mode_of(mac);
        let before = self.engine.set_device(mac, after);
        self.kernel.request(firewall::Request::Device { ticket: Some(ticket), mac, before, after });
        if mode != mode_before {
            self.tell(What::DeviceChanged { mac, mode });
        }
        let Some((client, errand)) = self.errands.end(ticket) else { return };
        if let Errand::Device { name: Some(name) } = errand {
            self.names.give(mac, &name);
        }
        if let Err(trouble) = saved {
            let message = format!("it holds until the next restart, but could not be saved: {trouble}");
            return self.control.fail(client, Error::new(Code::NotSaved, message));
        }
        let answer = serde_json::json!({ "mac": mac, "mode": mode }).to_string();
        match self.kernel.will_follow() {
            true => self.errands.go_on(ticket, client, Errand::Kernel { answer }),
            false => self.control.reply(client, &answer),
        }
    }

    /// Lets packets go on that waited.
    pub fn resume(&mut self, waiting: Vec<Waiting>) {
        let (mut judge, sources) = self.judge();
        for packet in waiting {
            if let Some((held, verdict)) = judge.resume(packet) {
                sources.verdict(held, verdict);
            }
        }
        self.stats.verdict_errors += self.sources.flush();
        self.settle(None);
    }

    /// Keeps the number of flows by state, as events tell it.
    pub fn recount(&mut self, before: Option<State>, after: Option<State>) {
        for (state, up) in [(before, false), (after, true)] {
            let count = match state {
                Some(State::Allowed) => &mut self.flows.allowed,
                Some(State::Pending) => &mut self.flows.pending,
                Some(State::Denied) => &mut self.flows.denied,
                None => continue,
            };
            *count = if up { count.saturating_add(1) } else { count.saturating_sub(1) };
        }
        if after.is_none() {
            self.look_for_room();
        }
    }

    /// That the database is full is said until it has room.
    pub fn look_for_room(&mut self) {
        let FlowCounts { allowed, pending, denied } = self.flows;
        let held = allowed.saturating_add(pending).saturating_add(denied);
        if usize::try_from(held).is_ok_and(|held| held < self.settings.max_flows) {
            self.warnings.clear(Subject::DatabaseFull);
        }
    }
}

/// Logs a decision: a few flows by name, and how many more.
fn told(changes: &[Change]) {
    for Change { before, after } in changes.iter().take(LOGGED) {
        match (before, after) {
            (_, Some(record)) => log::info!("now {}: {}", record.state, record.key),
            (Some(record), None) => log::info!("forgotten: {}", record.key),
            (None, None) => {}
        }
    }
    if changes.len() > LOGGED {
        log::info!("and {} more flows by the same decision", changes.len() - LOGGED);
    }
}

/// What the owner is told of a database that could not be used.
pub fn moved_aside(path: &std::path::Path) -> String {
    format!("the database was damaged or not glacic's: it was moved to {}", path.display())
}
