//! What happened: over the last day in sums, and of late one by one.

use serde::{Deserialize, Serialize};

use crate::engine::events::Event;
use crate::flow::{Mac, Port, Protocol};

/// The reply to `activity`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// Seconds of a slot.
    pub step: u64,
    /// When the first slot began.
    pub since: i64,
    /// The oldest first; the last one is not over yet.
    pub slots: Vec<Slot>,
    /// The most active ones, the first of them first.
    pub devices: Vec<ActiveDevice>,
    pub services: Vec<ActiveService>,
}

/// What happened in one span of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// When it began, in seconds since 1970.
    pub at: i64,
    pub new_flows: u32,
    pub dropped: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveDevice {
    pub mac: Mac,
    /// Its name, where one is known.
    pub device: Option<String>,
    pub connections: u32,
    /// Packets.
    pub dropped: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveService {
    pub proto: Protocol,
    #[serde(with = "crate::flow::query::port_or_any")]
    pub port: Port,
    pub connections: u32,
    pub dropped: u32,
}

/// The reply to `event_list`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventPage {
    pub events: Vec<Numbered>,
    /// The number of the last event there was.
    pub last: u64,
}

/// An event with its number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Numbered {
    pub seq: u64,
    #[serde(flatten)]
    pub event: Event,
}
