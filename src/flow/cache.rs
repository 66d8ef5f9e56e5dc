//! A bounded table of flows: the least recently used goes first.
//!
//! LAN devices choose their MAC addresses and ports, so the hash is seeded at random: nobody outside can aim at one
//! bucket. An entry takes about 100 bytes on a 64-bit machine, its place in the index included; the engine's bench
//! measures it.

use std::num::NonZeroUsize;

use lru::LruCache;

use super::{FlowId, Key, Origin, State, Wall};

/// What the engine remembers of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub id: FlowId,
    pub state: State,
    pub origin: Origin,
    pub last_seen: Wall,
    /// Connections that the store has not been told of.
    pub unreported: u32,
}

/// The flows seen last.
pub struct Cache {
    entries: LruCache<Key, Entry>,
    /// Whether every flow there is stands in the table: then absence here is absence everywhere.
    complete: bool,
}

impl Cache {
    /// An empty table of at most `capacity` flows (at least one); complete, since no flow is known at all.
    pub fn new(capacity: usize) -> Cache {
        let capacity = NonZeroUsize::new(capacity).unwrap_or(NonZeroUsize::MIN);
        Cache { entries: LruCache::new(capacity), complete: true }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether a flow that is not here is nowhere.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// The entry of a flow, which becomes the most recently used.
    pub fn get(&mut self, key: &Key) -> Option<&mut Entry> {
        self.entries.get_mut(key)
    }

    /// The entry of a flow, without touching its place in the order.
    pub fn peek(&self, key: &Key) -> Option<&Entry> {
        self.entries.peek(key)
    }

    /// Puts an entry. Returns the one that had to go for it, if any; from then on the table is not complete.
    pub fn put(&mut self, key: Key, entry: Entry) -> Option<(Key, Entry)> {
        match self.entries.push(key, entry) {
            Some((old, _)) if old == key => None,
            Some(evicted) => {
                self.complete = false;
                Some(evicted)
            }
            None => None,
        }
    }

    /// Takes a flow out that is known to be gone everywhere.
    pub fn remove(&mut self, key: &Key) -> Option<Entry> {
        self.entries.pop(key)
    }

    /// Changes the bound; entries that no longer fit are handed to `evicted`.
    pub fn resize(&mut self, capacity: usize, mut evicted: impl FnMut(Key, Entry)) {
        let capacity = NonZeroUsize::new(capacity).unwrap_or(NonZeroUsize::MIN);
        while self.entries.len() > capacity.get() {
            if let Some((key, entry)) = self.entries.pop_lru() {
                self.complete = false;
                evicted(key, entry);
            }
        }
        self.entries.resize(capacity);
    }

    /// All entries, in no order that means anything.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&Key, &mut Entry)> {
        self.entries.iter_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Mac, Port, Protocol};

    fn key(port: u16) -> Key {
        Key::service(Mac([2, 0, 0, 0, 0, 1]), Protocol::TCP, Port::Number(port))
    }

    fn entry(id: u32) -> Entry {
        Entry {
            id: FlowId(id),
            state: State::Pending,
            origin: Origin::Learned,
            last_seen: Wall::default(),
            unreported: 0,
        }
    }

    #[test]
    fn the_least_recently_used_goes_and_is_handed_back() {
        let mut cache = Cache::new(2);
        assert_eq!(cache.put(key(1), entry(1)), None);
        assert_eq!(cache.put(key(2), entry(2)), None);
        cache.get(&key(1));
        assert_eq!(cache.put(key(3), entry(3)), Some((key(2), entry(2))));
        assert_eq!(cache.len(), 2);
    }

    #[test]
    fn is_complete_until_something_was_evicted() {
        let mut cache = Cache::new(2);
        cache.put(key(1), entry(1));
        cache.put(key(1), entry(9));
        cache.put(key(2), entry(2));
        cache.remove(&key(2));
        assert!(cache.is_complete(), "replacing and removing lose nothing");
        cache.put(key(2), entry(2));
        cache.put(key(3), entry(3));
        assert!(!cache.is_complete());
    }

    #[test]
    fn shrinking_hands_back_what_does_not_fit() {
        let mut cache = Cache::new(3);
        for n in 1..=3 {
            cache.put(key(n), entry(n.into()));
        }
        let mut gone = Vec::new();
        cache.resize(1, |key, _| gone.push(key));
        assert_eq!(gone, [key(1), key(2)]);
        assert!(!cache.is_complete());
    }
}
