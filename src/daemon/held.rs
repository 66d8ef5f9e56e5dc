//! Packets that wait: for the store to say what it knows, or for the owner to decide.
//!
//! Their number is bounded, and so is their patience. In log mode nothing waits in the kernel; what is kept then is the
//! sighting alone, so that the flow is recorded when the store has answered.

use std::time::Duration;

use crate::engine::Sighting;
use crate::flow::{Key, Mac, Monotonic};
use crate::intercept::queue::Held;

/// Packets that wait at once, at most. What comes beyond gets what its device's mode gives.
pub const CAPACITY: usize = 1024;

/// Of these, packets that wait for the owner, of all devices and of one. They stay for seconds, and a device can make as many
/// as it likes: those that wait for the store, which may be of flows long allowed, find room beside them.
pub const FOR_OWNER: usize = CAPACITY / 2;
pub const FOR_OWNER_OF_DEVICE: usize = CAPACITY / 8;

/// How long a packet waits for the store.
pub const STORE_PATIENCE: Duration = Duration::from_millis(500);

/// How long a copy waits for it, which holds nothing up: a store that is slow must not cost a flow its record.
pub const COPY_PATIENCE: Duration = Duration::from_secs(60);

/// Whom a packet waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaiting {
    Store,
    Owner,
}

/// One packet that waits.
#[derive(Debug, Clone)]
pub struct Waiting {
    pub key: Key,
    pub awaiting: Awaiting,
    pub sighting: Sighting,
    /// The packet in the kernel's queue; none in log mode.
    pub held: Option<Held>,
    pub until: Monotonic,
}

/// All packets that wait.
#[derive(Default)]
pub struct Lobby {
    waiting: Vec<Waiting>,
    pub peak: usize,
    pub expired: u64,
}

impl Lobby {
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether another packet of this device can wait.
    pub fn has_room(&self, awaiting: Awaiting, mac: Mac) -> bool {
        if self.waiting.len() >= CAPACITY {
            return false;
        }
        let for_owner = || self.waiting.iter().filter(|waiting| waiting.awaiting == Awaiting::Owner);
        match awaiting {
            Awaiting::Store => true,
            Awaiting::Owner => {
                for_owner().count() < FOR_OWNER
                    && for_owner().filter(|waiting| waiting.key.mac == mac).count() < FOR_OWNER_OF_DEVICE
            }
        }
    }

    /// Lets a packet wait; there must be room.
    pub fn enter(&mut self, waiting: Waiting) {
        self.waiting.push(waiting);
        self.peak = self.peak.max(self.waiting.len());
    }

    /// Whether a packet of this flow waits for the store already: one question is enough.
    pub fn is_asked(&self, key: &Key) -> bool {
        self.waiting.iter().any(|waiting| waiting.awaiting == Awaiting::Store && waiting.key == *key)
    }

    /// Calls out the packets that `whose` says it is time for.
    pub fn call(&mut self, whose: impl Fn(&Waiting) -> bool) -> Vec<Waiting> {
        self.waiting.extract_if(.., |waiting| whose(waiting)).collect()
    }

    /// Calls out the packets whose patience has ended.
    pub fn call_expired(&mut self, now: Monotonic) -> Vec<Waiting> {
        if self.next_deadline().is_none_or(|deadline| deadline > now) {
            return Vec::new();
        }
        let expired = self.call(|waiting| waiting.until <= now);
        self.expired = self.expired.saturating_add(expired.len() as u64);
        expired
    }

    /// When the first packet loses its patience.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        self.waiting.iter().map(|waiting| waiting.until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::tests::sighting;
    use crate::engine::key_of;

    const NOON: Monotonic = Monotonic::from_secs(1000);

    fn waiting(port: u16, awaiting: Awaiting, seconds: u64) -> Waiting {
        let sighting = sighting(port);
        let key = key_of(sighting.mac.unwrap(), &sighting.facts);
        Waiting { key, awaiting, sighting, held: None, until: NOON.after(Duration::from_secs(seconds)) }
    }

    #[test]
    fn whoever_is_called_is_gone_and_the_others_stay_in_order() {
        let mut lobby = Lobby::default();
        (1..=4).for_each(|port| lobby.enter(waiting(port, Awaiting::Store, 1)));
        let called = lobby.call(|waiting| waiting.sighting.facts.port % 2 == 0);
        assert_eq!(called.iter().map(|waiting| waiting.sighting.facts.port).collect::<Vec<_>>(), [2, 4]);
        assert_eq!((lobby.len(), lobby.peak), (2, 4));
        assert!(lobby.call(|waiting| waiting.sighting.facts.port == 2).is_empty());
    }

    #[test]
    fn one_question_a_flow_is_enough() {
        let mut lobby = Lobby::default();
        lobby.enter(waiting(1, Awaiting::Owner, 1));
        let key = waiting(1, Awaiting::Store, 1).key;
        assert!(!lobby.is_asked(&key), "the owner is not the store");
        lobby.enter(waiting(1, Awaiting::Store, 1));
        assert!(lobby.is_asked(&key) && !lobby.is_asked(&waiting(2, Awaiting::Store, 1).key));
    }

    #[test]
    fn patience_ends_for_each_in_its_own_time() {
        let mut lobby = Lobby::default();
        [3, 1, 2].into_iter().for_each(|seconds| lobby.enter(waiting(1, Awaiting::Store, seconds)));
        assert_eq!(lobby.next_deadline(), Some(NOON.after(Duration::from_secs(1))));
        assert!(lobby.call_expired(Monotonic { millis: NOON.millis + 999 }).is_empty());
        assert_eq!(lobby.call_expired(NOON.after(Duration::from_secs(2))).len(), 2);
        assert_eq!((lobby.len(), lobby.expired), (1, 2));
    }

    /// Lets packets of a device wait until there is no more room for them; returns how many that were.
    fn fill(lobby: &mut Lobby, awaiting: Awaiting, device: u8) -> usize {
        let mac = Mac([2, 0, 0, 0, 0, device]);
        let before = lobby.len();
        while lobby.has_room(awaiting, mac) {
            let waiting = waiting(1, awaiting, 1);
            lobby.enter(Waiting { key: Key { mac, ..waiting.key }, ..waiting });
        }
        lobby.len() - before
    }

    #[test]
    fn there_is_room_for_so_many() {
        let mut lobby = Lobby::default();
        assert_eq!(fill(&mut lobby, Awaiting::Store, 1), CAPACITY);
        assert_eq!(fill(&mut lobby, Awaiting::Owner, 2), 0);
    }

    #[test]
    fn whoever_waits_for_the_owner_leaves_room_for_other_devices_and_for_the_store() {
        let mut lobby = Lobby::default();
        assert_eq!(fill(&mut lobby, Awaiting::Owner, 1), FOR_OWNER_OF_DEVICE);
        let others: usize = (2..100).map(|device| fill(&mut lobby, Awaiting::Owner, device)).sum();
        assert_eq!(others + FOR_OWNER_OF_DEVICE, FOR_OWNER);
        assert_eq!(fill(&mut lobby, Awaiting::Store, 1), CAPACITY - FOR_OWNER);
    }
}
