//! Packets that wait: for the store to say what it knows, or for the owner to decide.
//!
//! Their number is bounded, and so is their patience. In log mode nothing waits in the kernel; what is kept then is the
//! sighting alone, so that the flow is recorded when the store has answered.

use std::time::Duration;

use crate::engine::Sighting;
use crate::flow::{Key, Monotonic};
use crate::intercept::queue::Held;

/// Packets that wait at once, at most. What comes beyond is answered by `fail_mode`.
pub const CAPACITY: usize = 1024;

/// How long a packet waits for the store.
pub const STORE_PATIENCE: Duration = Duration::from_millis(500);

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

/// There is no room to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

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

    /// Lets a packet wait, unless the lobby is full.
    pub fn enter(&mut self, waiting: Waiting) -> Result<(), Full> {
        if self.waiting.len() >= CAPACITY {
            return Err(Full);
        }
        self.waiting.push(waiting);
        self.peak = self.peak.max(self.waiting.len());
        Ok(())
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
