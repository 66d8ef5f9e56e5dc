//! The small languages inside values: switches, durations, rates, masks, networks and names.
//!
//! Each reader takes the whole text or nothing; what was expected is said by the option's shape.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::settings::Rate;
use crate::flow::{Mac, Port};

/// The words OpenWrt's scripts take for a switch.
pub(super) fn switch(text: &str) -> Option<bool> {
    match text {
        "1" | "yes" | "on" | "true" | "enabled" => Some(true),
        "0" | "no" | "off" | "false" | "disabled" => Some(false),
        _ => None,
    }
}

/// A whole number in decimal digits, without a sign.
pub(super) fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Bits of the packet mark, in decimal or hexadecimal digits; at least one is set.
pub(super) fn mask(text: &str) -> Option<u32> {
    let bits = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) if digits.bytes().all(|b| b.is_ascii_hexdigit()) => u32::from_str_radix(digits, 16).ok()?,
        Some(_) => return None,
        None => u32::try_from(number(text)?).ok()?,
    };
    (bits != 0).then_some(bits)
}

/// Units of time and their seconds, the largest first.
const UNITS: [(char, u64); 4] = [('d', 24 * 60 * 60), ('h', 60 * 60), ('m', 60), ('s', 1)];

/// `30s`, `15m`, `24h`, `14d`, or a number of seconds.
pub fn duration(text: &str) -> Option<Duration> {
    let (digits, seconds) = match UNITS.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(*unit)?, seconds))) {
        Some((digits, seconds)) => (digits, *seconds),
        None => (text, 1),
    };
    number(digits)?.checked_mul(seconds).map(Duration::from_secs)
}

/// A duration in whole seconds as [`duration`] reads it, in the largest unit that divides it.
pub struct Shown(pub Duration);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let whole =
            |(unit, size): &(char, u64)| Some((seconds.checked_div(*size)?, *unit, seconds.is_multiple_of(*size)));
        match UNITS.iter().filter_map(whole).find(|(count, _, even)| *count > 0 && *even) {
            Some((count, unit, _)) => write!(f, "{count}{unit}"),
            None => f.write_str("0"),
        }
    }
}

/// `10/minute`: so many in a second, minute, hour or day.
pub(super) fn rate(text: &str) -> Option<Rate> {
    let (count, span) = text.split_once('/')?;
    let count = u32::try_from(number(count)?).ok().filter(|count| *count > 0)?;
    let seconds = match span {
        "second" => 1,
        "minute" => 60,
        "hour" => 60 * 60,
        "day" => 24 * 60 * 60,
        _ => return None,
    };
    Some(Rate { count, per: Duration::from_secs(seconds) })
}

/// A network in prefix notation, or a single address.
pub(super) fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// The name of a fw4 zone: a word that may stand in a ruleset as it is.
pub(super) fn zone(text: &str) -> Option<String> {
    word(text, 32, "_-.")
}

/// The name of a network interface, as the kernel allows it (15 characters), without those that mean something to nft.
pub(super) fn interface(text: &str) -> Option<String> {
    word(text, 15, "_-.@+").filter(|name| !matches!(name.as_str(), "." | ".."))
}

fn word(text: &str, longest: usize, besides: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || besides.contains(c);
    ((1..=longest).contains(&text.len()) && text.chars().all(allowed)).then(|| text.to_owned())
}

/// The longest name of a device, in characters.
pub const LONGEST_NAME: usize = 63;

/// A name people gave a device. No MAC address, because wherever a device is named by either, the address would win.
pub(super) fn device_name(text: &str) -> Option<String> {
    let name = text.trim();
    let length = name.chars().count();
    let readable = !name.chars().any(char::is_control) && name.parse::<Mac>().is_err();
    ((1..=LONGEST_NAME).contains(&length) && readable).then(|| name.to_owned())
}

/// The address of a device: of one, not of a group, and not the empty one.
pub(super) fn device_mac(text: &str) -> Option<Mac> {
    text.parse().ok().filter(|mac: &Mac| !mac.is_multicast() && mac.to_u64() != 0)
}

/// A port or an ICMP type, or `any`.
pub(super) fn port(text: &str) -> Option<Port> {
    if text == "any" {
        return Some(Port::Any);
    }
    u16::try_from(number(text)?).ok().map(Port::Number)
}

/// The absolute path of a file.
pub(super) fn path(text: &str) -> Option<std::path::PathBuf> {
    let a_file = text.starts_with('/') && !text.ends_with('/') && !text.ends_with("/.") && !text.ends_with("/..");
    (a_file && !text.chars().any(char::is_control)).then(|| text.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(text: &str) -> Option<u64> {
        duration(text).map(|span| span.as_secs())
    }

    #[test]
    fn durations() {
        for (text, expected) in
            [("30s", 30), ("15m", 900), ("24h", 86_400), ("14d", 1_209_600), ("90", 90), ("0", 0), ("0d", 0)]
        {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        for text in ["", "s", "1.5h", "-1s", "+1s", "1 h", "1H", "1w", "1h30m", "99999999999999999999", "1e3", "٣s"] {
            assert_eq!(seconds(text), None, "{text}");
        }
        assert_eq!(seconds("18446744073709551615d"), None, "too long to count");
        assert_eq!(Shown(Duration::from_secs(86_400)).to_string(), "1d");
        assert_eq!(Shown(Duration::from_secs(90)).to_string(), "90s");
        assert_eq!(Shown(Duration::ZERO).to_string(), "0");
    }

    #[test]
    fn rates() {
        assert_eq!(rate("10/minute"), Some(Rate { count: 10, per: Duration::from_secs(60) }));
        assert_eq!(rate("1/day"), Some(Rate { count: 1, per: Duration::from_secs(86_400) }));
        for text in
            ["", "10", "/minute", "0/minute", "10/", "10/min", "10/minutes", "-1/hour", "10 / hour", "4294967296/day"]
        {
            assert_eq!(rate(text), None, "{text}");
        }
    }

    #[test]
    fn switches_masks_and_networks() {
        assert_eq!(
            ["1", "on", "enabled", "0", "no", "2", "", "ON"].map(switch).map(|s| s.map(u8::from)),
            [Some(1), Some(1), Some(1), Some(0), Some(0), None, None, None]
        );
        assert_eq!(mask("0x01000000"), Some(1 << 24));
        assert_eq!(mask("16777216"), Some(1 << 24));
        assert_eq!(mask("0xFFFFFFFF"), Some(u32::MAX));
        for text in ["0", "0x0", "0x", "", "4294967296", "0x100000000", "-1", "0x+1", "1000000h", "0x1/0x1"] {
            assert_eq!(mask(text), None, "{text}");
        }
        assert_eq!(network("10.0.0.0/8"), "10.0.0.0/8".parse().ok());
        assert_eq!(network("255.255.255.255"), "255.255.255.255/32".parse().ok());
        assert_eq!(network("ff02::1"), "ff02::1/128".parse().ok());
        for text in ["", "10.0.0.0/33", "10.0.0", "lan", "10.0.0.0/255.0.0.0", "::/129"] {
            assert_eq!(network(text), None, "{text}");
        }
    }

    /// Interfaces and zones end up in a ruleset: nothing in them may mean anything to nft.
    #[test]
    fn names_stay_words() {
        for text in ["br-lan", "eth0.2", "lan1@eth0", "wl0-ap1", "br_guest"] {
            assert_eq!(interface(text).as_deref(), Some(text));
        }
        for text in ["", "a b", "eth0;", "\"x\"", "br-*", "$lan", "{", "a/b", "#x", "1234567890123456", "..", "é"] {
            assert_eq!(interface(text), None, "{text}");
        }
        assert!(zone("guest_2").is_some() && zone("my zone").is_none() && zone("").is_none());
    }

    #[test]
    fn names_of_devices_are_for_people() {
        assert_eq!(device_name("Küche 🍋").as_deref(), Some("Küche 🍋"));
        assert_eq!(device_name(" tv ").as_deref(), Some("tv"));
        for text in ["", "  ", "a\nb", "\u{1b}[31m", "b8:27:eb:00:00:01", "B8-27-EB-00-00-01"] {
            assert_eq!(device_name(text), None, "{text}");
        }
        assert!(device_name(&"ü".repeat(63)).is_some() && device_name(&"ü".repeat(64)).is_none());
    }

    #[test]
    fn paths_are_absolute() {
        assert!(path("/etc/glacic/flows.db").is_some());
        for text in ["", "flows.db", "/", "/etc/", "/etc/..", "/a\0b", "/a\nb"] {
            assert_eq!(path(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_duration_reads_back(seconds in 0..=u64::MAX) {
            let span = Duration::from_secs(seconds);
            prop_assert_eq!(duration(&Shown(span).to_string()), Some(span));
        }
    }
}
