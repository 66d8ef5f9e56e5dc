//! Typed settings: one field an option of section `rule_learning`, and the lists of `device` and `baseline` sections.

use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

pub use crate::flow::Rate;
use crate::flow::{DeviceMode, Mac, Port, Protocol};

/// Whether packets are watched or held (`inline_mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inline {
    /// `0`: nflog, a copy.
    Log,
    /// `1`: nfqueue, the packet itself.
    Queue,
    /// `auto`: the queue while learning, the log afterwards.
    Auto,
}

/// Where glacic stands relative to fw4 (`placement`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// Before fw4: takes away what fw4 would allow.
    Guard,
    /// Behind fw4's refusal: opens what is known.
    Fallback,
}

/// What becomes of undecided flows while nobody answers (`fail_mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailMode {
    Open,
    Closed,
}

/// How denied flows and devices are turned away (`deny_with`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DenyWith {
    Drop,
    Reject,
}

/// What a learned flow's destination is (`scope`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Any host.
    Service,
    /// The host it was learned with.
    Destination,
}

/// One `config device` section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    pub mac: Mac,
    pub name: Option<String>,
    pub mode: DeviceMode,
    pub scope: Option<Scope>,
}

/// One `config baseline` section: what every device may do without being asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Baseline {
    pub protocol: Protocol,
    pub port: Port,
}

/// Everything the owner can set. [`Settings::default`] is what an empty file means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub enabled: bool,
    /// Trust on first use: new flows are allowed.
    pub learning: bool,
    pub inline: Inline,
    /// nflog group, and number of the (first) queue.
    pub log_group: u16,
    /// nflog group of hellos and DNS answers.
    pub names_group: u16,
    /// Queues to spread packets over, 1 to 16.
    pub queues: u16,
    pub placement: Placement,
    /// Guarded fw4 zones.
    pub zones: Vec<String>,
    /// Guarded interfaces, in addition to those of the zones.
    pub interfaces: Vec<String>,
    pub guard_input: bool,
    pub anti_lockout: bool,
    pub fail_mode: FailMode,
    pub deny_with: DenyWith,
    pub scope: Scope,
    /// Learning ends by itself after so much uptime.
    pub learning_period: Option<Duration>,
    /// Queue mode, enforcing: how long a new packet waits for the owner.
    pub hold: Option<Duration>,
    /// The bits of the packet mark that mean "allowed", in fallback placement.
    pub mark: u32,
    /// Flows the engine remembers.
    pub cache_size: usize,
    /// Flows the database holds.
    pub max_flows: usize,
    /// Flows one device can learn.
    pub max_flows_per_device: usize,
    /// How long an undecided flow is kept.
    pub retention: Duration,
    /// Log lines and events a device.
    pub rate_limit: Rate,
    pub ignore_networks: Vec<IpNet>,
    pub database: PathBuf,
    /// How often counters reach the flash.
    pub flush_interval: Duration,
    pub names: bool,
    pub reverse_dns: bool,
    pub devices: Vec<Device>,
    pub baseline: Vec<Baseline>,
}

impl Settings {
    /// Whether packets are held while the house is `learning`.
    pub fn queues_while(&self, learning: bool) -> bool {
        match self.inline {
            Inline::Log => false,
            Inline::Queue => true,
            Inline::Auto => learning,
        }
    }
}

impl Default for Settings {
    fn default() -> Settings {
        let day = 24 * 60 * 60;
        Settings {
            enabled: false,
            learning: true,
            inline: Inline::Log,
            log_group: 100,
            names_group: 101,
            queues: 1,
            placement: Placement::Guard,
            zones: Vec::new(),
            interfaces: Vec::new(),
            guard_input: false,
            anti_lockout: true,
            fail_mode: FailMode::Open,
            deny_with: DenyWith::Drop,
            scope: Scope::Service,
            learning_period: None,
            hold: None,
            mark: 0x0100_0000,
            cache_size: 10_000,
            max_flows: 20_000,
            max_flows_per_device: 500,
            retention: Duration::from_secs(30 * day),
            rate_limit: Rate { count: 10, per: Duration::from_secs(60) },
            ignore_networks: ["224.0.0.0/4", "ff00::/8", "255.255.255.255/32"]
                .iter()
                .filter_map(|network| network.parse().ok())
                .collect(),
            database: PathBuf::from("/etc/glacic/flows.db"),
            flush_interval: Duration::from_secs(day / 2),
            names: true,
            reverse_dns: false,
            devices: Vec::new(),
            baseline: Vec::new(),
        }
    }
}
