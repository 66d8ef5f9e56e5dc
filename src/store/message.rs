//! What the store is asked, and what it answers. A `ticket` is the asker's own number, returned as it was.

use std::sync::Arc;

use crate::control::protocol::{DeviceQuery, Error, FlowCounts};
use crate::flow::query::{Decision, Query, Selection};
use crate::flow::{Change, DeviceMode, FlowId, Key, Mac, Record, State, Wall};

/// One thing to do.
#[derive(Debug, Clone)]
pub enum Request {
    /// What is known of this flow? Answered by [`Reply::Found`].
    Find { key: Key },
    /// A flow seen for the first time. Not answered, except: where the key is known already, by [`Reply::Found`];
    /// where the store was full, by [`Reply::Forgotten`] with the oldest undecided flow, which gave way, or by
    /// [`Reply::Full`] where there is none. What was allowed or denied never gives way.
    Insert { record: Record, zone: Option<Arc<str>> },
    /// New connections of known flows. Not answered, and not written before the flush interval has passed.
    Seen(Vec<Seen>),
    /// A decision of the owner, on the flash when [`Reply::Decided`] comes. Device names must be unambiguous. `fresh`
    /// is the number of the flow that [`Selection::Service`] makes where it names one that was never seen.
    Decide { ticket: u32, selection: Selection, decision: Decision, fresh: FlowId },
    /// A page of flows, by [`Reply::Listed`].
    List { ticket: u32, query: Query },
    /// One flow, by [`Reply::Got`].
    Get { ticket: u32, id: FlowId },
    /// A page of devices, by [`Reply::Devices`]. `modes` hold whatever the database says.
    Devices { ticket: u32, query: DeviceQuery, modes: Vec<(Mac, DeviceMode)> },
    /// The owner's name (an empty one: none) and mode for a device, named by its MAC address or by its name;
    /// on the flash when [`Reply::DeviceSet`] comes. A device that was never seen can be set by its address.
    DeviceSet { ticket: u32, device: String, name: Option<String>, mode: Option<DeviceMode> },
    /// Names of devices known from elsewhere (DHCP leases, /etc/ethers), in place of those given before. Kept in memory.
    Names(Vec<(Mac, String)>),
    /// Everything that was allowed or denied, by several [`Reply::Decisions`]: what kernel sets are filled from.
    Decisions { ticket: u32 },
    /// How the store is, by [`Reply::Status`].
    Status { ticket: u32 },
    /// A little state to keep: `None` forgets it.
    Meta { key: String, value: Option<String>, when: When },
    /// The wall clock was set forward by so many seconds: times taken before are mended.
    ClockSet { jump_seconds: i64 },
    /// The limits changed with the configuration.
    Limits(super::Limits),
    /// Write everything now, counters included.
    Flush,
}

/// When a little state is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At the flush interval.
    Later,
    /// As a learned flow is.
    Soon,
    /// At once: a word of the owner, on the flash when [`Reply::Kept`] comes.
    Now { ticket: u32 },
}

/// New connections of a known flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    pub key: Key,
    /// When the last of them began.
    pub at: Wall,
    /// How many began since the last report.
    pub connections: u32,
}

/// What the store says.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    Found {
        key: Key,
        record: Option<Record>,
    },
    /// There is no room for this new flow: it was not recorded.
    Full {
        key: Key,
    },
    /// Undecided flows that were dropped: they gave way to new ones, or were not seen for the retention time.
    Forgotten(Vec<Record>),
    Decided {
        ticket: u32,
        result: Result<Decided, Error>,
    },
    /// A `FlowPage` in JSON.
    Listed {
        ticket: u32,
        result: Result<String, Error>,
    },
    /// A `FlowView` in JSON.
    Got {
        ticket: u32,
        result: Result<String, Error>,
    },
    /// A `DevicePage` in JSON.
    Devices {
        ticket: u32,
        result: Result<String, Error>,
    },
    DeviceSet {
        ticket: u32,
        result: Result<DeviceSet, Error>,
    },
    Kept {
        ticket: u32,
        /// Why it stands in memory only, where that is so.
        saved: Result<(), super::Trouble>,
    },
    /// At most [`Reply::CHUNK`] decisions; `last` marks the end.
    Decisions {
        ticket: u32,
        chunk: Vec<(Key, State)>,
        last: bool,
    },
    Status {
        ticket: u32,
        status: Status,
    },
    /// The file can no longer be written: what changes stays in memory, and is tried again.
    Trouble(super::Trouble),
    /// The file is whole again: everything is written.
    Recovered,
    /// The file turned out to be damaged while it was in use, and was moved here; a new one holds everything.
    MovedAside(std::path::PathBuf),
}

impl Reply {
    /// Decisions in one [`Reply::Decisions`].
    pub const CHUNK: usize = 1024;
}

/// How the store is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Status {
    pub flows: FlowCounts,
    pub devices: u64,
    /// Transactions that reached the file since it was opened.
    pub commits: u64,
    /// Transactions that failed; what was in them is written by a later one.
    pub failures: u64,
}

/// What a decision did.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// Flows that are now as asked, those that were so before included.
    pub matched: u64,
    /// Flows that changed.
    pub changes: Vec<Change>,
    /// Why it stands in memory only, where that is so.
    pub saved: Result<(), super::Trouble>,
}

/// A device as it is now, and how it was treated before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceSet {
    pub mac: Mac,
    pub mode: DeviceMode,
    pub mode_before: DeviceMode,
    /// Why it stands in memory only, where that is so.
    pub saved: Result<(), super::Trouble>,
}
