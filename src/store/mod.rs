//! What outlives a restart: one thread owns the SQLite file, everybody else sends it requests.
//!
//! The truth of a running daemon is a database in memory; the file is its shadow. Every change is made in memory, noted
//! as due, and written later in one transaction: a decision of the owner before it is answered, a learned flow within
//! [`BATCH_WAIT`], counters every `flush_interval`. So a file that cannot be read or written changes nothing about
//! how glacic works: what is due stays due, bounded by the number of rows, and is written when the file can be.

mod age;
mod book;
mod decide;
mod destinations;
mod devices;
mod due;
mod file;
mod flows;
mod life;
mod list;
mod message;
mod meta;
mod open;
mod schema;
mod shadow;
mod spare;
#[cfg(test)]
mod tests;
mod thread;
mod value;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::control::protocol::FlowCounts;
use crate::flow::{DeviceMode, FlowId, Mac, Rate};

pub use book::Store;
pub use message::{Decided, DeviceSet, Reply, Request, Seen, Status, When};
pub use open::{open, read_copy};
pub use thread::{Full, Handle, INBOX, spawn};

/// How long a learned flow may wait for its transaction: it is on the flash within ten seconds, a slow flash included.
pub const BATCH_WAIT: Duration = Duration::from_secs(8);

/// How many flows may push out an undecided one, where no more fit: an attacker who invents them would otherwise have the
/// flash written without end, and the owner's questions gone within minutes.
const EVICTIONS: Rate = Rate { count: 60, per: Duration::from_secs(600) };

/// What bounds the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Flows held at once; see [`Request::Insert`] for what gives way.
    pub max_flows: usize,
    /// How long an undecided flow is kept after it was last seen, in time that glacic ran.
    pub retention: Duration,
    /// How often counters, and times of known flows, reach the flash.
    pub flush_interval: Duration,
}

/// What [`open`] found.
pub struct Opened {
    pub store: Store,
    /// The first number no flow of this database ever had.
    pub next_id: FlowId,
    pub counts: FlowCounts,
    /// What was kept by [`Request::Meta`].
    pub meta: BTreeMap<String, String>,
    /// Rows of the file that made no sense and were left out.
    pub skipped: u32,
    /// Where a damaged or foreign file was moved.
    pub moved_aside: Option<PathBuf>,
    /// There is a file, and nothing of it could be read: nobody knows what was decided.
    pub unread: bool,
    /// Why nothing can be written for now.
    pub trouble: Option<Trouble>,
}

/// Why the file cannot be read or written: a sentence for the owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble(pub String);

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Trouble {}

/// A device as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    pub mac: Mac,
    /// The name the owner gave it.
    pub name: Option<String>,
    pub mode: DeviceMode,
    pub zone: Option<String>,
}
