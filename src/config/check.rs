//! What is well-formed and still wrong, unwise, or without effect.
//!
//! Each check is about what the owner would otherwise find out too late; none repeats what reading one value tells.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use super::options::{DEVICE_SECTION, MAIN_SECTION};
use super::problem::{Problem, Report, Severity};
use super::read::Given;
use super::settings::{Device, FailMode, Inline, Placement, Scope, Settings};
use super::uci::quote;
use super::value::Shown;

/// Whose setting an option is, and whether it asks for something.
enum Asks {
    Main(fn(&Settings) -> bool),
    Device(fn(&Device) -> bool),
}

/// Options that are read and kept, and do nothing yet: whoever brings one to life takes its line away.
const ASLEEP: &[(&str, Asks)] = &[
    ("scope", Asks::Main(|s| s.scope != Scope::Service)),
    ("scope", Asks::Device(|d| d.scope == Some(Scope::Destination))),
    ("queues", Asks::Main(|s| s.queues > 1)),
    // On unless told otherwise: nobody has asked for it.
    ("names", Asks::Main(|_| false)),
    ("names_group", Asks::Main(|s| s.names_group != 101)),
    ("reverse_dns", Asks::Main(|s| s.reverse_dns)),
];

/// Whether an option of this section does nothing yet.
pub(super) fn is_asleep(section: &str, option: &str) -> bool {
    ASLEEP.iter().any(|(name, asks)| {
        let of = match asks {
            Asks::Main(_) => MAIN_SECTION,
            Asks::Device(_) => DEVICE_SECTION,
        };
        *name == option && of == section
    })
}

/// Bits of the packet mark that others on a router are known to use.
const TAKEN_MARKS: &[(u32, &str)] = &[(0x0000_3f00, "mwan3"), (0x00ff_0000, "pbr and Tailscale")];

/// Memory of a flow that is remembered, roughly.
const BYTES_PER_FLOW: usize = 100;

/// Checks settings that could be read. `devices` belong to `settings.devices`, one by one; `complete` says whether the
/// whole file could be read, so that what is missing is missing.
pub(super) fn check(settings: &Settings, main: &Given<'_>, devices: &[Given<'_>], complete: bool, report: &mut Report) {
    let mut checks = Checks { settings, main, report };
    checks.guarded(complete);
    checks.groups();
    checks.sizes();
    checks.modes();
    checks.lockout();
    checks.times();
    checks.mark();
    checks.database();
    checks.asleep(devices);
    checks.devices(devices);
}

struct Checks<'a, 'g> {
    settings: &'a Settings,
    main: &'a Given<'g>,
    report: &'a mut Report,
}

impl Checks<'_, '_> {
    fn say(&mut self, severity: Severity, option: &str, message: impl Into<String>) {
        let problem = self.main.problem(severity, option, message.into());
        self.report.add(problem);
    }

    fn say_of_item(&mut self, option: &str, item: &str, message: String) {
        let at = self.main.at_item(option, item);
        self.report.add(self.main.problem_at(at, Severity::Warning, option, message));
    }

    fn guarded(&mut self, complete: bool) {
        let s = self.settings;
        let nothing = s.zones.is_empty() && s.interfaces.is_empty();
        if s.enabled && nothing && complete && self.main.sound(&["enabled", "zone", "interface"]) {
            let message = "option enabled '1': nothing is guarded; add a line such as \"list zone 'lan'\"";
            self.say(Severity::Error, "enabled", message);
        }
        for zone in s.zones.iter().filter(|zone| matches!(zone.as_str(), "wan" | "wan6" | "wwan")) {
            let message = format!(
                "list zone {}: behind an uplink all the Internet is one device; guard the inner zones",
                quote(zone)
            );
            self.say_of_item("zone", zone, message);
        }
        for name in s.interfaces.iter().filter(|name| has_no_mac(name)) {
            let message = format!(
                "list interface {}: it has no MAC addresses, so no device behind it can be told from another",
                quote(name)
            );
            self.say_of_item("interface", name, message);
        }
    }

    fn groups(&mut self) {
        let s = self.settings;
        if self.main.sound(&["log_group", "names_group"]) && s.log_group == s.names_group {
            let option = if self.main.has("names_group") { "names_group" } else { "log_group" };
            let message = format!("option {option} '{}': log_group and names_group must differ", s.log_group);
            self.say(Severity::Error, option, message);
        }
        if self.main.sound(&["log_group", "queues"]) && s.log_group.checked_add(s.queues.saturating_sub(1)).is_none() {
            let message =
                format!("option log_group '{}': the last of {} queues would be beyond 65535", s.log_group, s.queues);
            self.say(Severity::Error, "log_group", message);
        }
        for (option, group) in [("log_group", s.log_group), ("names_group", s.names_group)] {
            if group == 0 {
                let message = format!("option {option} '0': group 0 is where other loggers listen by default");
                self.say(Severity::Warning, option, message);
            }
        }
    }

    fn sizes(&mut self) {
        let s = self.settings;
        if self.main.sound(&["max_flows", "max_flows_per_device"]) && s.max_flows_per_device > s.max_flows {
            let option = if self.main.has("max_flows_per_device") { "max_flows_per_device" } else { "max_flows" };
            let message = format!(
                "option {option}: one device could learn {} flows, but all together only {}",
                s.max_flows_per_device, s.max_flows
            );
            self.say(Severity::Error, option, message);
        }
        if s.cache_size > 100_000 {
            let megabytes = s.cache_size.saturating_mul(BYTES_PER_FLOW) / 1_000_000;
            let message =
                format!("option cache_size '{}': takes about {megabytes} MB of memory when full", s.cache_size);
            self.say(Severity::Warning, "cache_size", message);
        }
    }

    fn modes(&mut self) {
        let s = self.settings;
        if let Some(hold) = s.hold {
            let what = format!("option hold '{}'", Shown(hold));
            match s.inline {
                Inline::Log => {
                    let message =
                        format!("{what}: without effect, log mode has no packets to hold; set inline_mode '1'");
                    self.say(Severity::Warning, "hold", message);
                }
                Inline::Auto => {
                    let message = format!(
                        "{what}: without effect, inline_mode 'auto' holds packets only while learning, and then nothing waits for the owner; set inline_mode '1'"
                    );
                    self.say(Severity::Warning, "hold", message);
                }
                Inline::Queue => {}
            }
        }
        if s.fail_mode == FailMode::Closed && s.learning && s.inline == Inline::Log && s.placement == Placement::Guard {
            let message = "option fail_mode 'closed': without effect while learning in log mode, where the kernel hands over \
                           copies and lets new flows pass whether glacic runs or not; set inline_mode '1'";
            self.say(Severity::Warning, "fail_mode", message);
        }
        if s.reverse_dns && !s.names {
            self.say(Severity::Note, "reverse_dns", "option reverse_dns '1': without effect while names is '0'");
        }
    }

    fn lockout(&mut self) {
        let s = self.settings;
        if !s.guard_input || s.anti_lockout {
            return;
        }
        let dead = if s.fail_mode == FailMode::Closed { ", also when glacic is not running" } else { "" };
        let message = format!(
            "option anti_lockout '0': with guard_input '1' an undecided or denied device cannot reach SSH and LuCI{dead}"
        );
        self.say(Severity::Warning, "anti_lockout", message);
    }

    fn times(&mut self) {
        let s = self.settings;
        let hour = Duration::from_secs(60 * 60);
        if let Some(period) = s.learning_period {
            let what = format!("option learning_period '{}'", Shown(period));
            if !s.learning {
                let message = format!("{what}: without effect while learning_mode is '0'");
                self.say(Severity::Note, "learning_period", message);
            } else if period < hour {
                let message =
                    format!("{what}: hardly anything is learned in this time; a number without a unit means seconds");
                self.say(Severity::Warning, "learning_period", message);
            }
        }
        if s.flush_interval < hour && !in_memory(&s.database) {
            let message = format!(
                "option flush_interval '{}': writing this often wears out flash memory",
                Shown(s.flush_interval)
            );
            self.say(Severity::Warning, "flush_interval", message);
        }
    }

    fn mark(&mut self) {
        let s = self.settings;
        let what = format!("option mark '{:#010x}'", s.mark);
        if s.placement == Placement::Guard && s.mark != Settings::default().mark {
            let message = format!("{what}: without effect in guard placement, which marks nothing");
            self.say(Severity::Note, "mark", message);
        }
        if s.placement == Placement::Guard {
            return;
        }
        for (bits, owner) in TAKEN_MARKS {
            if s.mark & bits != 0 {
                let message = format!("{what}: overlaps {bits:#010x}, which belongs to {owner} by default");
                self.say(Severity::Warning, "mark", message);
            }
        }
    }

    fn database(&mut self) {
        let path = &self.settings.database;
        if in_memory(path) {
            let message = format!(
                "option database {}: this is memory on OpenWrt, everything learned and decided is lost with a reboot",
                quote(&path.display().to_string())
            );
            self.say(Severity::Warning, "database", message);
        }
    }

    fn asleep(&mut self, devices: &[Given<'_>]) {
        for (option, asks) in ASLEEP {
            match asks {
                Asks::Main(asks) if asks(self.settings) => self.report.add(sleeping(self.main, option)),
                Asks::Main(_) => {}
                Asks::Device(asks) => {
                    let asking = self.settings.devices.iter().zip(devices).filter(|(device, _)| asks(device));
                    for (_, given) in asking {
                        self.report.add(sleeping(given, option));
                    }
                }
            }
        }
    }

    fn devices(&mut self, devices: &[Given<'_>]) {
        let mut names = HashMap::new();
        for (device, given) in self.settings.devices.iter().zip(devices) {
            if device.mac.is_local() {
                let message = format!(
                    "option mac '{}': locally administered; if the device changes it, as phones do, this section no longer holds",
                    device.mac
                );
                self.report.add(given.problem(Severity::Note, "mac", message));
            }
            let Some(name) = &device.name else { continue };
            if let Some(first) = names.insert(name.to_lowercase(), device.mac) {
                let message = format!("option name {}: {first} has this name too, so it names neither", quote(name));
                self.report.add(given.problem(Severity::Warning, "name", message));
            }
        }
    }
}

/// Whether a path is in a file system that OpenWrt keeps in memory.
fn in_memory(path: &Path) -> bool {
    ["/tmp", "/var", "/run"].iter().any(|place| path.starts_with(place))
}

/// Whether an interface is of a kind that has no Ethernet header, as far as its name tells.
fn has_no_mac(name: &str) -> bool {
    let kinds = ["ppp", "wg", "tun", "sit", "gre", "6in4", "6rd", "ipsec", "xfrm"];
    name == "lo" || (kinds.iter().any(|kind| name.starts_with(kind)) && !name.starts_with("gretap"))
}

fn sleeping(given: &Given<'_>, option: &str) -> Problem {
    let text = given.section.option(option).unwrap_or_default();
    let message = format!("option {option} {} is accepted but does nothing yet", quote(text));
    given.problem(Severity::Note, option, message)
}

#[cfg(test)]
mod tests;
