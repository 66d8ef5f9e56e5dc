//! What follows from decisions, carried to where it belongs: flows to the store, elements to the kernel, events to people.

use super::house::House;
use super::warnings::Subject;
use crate::engine::Effect;
use crate::engine::events::{Event, What};
use crate::firewall;
use crate::flow::Key;
use crate::store::{Request, Seen};

/// Connections that wait to be told to the store, at most; beyond it the oldest are told less exactly, not more slowly.
const SEEN: usize = 2048;

impl House {
    /// Carries out what the engine has asked for. `ticket` is reported by the kernel once its part is done.
    pub fn settle(&mut self, ticket: Option<u32>) {
        let mut changes = Vec::new();
        let mut refused: Option<Key> = None;
        let effects: Vec<Effect> = self.engine.take_effects().collect();
        for effect in effects {
            match effect {
                Effect::Insert { record, zone } => {
                    let (key, state) = (record.key, record.state);
                    match self.store.handle.try_send(Request::Insert { record, zone }) {
                        Ok(()) => {
                            self.stats.store_writes += 1;
                            self.recount(None, Some(state));
                        }
                        Err(_) => {
                            // Nothing is believed that is not kept: the flow will be learned again.
                            self.stats.store_errors += 1;
                            self.engine.unlearn(&key);
                            refused = Some(key);
                        }
                    }
                }
                Effect::Kernel { key, .. } if refused == Some(key) => {}
                Effect::Kernel { key, before, after } => changes.push(firewall::Change { key, before, after }),
                Effect::Seen { key, at, connections } => self.seen(Seen { key, at, connections }),
                Effect::Event(what) => self.tell(what),
            }
        }
        match ticket {
            Some(_) => self.kernel.request(firewall::Request::Change { ticket, changes }),
            None => changes.into_iter().for_each(|change| self.kernel.change(change)),
        }
    }

    /// Notes connections for the store.
    pub fn seen(&mut self, seen: Seen) {
        if self.store.seen.len() < SEEN {
            self.store.seen.push(seen);
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
        match &what {
            What::FlowNew { flow } => {
                log::info!("new flow, {:?}: {} {}/{}", flow.state, flow.mac, flow.proto, flow.port)
            }
            What::DeviceNew { mac, zone } => {
                log::info!("new device: {mac} in {}", zone.as_deref().unwrap_or("no zone"))
            }
            What::Alert { message, .. } => log::warn!("{message}"),
            What::ConfigRefused { message } => {
                log::error!("the configuration is not applied, the old one stays: {message}")
            }
            What::ConfigReloaded => log::info!("the configuration has been read again"),
            What::FlowChanged { flow } => log::info!("now {:?}: {} {}/{}", flow.state, flow.mac, flow.proto, flow.port),
            What::FlowForgotten { .. } | What::DeviceChanged { .. } | What::LearningChanged { .. } => {}
        }
        self.control.broadcast(&Event { time: self.now.wall, what });
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
        let more = match failed.len() {
            1 => String::new(),
            count => format!(" (and {} more)", count - 1),
        };
        self.warnings.set(Subject::SetFull, vec![format!("not in the kernel: {}: {}{more}", first.what, first.why)]);
    }
}
