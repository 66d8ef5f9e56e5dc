//! Facts to a decision, in bounded memory and without I/O.
//!
//! [`decide`] holds the decision table. [`Engine`] looks a packet's flow up, asks the table, and says what must follow:
//! what the store is to keep, what the kernel is to know, what the owner may want to hear ([`Effect`]). A flow that the
//! cache knows costs one lookup and no allocation; one that it does not know is looked up in the store while the packet
//! waits ([`Answer::Ask`]), unless it is certain that the store does not know it either.

pub mod decide;
pub mod devices;
pub mod events;
mod learning;
pub(crate) mod limit;
mod policy;
pub mod scan;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::flow::cache::{Cache, Entry};
use crate::flow::{FlowId, Key, Mac, Monotonic, Now, Origin, Port, Protocol, Record, State, Verdict, Wall};
use crate::wire::{Facts, Stage};

use decide::{Outcome, Situation, decide};
use devices::Devices;
use events::What;
use limit::Bucket;
pub use policy::Policy;

/// Undecided flows that are recorded of one device, at most: what an owner can be asked to look at.
pub const PENDING_PER_DEVICE: u32 = 200;

/// Effects that room is kept for.
const KEPT_EFFECTS: usize = 256;

/// One packet, as the engine sees it.
#[derive(Debug, Clone)]
pub struct Sighting {
    /// The sender's address; there is none where the interface has none.
    pub mac: Option<Mac>,
    /// The guarded zone, or interface, it came in by.
    pub zone: Option<Arc<str>>,
    pub facts: Facts,
}

/// A packet that says nothing of its flow: it is cut off before its headers end, or they contradict themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable {
    pub mac: Option<Mac>,
}

/// What the engine says to a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Verdict(Verdict),
    /// The store must be asked for this flow; the packet waits.
    Ask(Key),
    /// The owner may decide about this flow for a while; the packet waits.
    Hold(Key),
}

/// What a packet or a decision has for consequences, in the order in which they must be carried out.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// A flow to be kept.
    Insert { record: Record, zone: Option<Arc<str>> },
    /// A known flow was seen again: so many connections more.
    Seen { key: Key, at: Wall, connections: u32 },
    /// The kernel's sets are to follow.
    Kernel { key: Key, before: Option<State>, after: Option<State> },
    /// Something the owner may want to hear.
    Event(What),
}

/// How often the cache knew a flow, and what was kept quiet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub hits: u64,
    pub misses: u64,
    pub no_mac: u64,
    pub events: u64,
    pub events_suppressed: u64,
    /// Flows that were not recorded because a bound was reached.
    pub unrecorded: u64,
}

/// The decisions of the house, and the memory they need.
pub struct Engine {
    policy: Policy,
    cache: Cache,
    devices: Devices,
    /// Decisions that cover every port of a protocol: the owner's, few, and never evicted.
    wide: HashMap<(Mac, Protocol), State>,
    next_id: u32,
    /// The store has no room: until then no new flow is offered to it.
    store_full: Option<Monotonic>,
    strangers_alert: Option<Monotonic>,
    learned: Bucket,
    learned_alert: Option<Monotonic>,
    effects: Vec<Effect>,
    pub counts: Counts,
}

impl Engine {
    /// An engine that knows no flow. New flows are numbered from `next_id` on.
    pub fn new(policy: Policy, next_id: FlowId, now: Now) -> Engine {
        let mut engine = Engine {
            cache: Cache::new(policy.cache_size),
            devices: Devices::new(now.mono),
            wide: HashMap::new(),
            next_id: next_id.0,
            store_full: None,
            strangers_alert: None,
            learned: Bucket::full(now.mono),
            learned_alert: None,
            effects: Vec::new(),
            counts: Counts::default(),
            policy: Policy::default(),
        };
        engine.configure(policy);
        engine
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    pub fn cache_len(&self) -> usize {
        self.cache.len()
    }

    pub fn device_count(&self) -> usize {
        self.devices.len()
    }

    /// A number for a flow that somebody else is about to make.
    pub fn reserve_id(&mut self) -> FlowId {
        let id = FlowId(self.next_id);
        self.next_id = self.next_id.saturating_add(1);
        id
    }

    /// What has followed since the last call, oldest first.
    pub fn take_effects(&mut self) -> std::vec::Drain<'_, Effect> {
        self.effects.drain(..)
    }

    /// Gives back the room that many effects at once have taken.
    pub fn slim(&mut self) {
        self.effects.shrink_to(KEPT_EFFECTS);
    }

    pub fn has_effects(&self) -> bool {
        !self.effects.is_empty()
    }

    /// Decides about one packet.
    pub fn packet(&mut self, sighting: &Sighting, now: Now) -> Answer {
        let Some(mac) = sighting.mac.filter(|mac| !mac.is_multicast()) else {
            self.counts.no_mac += 1;
            return Answer::Verdict(Verdict::Ignore);
        };
        let key = key_of(mac, &sighting.facts);
        match self.known(&key, now) {
            Some(state) => self.judge(key, Some(state), sighting, now),
            None if self.must_ask(&key, sighting) => {
                self.counts.misses += 1;
                Answer::Ask(key)
            }
            None => {
                self.counts.misses += 1;
                self.judge(key, None, sighting, now)
            }
        }
    }

    /// Decides about a packet that cannot be read. It may be malformed on purpose, to open a connection past its device's
    /// mode: it gets what any packet gets that begins no flow.
    pub fn unreadable(&self, packet: Unreadable) -> Verdict {
        let situation = Situation {
            known: None,
            house_learns: self.policy.learning,
            device: packet.mac.map(|mac| self.devices.mode(mac)).unwrap_or_default(),
            baseline: false,
            ignored: false,
            opening: false,
            room: false,
        };
        decide(&situation).verdict
    }

    /// Whether a new flow of this device is allowed on first use.
    pub fn learns(&self, mac: Mac) -> bool {
        decide::learns(self.policy.learning, self.devices.mode(mac))
    }

    /// Goes on with a packet that waited for the store, which knows nothing of its flow but what [`Engine::found`] told.
    pub fn resume(&mut self, sighting: &Sighting, now: Now) -> Answer {
        let Some(mac) = sighting.mac else {
            return Answer::Verdict(Verdict::Ignore);
        };
        let key = key_of(mac, &sighting.facts);
        let state = self.known(&key, now);
        self.judge(key, state, sighting, now)
    }

    /// Judges a packet that has waited for the owner. Its connection was counted when it came.
    pub fn judge_again(&mut self, sighting: &Sighting, now: Now) -> Answer {
        let Some(mac) = sighting.mac else {
            return Answer::Verdict(Verdict::Ignore);
        };
        let key = key_of(mac, &sighting.facts);
        let state = self.or_wide(&key, self.cache.peek(&key).map(|entry| entry.state));
        self.judge(key, state, sighting, now)
    }

    /// The state of a flow as far as the memory goes; a flow that is known counts as seen.
    fn known(&mut self, key: &Key, now: Now) -> Option<State> {
        let own = self.cache.get(key).map(|entry| {
            entry.last_seen = now.wall;
            entry.unreported = entry.unreported.saturating_add(1);
            entry.state
        });
        self.counts.hits += u64::from(own.is_some());
        self.or_wide(key, own)
    }

    /// A flow's own state; where nobody has decided about it, that of its protocol on any port. The kernel's sets are
    /// asked in the same order.
    fn or_wide(&self, key: &Key, own: Option<State>) -> Option<State> {
        match own {
            Some(State::Allowed | State::Denied) => own,
            Some(State::Pending) | None if self.wide.is_empty() => own,
            Some(State::Pending) | None => self.wide.get(&(key.mac, key.protocol)).copied().or(own),
        }
    }

    /// Whether only the store can tell if a flow is known, and the answer would matter.
    fn must_ask(&self, key: &Key, sighting: &Sighting) -> bool {
        if self.cache.is_complete() || self.devices.has_nothing_stored(key.mac) {
            return false;
        }
        let situation = self.situation(key, None, sighting);
        decide(&situation).becomes.is_some()
    }

    fn situation(&self, key: &Key, known: Option<State>, sighting: &Sighting) -> Situation {
        Situation {
            known,
            house_learns: self.policy.learning,
            device: self.devices.mode(key.mac),
            baseline: self.policy.is_baseline(key),
            ignored: self.policy.is_ignored(sighting.facts.destination),
            opening: sighting.facts.stage == Stage::Opening,
            room: true,
        }
    }

    fn judge(&mut self, key: Key, known: Option<State>, sighting: &Sighting, now: Now) -> Answer {
        let mut situation = self.situation(&key, known, sighting);
        if let Some(device) = self.devices.get(key.mac) {
            situation.room = device.has_room(key.protocol, self.policy.max_flows_per_device);
        }
        let Outcome { verdict, becomes } = decide(&situation);
        if let Some(state) = becomes {
            self.record(key, state, &situation, sighting, now);
        }
        let undecided = known.is_none() || known == Some(State::Pending);
        if verdict == Verdict::Refuse && undecided && situation.opening && self.policy.holds {
            return Answer::Hold(key);
        }
        Answer::Verdict(verdict)
    }

    /// Takes a flow into the cache.
    fn remember(&mut self, record: &Record) {
        let entry = Entry {
            id: record.id,
            state: record.state,
            origin: record.origin,
            last_seen: record.last_seen,
            unreported: 0,
        };
        self.put(record.key, entry);
    }

    /// Puts an entry into the cache; the connections counted in the one that has to go are reported, once.
    fn put(&mut self, key: Key, entry: Entry) {
        if let Some((key, evicted)) = self.cache.put(key, entry) {
            self.report_seen(key, &evicted);
        }
    }

    fn report_seen(&mut self, key: Key, entry: &Entry) {
        if entry.unreported > 0 {
            self.effects.push(Effect::Seen { key, at: entry.last_seen, connections: entry.unreported });
        }
    }
}

/// The flow a packet belongs to.
pub fn key_of(mac: Mac, facts: &Facts) -> Key {
    Key::service(mac, facts.protocol, Port::Number(facts.port))
}

/// Whether a network on a list contains an address.
fn contains(networks: &[ipnet::IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

/// A record of a flow that was just seen.
fn new_record(id: FlowId, key: Key, state: State, now: Now) -> Record {
    Record { id, key, state, origin: Origin::Learned, first_seen: now.wall, last_seen: now.wall, connections: 1 }
}
