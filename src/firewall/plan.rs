//! What is wanted of the kernel: everything the ruleset depends on, checked before it can reach nft's text.

use std::fmt;

use ipnet::IpNet;

use crate::config::Settings;
use crate::config::settings::{Baseline, DenyWith, FailMode, Placement};

/// How user space hears of the first packet of an undecided flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// nfnetlink_queue: the packet itself, from `count` queues beginning with `first`.
    Queue { first: u16, count: u16 },
    /// The same, for kernels without nft's `queue`: packets get this mark, and a rule of somebody else's
    /// (`iptables -m mark … -j NFQUEUE`) queues them. Whether they wait where nobody listens is that rule's business.
    Marked { first: u16, count: u16, mark: u32 },
    /// nfnetlink_log: a copy.
    Log { group: u16 },
}

/// One guarded interface, and the fw4 zone it was found in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Guarded {
    pub interface: Interface,
    pub zone: Option<Zone>,
    /// Whether fw4 refuses by default what this zone sends to the router. Without a zone: false.
    pub input_refused: bool,
}

/// Sizes of the kernel's sets. A change of them means new sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Flows that can be decided.
    pub flows: u32,
    /// Devices that can be told apart.
    pub devices: u32,
}

impl Limits {
    /// For so many flows: at least 1,024 of them, and a device for every 20.
    pub fn for_flows(flows: usize) -> Limits {
        let flows = u32::try_from(flows).unwrap_or(u32::MAX).clamp(1024, 1 << 20);
        Limits { flows, devices: (flows / 20).clamp(256, 8192) }
    }
}

/// Everything the ruleset depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub placement: Placement,
    pub ask: Ask,
    /// Whether the house learns; devices may differ, by the sets `enforced` and `learners`.
    pub learning: bool,
    /// In queue mode: whether undecided packets pass while nobody listens.
    pub fail_mode: FailMode,
    pub deny_with: DenyWith,
    /// Whether traffic to the router itself is guarded too.
    pub guard_input: bool,
    /// With `guard_input`: never refuse SSH and LuCI.
    pub anti_lockout: bool,
    /// Sorted, each interface once; none means that nothing is guarded.
    pub guarded: Vec<Guarded>,
    /// The bits of the packet mark that mean "allowed", in fallback placement.
    pub mark: u32,
    pub ignore_networks: Vec<IpNet>,
    pub baseline: Vec<Baseline>,
    pub limits: Limits,
}

impl Plan {
    /// The plan of `settings` while the house is `learning`, for these interfaces.
    pub fn new(settings: &Settings, learning: bool, mut guarded: Vec<Guarded>) -> Plan {
        // An interface that is named twice keeps the zone it was found in.
        guarded.sort_by(|a, b| a.interface.cmp(&b.interface).then_with(|| b.cmp(a)));
        guarded.dedup_by(|a, b| a.interface == b.interface);
        let ask = match settings.queues_while(learning) {
            true => Ask::Queue { first: settings.log_group, count: settings.queues.max(1) },
            false => Ask::Log { group: settings.log_group },
        };
        Plan {
            placement: settings.placement,
            ask,
            learning,
            fail_mode: settings.fail_mode,
            deny_with: settings.deny_with,
            guard_input: settings.guard_input,
            anti_lockout: settings.anti_lockout,
            guarded,
            mark: settings.mark,
            ignore_networks: settings.ignore_networks.clone(),
            baseline: settings.baseline.clone(),
            limits: Limits::for_flows(settings.max_flows),
        }
    }

    /// The same plan with a log instead of the queue: for kernels without the `queue` expression.
    pub fn with_log(self, group: u16) -> Plan {
        Plan { ask: Ask::Log { group }, ..self }
    }
}

/// An interface's name that can stand between quotes in nft text: 1 to 15 letters, digits, `.`, `_`, `-` or `@`.
///
/// nft reads `*` as a wildcard and has no way to write a quote; such names are refused, not escaped.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interface(String);

impl Interface {
    /// IFNAMSIZ of linux/if.h, without the closing zero.
    const LONGEST: usize = 15;

    pub fn new(name: &str) -> Result<Interface, BadName> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte);
        let trouble = if name.is_empty() || name == "." || name == ".." {
            "that is no name of an interface"
        } else if name.len() > Interface::LONGEST {
            "interface names have at most 15 characters"
        } else if !name.bytes().all(plain) {
            "only letters, digits, '.', '_', '-' and '@' can be guarded"
        } else {
            return Ok(Interface(name.to_owned()));
        };
        Err(BadName { name: name.to_owned(), trouble })
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A zone of fw4: letters, digits, `_` and `-`. It names a chain (`input_lan`), a folder and a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Zone(String);

impl Zone {
    pub fn new(name: &str) -> Result<Zone, BadName> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        let trouble = if name.is_empty() || name.len() > 64 {
            "zone names have 1 to 64 characters"
        } else if !name.bytes().all(plain) {
            "zone names have only letters, digits, '_' and '-'"
        } else {
            return Ok(Zone(name.to_owned()));
        };
        Err(BadName { name: name.to_owned(), trouble })
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A name that must not reach nft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadName {
    pub name: String,
    pub trouble: &'static str,
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} cannot be guarded: {}", self.name, self.trouble)
    }
}

impl std::error::Error for BadName {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_interfaces_are_named_as_they_are() {
        for name in ["br-lan", "eth0.1", "wlan0-1", "lan_2", "a", "fifteen-letters", "eth0@if2"] {
            assert_eq!(Interface::new(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn hostile_interfaces_never_reach_the_text() {
        for name in [
            "",
            ".",
            "..",
            "br*",
            "br\"lan",
            "br lan",
            "br\\",
            "a;b",
            "$lan",
            "sixteen-letters!",
            "sixteen-letters-",
            "l\u{e4}n",
            "a\n",
        ] {
            assert!(Interface::new(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn hostile_zones_never_name_a_file() {
        for name in ["", "../etc", "a/b", "lan*", "lan\"", "la n", ".lan"] {
            assert!(Zone::new(name).is_err(), "{name:?}");
        }
        assert!(Zone::new("guest_2").is_ok());
    }

    #[test]
    fn an_interface_is_guarded_once() {
        let guarded = |zone| Guarded { interface: Interface::new("br-lan").unwrap(), zone, input_refused: false };
        let plan = Plan::new(&Settings::default(), true, vec![guarded(None), guarded(Zone::new("lan").ok())]);
        assert_eq!(plan.guarded, [guarded(Zone::new("lan").ok())]);
    }
}
