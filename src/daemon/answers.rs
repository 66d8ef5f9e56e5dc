//! Requests of the control socket, and the replies of other threads that answer them.

use std::time::Duration;

use super::background::News;
use super::control::Client;
use super::errands::Errand;
use super::house::House;
use super::kernel::REFILL;
use super::warnings::Subject;
use crate::control::protocol::{Code, Decided, DeviceSet, Error, LearningSet, Request};
use crate::engine::events::What;
use crate::firewall::{self, LoadError, Report};
use crate::flow::query::{Decision, Query, Selection};
use crate::flow::view::FlowView;
use crate::flow::{Change, DeviceMode, Record, State};
use crate::store::{self, Reply, Seen};

/// Counters that are younger are fresh enough for a listing.
const FRESH: Duration = Duration::from_secs(2);

/// The longest span of `learning_set`, in seconds: ten years.
const LONGEST_SPAN: u64 = 10 * 366 * 86_400;

impl House {
    /// Begins to answer a request; many are answered at once.
    pub fn request(&mut self, client: Client, request: Request) {
        match request {
            Request::Status => self.control.answer(client, &self.status()),
            Request::Stats => self.control.answer(client, &self.stats()),
            Request::FlowList(query) => self.list(client, query),
            Request::FlowGet(get) => {
                self.ask_store(client, Errand::Store, |ticket| store::Request::Get { ticket, id: get.id })
            }
            Request::FlowAllow(selection) => self.decide(client, selection, Decision::Allow),
            Request::FlowDeny(selection) => self.decide(client, selection, Decision::Deny),
            Request::FlowForget(selection) => self.decide(client, selection, Decision::Forget),
            Request::DeviceList(page) => self.ask_store(client, Errand::Store, |ticket| store::Request::Devices {
                ticket,
                offset: page.offset,
                limit: page.limit,
            }),
            Request::DeviceSet(set) => self.set_device(client, set),
            Request::LearningSet(set) => self.set_learning(client, set),
            // The control room turns the connection into a stream by itself.
            Request::Events => {}
        }
    }

    fn ask_store(&mut self, client: Client, errand: Errand, request: impl FnOnce(u32) -> store::Request) {
        let ticket = self.errands.begin(client, errand);
        match self.store.handle.try_send(request(ticket)) {
            Ok(()) => drop(self.store.asked.get_or_insert(self.now.mono)),
            Err(_) => self.refuse(ticket, Error::new(Code::Busy, "the store is busy: ask again in a moment")),
        }
    }

    fn refuse(&mut self, ticket: u32, error: Error) {
        if let Some((client, _)) = self.errands.end(ticket) {
            self.control.fail(client, error);
        }
    }

    /// A page of flows, after the kernel has said how often they were used.
    fn list(&mut self, client: Client, query: Query) {
        if !self.kernel.is_loaded() || self.now.mono.since(self.counted) < FRESH {
            return self.ask_store(client, Errand::Store, |ticket| store::Request::List { ticket, query });
        }
        let ticket = self.errands.begin(client, Errand::Counters { query });
        self.kernel.request(firewall::Request::Counters { ticket: Some(ticket) });
    }

    fn decide(&mut self, client: Client, selection: Selection, decision: Decision) {
        let fault = match &selection {
            Selection::Ids(ids) if ids.is_empty() => Some("no flow was named"),
            Selection::Filter(filter) if *filter == Default::default() => {
                Some("an empty filter would mean every flow: name a state, device, protocol or port")
            }
            _ => None,
        };
        if let Some(fault) = fault {
            return self.control.fail(client, Error::new(Code::InvalidParams, fault));
        }
        let fresh = self.engine.reserve_id();
        self.ask_store(client, Errand::Decision, |ticket| store::Request::Decide {
            ticket,
            selection,
            decision,
            fresh,
        });
    }

    fn set_device(&mut self, client: Client, set: DeviceSet) {
        let configured = |device: &&crate::config::settings::Device| {
            crate::flow::query::as_mac(&set.device) == Some(device.mac)
                || device.name.as_deref() == Some(set.device.as_str())
        };
        if let Some(device) = self.settings.devices.iter().find(configured) {
            let message = format!("{} is set up by a device section in the configuration: change it there", device.mac);
            return self.control.fail(client, Error::new(Code::InvalidParams, message));
        }
        let DeviceSet { device, name, mode } = set;
        self.ask_store(client, Errand::Device, |ticket| store::Request::DeviceSet { ticket, device, name, mode });
    }

    fn set_learning(&mut self, client: Client, set: LearningSet) {
        if set.seconds.is_some_and(|seconds| seconds == 0 || seconds > LONGEST_SPAN) {
            return self.control.fail(client, Error::new(Code::InvalidParams, "a span is 1 second to 10 years"));
        }
        let was = self.learning.is_on();
        self.learning.set(set.on, set.seconds.map(Duration::from_secs), self.now.mono);
        if was == set.on {
            self.keep_learning(true);
            return self.control.answer(client, &self.status());
        }
        self.learning_changed();
        // Answered when the kernel follows: what the owner does next meets the new mode.
        self.awaiting_ruleset.push(client);
    }

    /// Follows what the store says.
    pub fn store_reply(&mut self, reply: Reply) {
        if let Some(asked) = self.store.asked.take() {
            self.store.lag = self.now.mono.since(asked);
        }
        match reply {
            Reply::Found { key, record } => {
                let waiting =
                    self.lobby.call(|waiting| waiting.key == key && waiting.awaiting == super::held::Awaiting::Store);
                self.resume(waiting, record.as_ref());
            }
            Reply::Full { key } => {
                if let Some((_, state)) = self.engine.lookup(&key) {
                    self.recount(Some(state), None);
                }
                self.engine.unlearn(&key);
                self.warnings.set(Subject::Database, vec![
                    "the database holds max_flows decided flows: new ones are not kept; forget some or raise the option".to_owned(),
                ]);
            }
            Reply::Forgotten(records) => {
                let keys: Vec<_> = records.iter().map(|record| record.key).collect();
                self.engine.forgotten(&keys);
                records.iter().for_each(|record| self.recount(Some(record.state), None));
            }
            Reply::Decided { ticket, result } => self.decided(ticket, result),
            Reply::DeviceSet { ticket, result } => self.device_set(ticket, result),
            Reply::Listed { ticket, result } | Reply::Got { ticket, result } | Reply::Devices { ticket, result } => {
                if let Some((client, _)) = self.errands.end(ticket) {
                    match result {
                        Ok(json) => self.control.reply(client, &json),
                        Err(error) => self.control.fail(client, error),
                    }
                }
            }
            Reply::Decisions { ticket: REFILL, chunk, last } => {
                let engine = &mut self.engine;
                self.kernel.fill(chunk, last, || engine.device_modes());
            }
            Reply::Decisions { .. } | Reply::Status { .. } => {}
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
        let keys: Vec<_> = changes.iter().filter_map(|change| change.after).map(|record| record.key).collect();
        self.settle(Some(ticket));
        let waiting =
            self.lobby.call(|waiting| keys.iter().any(|key| *key == waiting.key || *key == waiting.key.any_port()));
        self.resume(waiting, None);
        let shown = changes.iter().filter_map(|change: &Change| change.after.or(change.before));
        let answer = Decided {
            matched,
            changed: shown.take(Decided::SHOWN).map(|record: Record| FlowView::new(&record)).collect(),
            changed_total: changes.len() as u64,
        };
        let Some((client, _)) = self.errands.end(ticket) else { return };
        if let Err(trouble) = saved {
            let message = format!("the decision holds until the next restart, but could not be saved: {trouble}");
            return self.control.fail(client, Error::new(Code::NotSaved, message));
        }
        let answer = serde_json::to_string(&answer).unwrap_or_else(|_| "{}".to_owned());
        match self.kernel.is_loaded() {
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
        let before = self.engine.set_device(mac, mode, self.now).unwrap_or(mode_before);
        self.kernel.request(firewall::Request::Device { ticket: Some(ticket), mac, before, after: mode });
        if mode != mode_before {
            self.tell(What::DeviceChanged { mac, mode });
        }
        let Some((client, _)) = self.errands.end(ticket) else { return };
        if let Err(trouble) = saved {
            let message = format!("it holds until the next restart, but could not be saved: {trouble}");
            return self.control.fail(client, Error::new(Code::NotSaved, message));
        }
        let answer = serde_json::json!({ "mac": mac, "mode": mode }).to_string();
        match self.kernel.is_loaded() {
            true => self.errands.go_on(ticket, client, Errand::Kernel { answer }),
            false => self.control.reply(client, &answer),
        }
    }

    /// Follows what the firewall thread says.
    pub fn firewall_report(&mut self, report: Report) {
        match report {
            Report::Loaded { warnings, failed, sizes } => {
                self.kernel.loaded(sizes);
                self.warnings.set(Subject::Ruleset, warnings);
                self.warnings.clear(Subject::SetFull);
                self.failed(&failed);
                if let Some(plan) = self.kernel.plan().filter(|_| self.kernel.is_loaded()) {
                    self.sources.settle(plan.ask);
                    for client in std::mem::take(&mut self.awaiting_ruleset) {
                        self.control.answer(client, &self.status());
                    }
                }
            }
            Report::Refused(LoadError::NoQueue) => {
                self.fall_back(format!("{}; packets are logged instead of queued until then", LoadError::NoQueue));
                self.apply();
            }
            Report::Refused(error) => {
                let again = self.kernel.refused(self.now.mono).as_secs();
                for client in std::mem::take(&mut self.awaiting_ruleset) {
                    let message =
                        format!("kept, but the ruleset could not be loaded: {error}; trying again in {again} s");
                    self.control.fail(client, Error::new(Code::Internal, message));
                }
                self.warnings.set(Subject::Ruleset, vec![format!("the ruleset is not loaded: {error}")]);
                log::warn!("the ruleset is tried again in {again} s; what was in the kernel before stays");
            }
            Report::Applied { ticket, failed, sizes } => {
                self.kernel.sizes = sizes;
                self.failed(&failed);
                if let Some((client, Errand::Kernel { answer })) = ticket.and_then(|ticket| self.errands.end(ticket)) {
                    match failed.first() {
                        None => self.control.reply(client, &answer),
                        Some(first) => {
                            let message = format!("saved, but not in the kernel: {}: {}", first.what, first.why);
                            self.control.fail(client, Error::new(Code::Internal, message));
                        }
                    }
                }
            }
            Report::Counters { ticket, flows, no_mac: _ } => {
                self.counted = self.now.mono;
                for (key, connections) in flows {
                    let connections = u32::try_from(connections).unwrap_or(u32::MAX);
                    self.seen(Seen { key, at: self.now.wall, connections });
                }
                self.send_seen();
                if let Some((client, Errand::Counters { query })) = ticket.and_then(|ticket| self.errands.end(ticket)) {
                    self.ask_store(client, Errand::Store, |ticket| store::Request::List { ticket, query });
                }
            }
            Report::Cut { what, connections, trouble } => {
                log::info!("{what}: {connections} running connections ended");
                if let Some(trouble) = trouble {
                    log::warn!("{what}: running connections may go on: {trouble}");
                }
            }
            Report::TableGone => {
                self.alert("ruleset", "somebody removed glacic's table: putting it back".to_owned());
                self.kernel.again();
            }
            Report::Unloaded { .. } => {}
        }
    }

    /// Follows what the background thread found.
    pub fn background_news(&mut self, news: News) {
        match news {
            News::Config(resolved) => {
                let was = self.learning.is_on();
                self.configure(*resolved);
                self.tell(What::ConfigReloaded);
                if self.learning.is_on() != was {
                    self.tell(What::LearningChanged { learning: !was });
                }
            }
            News::Guarded { guarded, warnings } => {
                self.warnings.set(Subject::Guarded, warnings);
                if guarded != self.guarded {
                    log::info!("other interfaces are guarded now");
                    self.guarded = guarded;
                    self.apply();
                }
            }
            News::Refused(message) => {
                self.warnings.set(
                    Subject::Config,
                    vec![format!("the configuration is not applied, the old one stays: {message}")],
                );
                self.tell(What::ConfigRefused { message });
            }
            News::Names(names) => drop(self.store.handle.try_send(store::Request::Names(names))),
        }
    }

    /// Lets packets go on that waited.
    fn resume(&mut self, waiting: Vec<super::held::Waiting>, found: Option<&Record>) {
        let (mut judge, sources) = self.judge();
        for packet in waiting {
            if let Some((held, verdict)) = judge.resume(packet, found) {
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
    }
}

/// What the owner is told of a database that could not be used.
pub fn moved_aside(path: &std::path::Path) -> String {
    format!("the database was damaged or not glacic's: it was moved to {}", path.display())
}
