//! The one table of everything that can be set: the reader, docs/settings.md and the forms are made of it.

use std::time::Duration;

use super::settings::{DenyWith, FailMode, Inline, Placement, Scope, Settings};
use super::shape::{Info, Row, Set, required, row};
use crate::flow::{DeviceMode, Mac, Port, Protocol};

/// Every option there is, section by section.
pub fn options() -> Vec<Info> {
    let main = MAIN.iter().map(|row| row.info(MAIN_SECTION));
    let device = DEVICE.iter().map(|row| row.info(DEVICE_SECTION));
    let baseline = BASELINE.iter().map(|row| row.info(BASELINE_SECTION));
    main.chain(device).chain(baseline).collect()
}

pub(super) const MAIN_SECTION: &str = "rule_learning";
pub(super) const DEVICE_SECTION: &str = "device";
pub(super) const BASELINE_SECTION: &str = "baseline";
pub(super) const SECTIONS: [&str; 3] = [MAIN_SECTION, DEVICE_SECTION, BASELINE_SECTION];

/// A number whose limits have been checked, in a narrower type.
fn narrow(number: u32) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

/// A number in memory's own type; no target of ours has fewer than 32 bits.
fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

const MINUTE: u64 = 60;
const DAY: u64 = 24 * 60 * MINUTE;

pub(super) static MAIN: &[Row<Settings>] = &[
    row("enabled", &["0"], Set::Switch(|s, on| s.enabled = on), "Whether glacic does anything at all"),
    row(
        "learning_mode",
        &["1"],
        Set::Switch(|s, on| s.learning = on),
        "Trust on first use: a new flow is allowed and remembered; 0 leaves new flows to the owner",
    ),
    row(
        "inline_mode",
        &["0"],
        Set::Choice(&[
            ("0", |s| s.inline = Inline::Log),
            ("1", |s| s.inline = Inline::Queue),
            ("auto", |s| s.inline = Inline::Auto),
        ]),
        "0 listens to copies of packets (nflog), 1 holds the packets (nfqueue), auto holds them while learning",
    ),
    row(
        "log_group",
        &["100"],
        Set::Number(0, 65535, |s, n| s.log_group = narrow(n)),
        "nflog group, and number of the first queue",
    ),
    row(
        "names_group",
        &["101"],
        Set::Number(0, 65535, |s, n| s.names_group = narrow(n)),
        "nflog group of TLS and QUIC hellos and of DNS answers; does nothing yet",
    ),
    row(
        "queues",
        &["1"],
        Set::Number(1, 16, |s, n| s.queues = narrow(n)),
        "Queues to spread packets over; one thread reads them all",
    ),
    row(
        "placement",
        &["guard"],
        Set::Choice(&[
            ("guard", |s| s.placement = Placement::Guard),
            ("fallback", |s| s.placement = Placement::Fallback),
        ]),
        "guard takes away what the firewall would allow, fallback opens what it would refuse",
    ),
    row("zone", &[], Set::Zones(|s, zones| s.zones = zones), "Firewall zones whose devices are guarded"),
    row(
        "interface",
        &[],
        Set::Interfaces(|s, names| s.interfaces = names),
        "Network interfaces whose devices are guarded, besides those of the zones",
    ),
    row(
        "guard_input",
        &["0"],
        Set::Switch(|s, on| s.guard_input = on),
        "Whether traffic to the router itself is guarded too",
    ),
    row(
        "anti_lockout",
        &["1"],
        Set::Switch(|s, on| s.anti_lockout = on),
        "With guard_input: TCP 22, 80 and 443 of the router (SSH and LuCI on their usual ports) stay reachable whatever is decided",
    ),
    row(
        "fail_mode",
        &["open"],
        Set::Choice(&[("open", |s| s.fail_mode = FailMode::Open), ("closed", |s| s.fail_mode = FailMode::Closed)]),
        "What becomes of undecided flows while glacic cannot answer: open lets them pass, closed does not",
    ),
    row(
        "deny_with",
        &["drop"],
        Set::Choice(&[("drop", |s| s.deny_with = DenyWith::Drop), ("reject", |s| s.deny_with = DenyWith::Reject)]),
        "How denied flows and devices are turned away: silently, or with an answer",
    ),
    row(
        "scope",
        &["service"],
        Set::Choice(&[("service", |s| s.scope = Scope::Service), ("destination", |s| s.scope = Scope::Destination)]),
        "What is learned: a protocol and port towards any host, or towards one destination",
    ),
    row(
        "learning_period",
        &["0"],
        Set::OptionalDuration(1, 3650 * DAY, |s, span| s.learning_period = span),
        "Learning ends by itself after so much uptime; to change this begins learning anew",
    ),
    row(
        "hold",
        &["0"],
        Set::OptionalDuration(1, 30, |s, span| s.hold = span),
        "Queue mode while not learning: how long a new flow waits for the owner before it is dropped",
    ),
    row(
        "mark",
        &["0x01000000"],
        Set::Mask(|s, bits| s.mark = bits),
        "Fallback placement: the bits of the packet mark that mean allowed",
    ),
    row(
        "cache_size",
        &["10000"],
        Set::Number(100, 1_000_000, |s, n| s.cache_size = size(n)),
        "Flows that are remembered in memory",
    ),
    row(
        "max_flows",
        &["20000"],
        Set::Number(100, 100_000, |s, n| s.max_flows = size(n)),
        "Flows the database holds; beyond it the oldest undecided ones go",
    ),
    row(
        "max_flows_per_device",
        &["500"],
        Set::Number(1, 100_000, |s, n| s.max_flows_per_device = size(n)),
        "Flows one device can learn; beyond it new ones stay undecided",
    ),
    row(
        "retention_days",
        &["30"],
        Set::Number(1, 3650, |s, n| s.retention = Duration::from_secs(u64::from(n).saturating_mul(DAY))),
        "Days an undecided flow is kept after it was last seen",
    ),
    row(
        "rate_limit",
        &["10/minute"],
        Set::Rate(|s, rate| s.rate_limit = rate),
        "Log lines and events a device can cause",
    ),
    row(
        "ignore_network",
        &["224.0.0.0/4", "ff00::/8", "255.255.255.255"],
        Set::Networks(|s, networks| s.ignore_networks = networks),
        "Destinations that are neither learned nor enforced",
    ),
    row(
        "database",
        &["/etc/glacic/flows.db"],
        Set::Path(|s, path| s.database = path),
        "Where flows and decisions are kept",
    ),
    row(
        "flush_interval",
        &["12h"],
        Set::Duration(MINUTE, 30 * DAY, |s, span| s.flush_interval = span),
        "How often counters are written; learned flows and decisions do not wait for it",
    ),
    row(
        "names",
        &["1"],
        Set::Switch(|s, on| s.names = on),
        "Learn the names of destinations from hellos and DNS answers; does nothing yet",
    ),
    row(
        "reverse_dns",
        &["0"],
        Set::Switch(|s, on| s.reverse_dns = on),
        "Ask DNS for names nothing else has told; does nothing yet",
    ),
];

/// A `device` section as far as it has been read.
#[derive(Default)]
pub(super) struct DeviceDraft {
    pub mac: Option<Mac>,
    pub name: Option<String>,
    pub mode: DeviceMode,
    pub scope: Option<Scope>,
}

pub(super) static DEVICE: &[Row<DeviceDraft>] = &[
    required("mac", Set::Mac(|d, mac| d.mac = Some(mac)), "The device's MAC address"),
    row("name", &[], Set::Name(|d, name| d.name = Some(name)), "What the device is called"),
    row(
        "mode",
        &["default"],
        Set::Choice(&[
            ("default", |d| d.mode = DeviceMode::Default),
            ("learn", |d| d.mode = DeviceMode::Learn),
            ("enforce", |d| d.mode = DeviceMode::Enforce),
            ("trust", |d| d.mode = DeviceMode::Trust),
            ("block", |d| d.mode = DeviceMode::Block),
        ]),
        "learn allows its new flows, enforce leaves them to the owner, trust allows and block refuses everything",
    ),
    row(
        "scope",
        &[],
        Set::Choice(&[
            ("service", |d| d.scope = Some(Scope::Service)),
            ("destination", |d| d.scope = Some(Scope::Destination)),
        ]),
        "As the scope of all, for this device",
    ),
];

/// A `baseline` section as far as it has been read.
#[derive(Default)]
pub(super) struct BaselineDraft {
    pub protocol: Option<Protocol>,
    pub port: Option<Port>,
}

pub(super) static BASELINE: &[Row<BaselineDraft>] = &[
    required("proto", Set::Protocol(|b, protocol| b.protocol = Some(protocol)), "The protocol"),
    row(
        "port",
        &[],
        Set::Port(|b, port| b.port = Some(port)),
        "The destination port, or any; for ICMP the type, any if it is absent; not for protocols without ports",
    ),
];
