use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use crate::flow::{Key, Port, Protocol, Rate};

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
    /// Events about one device.
    pub rate_limit: Rate,
    /// Networks to leave alone.
    pub ignored: Vec<IpNet>,
    /// What everybody may do.
    pub baseline: Vec<(Protocol, Port)>,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            learning: true,
            holds: false,
            cache_size: 10_000,
            max_flows_per_device: 500,
            rate_limit: Rate { count: 10, per: Duration::from_secs(60) },
            ignored: Vec::new(),
            baseline: Vec::new(),
        }
    }
}

impl Policy {
    pub(super) fn is_baseline(&self, key: &Key) -> bool {
        self.baseline
            .iter()
            .any(|(protocol, port)| *protocol == key.protocol && (*port == Port::Any || *port == key.port))
    }

    pub(super) fn is_ignored(&self, destination: IpAddr) -> bool {
        super::contains(&self.ignored, destination)
    }
}
