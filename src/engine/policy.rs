use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use crate::config::Settings;
use crate::flow::{Key, Port, Protocol, Rate};

const DAY: Duration = Duration::from_secs(86_400);

/// The settings a decision depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Whether the house learns.
    pub learning: bool,
    /// Whether packets of undecided flows wait for the owner while enforcing.
    pub holds: bool,
    /// Flows the cache remembers.
    pub cache_size: usize,
    /// Decided flows of one device; what goes beyond stays pending.
    pub max_flows_per_device: u32,
    /// Flows the house learns: so many at once, and as many in a day. What is learned never gives way to anything, so
    /// whoever invents devices and flows must not have filled the database before somebody notices.
    pub learned: Rate,
    /// Events about one device.
    pub rate_limit: Rate,
    /// Networks to leave alone.
    pub ignored: Vec<IpNet>,
    /// What everybody may do.
    pub baseline: Vec<(Protocol, Port)>,
}

impl Policy {
    /// The engine's share of the settings, while the house is `learning` and its packets are `queued` or not.
    pub fn new(settings: &Settings, learning: bool, queued: bool) -> Policy {
        Policy {
            learning,
            holds: settings.hold.is_some() && queued,
            cache_size: settings.cache_size,
            max_flows_per_device: u32::try_from(settings.max_flows_per_device).unwrap_or(u32::MAX),
            learned: Rate { count: u32::try_from(settings.max_flows / 2).unwrap_or(u32::MAX), per: DAY },
            rate_limit: settings.rate_limit,
            ignored: settings.ignore_networks.clone(),
            baseline: settings.baseline.iter().map(|listed| (listed.protocol, listed.port)).collect(),
        }
    }

    pub(super) fn is_baseline(&self, key: &Key) -> bool {
        self.baseline
            .iter()
            .any(|(protocol, port)| *protocol == key.protocol && (*port == Port::Any || *port == key.port))
    }

    pub(super) fn is_ignored(&self, destination: IpAddr) -> bool {
        super::contains(&self.ignored, destination)
    }
}

impl Default for Policy {
    /// That of an empty configuration.
    fn default() -> Policy {
        Policy::new(&Settings::default(), true, false)
    }
}
