//! What follows from decisions, carried to where it belongs: flows to the store, elements to the kernel, events to people.

use super::house::House;
use super::warnings::Subject;
use crate::engine::Effect;
use crate::engine::events::{Event, What};
use crate::firewall;
use crate::flow::view::FlowView;
use crate::flow::{FlowId, Key};
use crate::store::{Request, Seen};

/// Connections that are told to the store at once. What comes while as many wait, and the store takes none, is not counted.
const SEEN: usize = 2048;

impl House {
    /// Carries out what the engine has asked for. `ticket` is reported by the kernel once its part is done.
    pub fn settle(&mut self, ticket: Option<u32>) {
        let mut changes = Vec::new();
        let mut refused: Option<(Key, FlowId)> = None;
        let effects: Vec<Effect> = self.engine.take_effects().collect();
        for effect in effects {
            match effect {
                Effect::Insert { record, zone } => {
                    let (key, id, state) = (record.key, record.id, record.state);
                    match self.store.handle.try_send(Request::Insert { record, zone }) {
                        Ok(()) => {
                            self.stats.store_writes += 1;
                            self.recount(None, Some(state));
                            self.record.new_flow(&key, self.now.mono);
                        }
                        Err(_) => {
                            // Nothing is believed that is not kept: the flow will be learned again.
                            self.stats.store_errors += 1;
                            self.engine.unlearn(&key);
                            refused = Some((key, id));
                        }
                    }
                }
                Effect::Kernel { key, .. } if refused.is_some_and(|(refused, _)| refused == key) => {}
                Effect::Kernel { key, before, after } => changes.push(firewall::Change { key, before, after }),
                Effect::Seen { key, at, connections } => self.seen(Seen { key, at, connections }),
                Effect::Event(What::FlowNew { flow }) if refused.is_some_and(|(_, id)| flow.id == Some(id)) => {}
                Effect::Event(what) => self.tell(what),
            }
        }
        self.engine.slim();
        match ticket {
            Some(_) => self.kernel.request(firewall::Request::Change { ticket, changes }),
            None => changes.into_iter().for_each(|change| self.kernel.change(change)),
        }
    }

    /// Notes connections for the store.
    pub fn seen(&mut self, seen: Seen) {
        self.record.connections(&seen.key, seen.connections, self.now.mono);
        if self.store.seen.len() >= SEEN {
            self.send_seen();
        }
        match self.store.seen.len() < SEEN {
            true => self.store.seen.push(seen),
            false => self.stats.store_errors += 1,
        }
    }

    /// Tells the store of connections.
    pub fn send_seen(&mut self) {
        if self.store.seen.is_empty() {
            return;
        }
        let seen = std::mem::take(&mut self.store.seen);
        let copy = seen.clone();
        if self.store.handle.try_send(Request::Seen(seen)).is_err() {
            self.store.seen = copy;
        }
    }

    /// Tells everybody who listens, and the log.
    pub fn tell(&mut self, what: What) {
        let what = match what {
            What::FlowNew { flow } => What::FlowNew { flow: self.named(flow) },
            What::FlowChanged { flow } => What::FlowChanged { flow: self.named(flow) },
            What::FlowForgotten { flow } => What::FlowForgotten { flow: self.named(flow) },
            other => other,
        };
        match &what {
            What::FlowNew { flow } => {
                let device = flow.device.as_deref().map_or_else(|| flow.mac.to_string(), str::to_owned);
                log::info!("new flow, {}: {device} {}/{}", flow.state, flow.proto, flow.port)
            }
            What::DeviceNew { mac, zone } => {
                log::info!("new device: {mac} in {}", zone.as_deref().unwrap_or("no zone"))
            }
            What::Alert { message, .. } => log::warn!("{message}"),
            What::ConfigReloaded => log::info!("the configuration has been read again"),
            // Decisions may be about thousands of flows, and are logged where they are taken in.
            What::FlowChanged { .. } | What::FlowForgotten { .. } | What::FlowsChanged { .. } => {}
            // Logged with what else follows, and as the warning that stays.
            What::DeviceChanged { .. } | What::LearningChanged { .. } | What::ConfigRefused { .. } => {}
        }
        let event = Event { time: self.now.wall, what };
        self.control.broadcast(&event);
        self.chronicle.add(event);
    }

    /// The same flow with the name of its device.
    pub fn named(&self, flow: FlowView) -> FlowView {
        FlowView { device: self.names.of(flow.mac).map(str::to_owned), ..flow }
    }

    /// An alert that is not about a device.
    pub fn alert(&mut self, kind: &str, message: String) {
        self.stats.events += 1;
        self.tell(What::Alert { kind: kind.to_owned(), mac: None, message });
    }

    /// Names the decisions that did not reach the kernel.
    pub fn failed(&mut self, failed: &[firewall::Failure]) {
        self.stats.firewall_errors += failed.len() as u64;
        let Some(first) = failed.first() else { return };
        self.kernel.later(self.now.mono);
        let more = match failed.len() {
            1 => String::new(),
            count => format!(" (and {} more)", count - 1),
        };
        self.warnings.set(Subject::SetFull, vec![format!("not in the kernel: {}: {}{more}", first.what, first.why)]);
    }
}
