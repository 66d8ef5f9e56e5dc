//! How the daemon does: its state in words, and in numbers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::flow::Wall;

/// The reply to `status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    pub version: String,
    /// The time by the router's clock.
    pub time: Wall,
    /// Seconds since the daemon started.
    pub uptime: u64,
    /// Whether the owner has turned glacic on.
    pub enabled: bool,
    pub learning: bool,
    /// Seconds of uptime until the learning mode changes by itself.
    pub learning_left: Option<u64>,
    /// `log` or `queue`, as it runs now.
    pub mode: String,
    /// `guard` or `fallback`.
    pub placement: String,
    /// `open` or `closed`.
    pub fail_mode: String,
    /// Guarded interfaces.
    pub interfaces: Vec<String>,
    pub flows: FlowCounts,
    pub devices: u64,
    /// Packets, as far as it is known who dropped them; of up to five minutes more.
    pub dropped_last_hour: u64,
    pub database: DatabaseStatus,
    /// Whether the ruleset is in the kernel.
    pub ruleset: bool,
    /// Whether the wall clock has been set.
    pub clock_set: bool,
    pub confinement: Confinement,
    /// What the owner should know.
    pub warnings: Vec<Warning>,
}

/// What the daemon may do, as the kernel shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    /// Who it runs as.
    pub user: String,
    /// What it is permitted, by the kernel's names in lower case and without their `CAP_`.
    pub capabilities: Vec<String>,
    /// Whether programs that it starts can gain nothing by being started.
    pub no_new_privileges: bool,
    /// Whether the kernel refuses system calls that it never needs.
    pub filter: bool,
    /// What could not be given up, and why.
    pub trouble: Vec<String>,
}

/// Something that is wrong right now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    pub code: WarningCode,
    /// A sentence: what is wrong and what to do.
    pub message: String,
}

/// What a warning is about, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WarningCode {
    RulesetMissing,
    ModuleMissing,
    Offload,
    QueueOverflow,
    LogLost,
    DatabaseTrouble,
    DatabaseMoved,
    TableFull,
    ConfigRefused,
    ClockNotSet,
    /// A zone or interface that is not guarded although it should be.
    Interface,
    /// The router's own firewall does not do its part.
    Fw4,
    /// Everything else, and what a newer daemon may tell.
    #[serde(other)]
    Other,
}

impl WarningCode {
    pub const ALL: [WarningCode; 13] = [
        WarningCode::RulesetMissing,
        WarningCode::ModuleMissing,
        WarningCode::Offload,
        WarningCode::QueueOverflow,
        WarningCode::LogLost,
        WarningCode::DatabaseTrouble,
        WarningCode::DatabaseMoved,
        WarningCode::TableFull,
        WarningCode::ConfigRefused,
        WarningCode::ClockNotSet,
        WarningCode::Interface,
        WarningCode::Fw4,
        WarningCode::Other,
    ];
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowCounts {
    pub allowed: u64,
    pub pending: u64,
    pub denied: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatabaseStatus {
    pub path: String,
    /// Why nothing is being written, where that is so.
    pub trouble: Option<String>,
    /// Where a damaged or foreign file was moved at start.
    pub moved_aside: Option<String>,
}

/// The reply to `stats`. Counts are since the daemon started.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    pub uptime: u64,
    /// Packets the daemon saw.
    pub packets: u64,
    pub accepted: u64,
    pub dropped: u64,
    /// Packets that could not be read.
    pub malformed: u64,
    /// Verdicts the kernel did not take.
    pub verdict_errors: u64,
    /// Packets held right now, and the most at any time.
    pub held: u64,
    pub held_peak: u64,
    /// Held packets that were answered by `fail_mode` because nobody answered in time.
    pub held_expired: u64,
    pub no_mac: u64,
    /// Packets the kernel dropped because the queue was full, and because the socket was.
    pub queue_dropped: u64,
    pub queue_user_dropped: u64,
    /// Times the kernel said that the socket's buffer was full.
    pub overflows: u64,
    pub log_lost: u64,
    pub cache_hits: u64,
    pub cache_misses: u64,
    pub cache_entries: u64,
    /// Requests waiting for the store, and for the firewall.
    pub store_queue: u64,
    pub firewall_queue: u64,
    /// Milliseconds from a request to the store's last reply to one.
    pub store_lag_ms: u64,
    /// Changes that reached the store, and that it could not take.
    pub store_writes: u64,
    pub store_errors: u64,
    pub events: u64,
    pub events_suppressed: u64,
    /// Elements in each kernel set, as far as glacic put them there.
    pub sets: BTreeMap<String, u64>,
    pub firewall_errors: u64,
}
