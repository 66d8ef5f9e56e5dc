//! How flows enter, change in and leave the engine's memory: learned from packets, loaded from the store, decided by the
//! owner, forgotten by either.

use std::time::Duration;

use crate::flow::cache::Entry;
use crate::flow::view::FlowView;
use crate::flow::{Change, DeviceMode, FlowId, Key, Mac, Monotonic, Now, Port, Record, State};

use super::decide::Situation;
use super::devices::due;
use super::events::What;
use super::policy::Policy;
use super::scan::Scan;
use super::{Effect, Engine, PENDING_PER_DEVICE, Sighting, new_record};

/// Flows of one decision that are told one by one. Who wants to know of more asks for the list.
pub(super) const TOLD: usize = 100;

impl Engine {
    /// Records a flow that nobody had seen, as far as the bounds allow.
    pub(super) fn record(&mut self, key: Key, state: State, situation: &Situation, sighting: &Sighting, now: Now) {
        if self.store_full.is_some_and(|until| now.mono < until) {
            self.counts.unrecorded += 1;
            return;
        }
        let rate = self.policy.rate_limit;
        let Ok((device, is_new)) = self.devices.enter(key.mac, now.mono) else {
            self.counts.unrecorded += 1;
            if due(&mut self.strangers_alert, now.mono) {
                self.alert("too_many_devices", None, TOO_MANY_DEVICES.to_owned());
            }
            return;
        };
        if is_new && device.events.take(rate, now.mono) {
            self.effects.push(Effect::Event(What::DeviceNew {
                mac: key.mac,
                zone: sighting.zone.as_deref().map(str::to_owned),
            }));
            self.counts.events += 1;
        }
        let full = state == State::Pending && device.pending >= PENDING_PER_DEVICE;
        if !situation.room && situation.learns() || full {
            let alert = device.full_alert_due(now.mono);
            if alert {
                self.alert("device_full", Some(key.mac), device_full(key.mac, situation.learns()));
            }
        }
        if full {
            self.counts.unrecorded += 1;
            return;
        }
        if state == State::Allowed && !self.learned.take(self.policy.learned, now.mono) {
            self.counts.unrecorded += 1;
            if due(&mut self.learned_alert, now.mono) {
                self.alert("too_many_flows", None, TOO_MANY_FLOWS.to_owned());
            }
            return;
        }
        let id = self.reserve_id();
        let record = new_record(id, key, state, now);
        if let Some(device) = self.devices.get(key.mac) {
            device.recount(key.protocol, None, Some(state));
        }
        self.remember(&record);
        self.effects.push(Effect::Insert { record, zone: sighting.zone.clone() });
        if state != State::Pending {
            self.effects.push(Effect::Kernel { key, before: None, after: Some(state) });
        }
        self.announce(&record, sighting, now.mono);
    }

    /// Tells of a new flow, unless its device scans or talks too much.
    fn announce(&mut self, record: &Record, sighting: &Sighting, now: Monotonic) {
        let Key { mac, protocol, port, .. } = record.key;
        let rate = self.policy.rate_limit;
        let Some(device) = self.devices.get(mac) else { return };
        let scan = device.scan.note(protocol, port.number().unwrap_or(0), now);
        let quiet = scan == Scan::Quiet && device.events.take(rate, now);
        match scan {
            Scan::Alert => self.alert("port_scan", Some(mac), port_scan(mac)),
            _ if quiet => {
                let mut flow = FlowView::new(record);
                flow.zone = sighting.zone.as_deref().map(str::to_owned);
                self.effects.push(Effect::Event(What::FlowNew { flow }));
                self.counts.events += 1;
            }
            _ => self.counts.events_suppressed += 1,
        }
    }

    fn alert(&mut self, kind: &str, mac: Option<Mac>, message: String) {
        self.counts.events += 1;
        self.effects.push(Effect::Event(What::Alert { kind: kind.to_owned(), mac, message }));
    }

    /// Takes in a flow that the store holds, at start.
    pub fn load(&mut self, record: &Record, now: Now) {
        self.next_id = self.next_id.max(record.id.0.saturating_add(1));
        if let Some(device) = self.devices.known(record.key.mac, now.mono) {
            device.recount(record.key.protocol, None, Some(record.state));
        }
        if record.key.port == Port::Any {
            self.wide.insert((record.key.mac, record.key.protocol), record.state);
        }
        self.remember(record);
    }

    /// Follows decisions that the store has taken down: in memory, in the kernel, and out loud.
    pub fn decided(&mut self, changes: &[Change], now: Now) {
        for (number, Change { before, after }) in changes.iter().enumerate() {
            let Some(record) = after.as_ref().or(before.as_ref()) else { continue };
            let key = record.key;
            // A packet may have made the flow before the decision was known here: then the kernel has heard of that.
            let here = self.cache.peek(&key).map(|entry| entry.state);
            let (was, is) = (here.or(before.map(|record| record.state)), after.map(|record| record.state));
            if let Some(device) = self.devices.known(key.mac, now.mono) {
                device.recount(key.protocol, was, is);
            }
            self.follow(key, after.as_ref());
            if was != is {
                self.effects.push(Effect::Kernel { key, before: was, after: is });
            }
            if number >= TOLD {
                continue;
            }
            let flow = FlowView::new(record);
            self.counts.events += 1;
            self.effects.push(Effect::Event(match after {
                Some(_) => What::FlowChanged { flow },
                None => What::FlowForgotten { flow },
            }));
        }
        let more = changes.len().saturating_sub(TOLD);
        if more > 0 {
            self.counts.events += 1;
            self.effects.push(Effect::Event(What::FlowsChanged { count: more as u64 }));
        }
    }

    /// Brings the memory of one flow to what was decided.
    fn follow(&mut self, key: Key, after: Option<&Record>) {
        let wide = (key.mac, key.protocol);
        match after {
            None => {
                self.cache.remove(&key);
                if key.port == Port::Any {
                    self.wide.remove(&wide);
                }
            }
            Some(record) => {
                if key.port == Port::Any {
                    self.wide.insert(wide, record.state);
                }
                match self.cache.get(&key) {
                    Some(entry) => {
                        *entry = Entry { id: record.id, state: record.state, origin: record.origin, ..*entry }
                    }
                    None => self.remember(record),
                }
            }
        }
    }

    /// Takes in what the store holds of a flow. Returns the state in which the flow was recorded here although the store
    /// had it already: that record was refused.
    pub fn found(&mut self, record: &Record) -> Option<State> {
        let Some(entry) = self.cache.get(&record.key) else {
            self.remember(record);
            return None;
        };
        if entry.id == record.id {
            return None;
        }
        let was = entry.state;
        // The connection that the refused record began with is still to be told.
        let unreported = entry.unreported.saturating_add(1);
        *entry = Entry { id: record.id, state: record.state, origin: record.origin, unreported, ..*entry };
        if let Some(device) = self.devices.get(record.key.mac) {
            device.recount(record.key.protocol, Some(was), None);
        }
        if was != record.state {
            let (before, after) = (Some(was), Some(record.state));
            self.effects.push(Effect::Kernel { key: record.key, before, after });
        }
        Some(was)
    }

    /// Takes back a flow that the store had no room for, and offers no other for a while: what is new passes while
    /// learning, unrecorded. Returns the flow's state.
    pub fn not_kept(&mut self, key: &Key, now: Now) -> Option<State> {
        self.store_full = Some(now.mono.after(STORE_FULL));
        let (_, state) = self.lookup(key)?;
        self.unlearn(key);
        if state != State::Pending {
            self.effects.push(Effect::Kernel { key: *key, before: Some(state), after: None });
        }
        Some(state)
    }

    /// Forgets undecided flows that the store has dropped by age or for room.
    pub fn forgotten(&mut self, keys: &[Key]) {
        for key in keys {
            self.cache.remove(key);
            if let Some(device) = self.devices.get(key.mac) {
                device.recount(key.protocol, Some(State::Pending), None);
            }
        }
    }

    /// Takes back a flow that could not be handed to the store: it will be learned again.
    pub fn unlearn(&mut self, key: &Key) {
        if let Some(entry) = self.cache.remove(key)
            && let Some(device) = self.devices.get(key.mac)
        {
            device.recount(key.protocol, Some(entry.state), None);
        }
    }

    /// New settings take effect with the next packet; no verdict of the old ones is remembered anywhere.
    pub fn configure(&mut self, policy: Policy) {
        let mut evicted = Vec::new();
        self.cache.resize(policy.cache_size, |key, entry| evicted.push((key, entry)));
        evicted.iter().for_each(|(key, entry)| self.report_seen(*key, entry));
        self.policy = policy;
    }

    /// Turns the learning mode of the house on or off.
    pub fn set_learning(&mut self, learning: bool) {
        self.policy.learning = learning;
    }

    /// Sets a device's mode and returns the one it had.
    pub fn set_device(&mut self, mac: Mac, mode: DeviceMode) -> DeviceMode {
        self.devices.set_mode(mac, mode)
    }

    /// Every device whose mode is not the default one.
    pub fn device_modes(&self) -> Vec<(Mac, DeviceMode)> {
        self.devices.modes().collect()
    }

    /// Reports every connection that was counted here and not yet told; each is told once.
    pub fn report(&mut self) {
        let effects = &mut self.effects;
        for (key, entry) in self.cache.iter_mut().filter(|(_, entry)| entry.unreported > 0) {
            let connections = std::mem::take(&mut entry.unreported);
            effects.push(Effect::Seen { key: *key, at: entry.last_seen, connections });
        }
    }

    /// The number and state of a flow that is in memory.
    pub fn lookup(&self, key: &Key) -> Option<(FlowId, State)> {
        self.cache.peek(key).map(|entry| (entry.id, entry.state))
    }
}

/// How long nothing new is offered to a store that has no room.
const STORE_FULL: Duration = Duration::from_secs(60);

const TOO_MANY_DEVICES: &str = "more new hardware addresses than a home has: somebody may be forging them; what they do is not \
     recorded. `glacic devices` shows them, and `glacic forget --device ADDRESS` takes out what one of them has";

const TOO_MANY_FLOWS: &str = "half of all flows that max_flows allows were learned within a day: somebody may be inventing them; \
     of what is new, little is remembered today. `glacic devices` shows who it is, and `glacic forget --device ADDRESS` makes room";

fn device_full(mac: Mac, learns: bool) -> String {
    let passes = if learns { "they pass while it learns" } else { "they do not pass" };
    format!(
        "{mac} has as many flows as one device may have: new ones stay pending, {passes}; look at `glacic flows --device {mac}`"
    )
}

fn port_scan(mac: Mac) -> String {
    format!("{mac} tries one port after another; its new flows are recorded but not announced for an hour")
}
