use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Key, Wall};

/// What was decided about a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Seen, nobody has decided.
    Pending,
    Allowed,
    Denied,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            State::Pending => "pending",
            State::Allowed => "allowed",
            State::Denied => "denied",
        })
    }
}

/// Who decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// glacic itself, from a packet.
    Learned,
    /// The owner.
    User,
    /// Brought along from elsewhere by the owner.
    Imported,
    /// The owner's list of what everybody may do.
    Baseline,
}

/// How one device is treated; [`DeviceMode::Default`] follows the learning mode of the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceMode {
    #[default]
    Default,
    /// Its new flows are allowed, whatever the house does.
    Learn,
    /// Its new flows wait for a decision, whatever the house does.
    Enforce,
    /// It may do everything, and nothing is recorded.
    Trust,
    /// It may do nothing.
    Block,
}

/// What becomes of one packet. What the kernel is told depends on the placement and is made in `intercept`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Let it pass; in fallback placement this opens what fw4 would refuse.
    Pass,
    /// Nobody has allowed it: dropped in guard placement, left to fw4's refusal in fallback placement.
    Refuse,
    /// Somebody has denied it: dropped in either placement.
    Deny,
    /// None of our business: on to fw4, unmarked.
    Ignore,
}

/// A flow's number: unique for the life of a database, never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FlowId(pub u32);

/// What is known of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    pub id: FlowId,
    pub key: Key,
    pub state: State,
    pub origin: Origin,
    pub first_seen: Wall,
    pub last_seen: Wall,
    /// Connections that began, as far as they were counted.
    pub connections: u64,
}

/// What became of one flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// `None`: it was never seen.
    pub before: Option<Record>,
    /// `None`: it was forgotten.
    pub after: Option<Record>,
}
