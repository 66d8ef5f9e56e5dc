//! What options look like: shapes for manuals and forms, and typed setters for the reader.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::check::is_asleep;
use super::settings::Rate;
use super::value::{LONGEST_NAME, Shown};
use crate::flow::{Mac, Port, Protocol};

/// What a value of an option looks like; [`fmt::Display`] says it as messages do after "expected".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// `0` or `1`, and OpenWrt's other words for them.
    Switch,
    /// One of these words.
    Choice(Vec<&'static str>),
    /// A number within these limits.
    Number {
        min: u32,
        max: u32,
    },
    /// Bits of the packet mark.
    Mask,
    /// A duration within these limits; where `none` is set, also `0`.
    Duration {
        none: bool,
        min: Duration,
        max: Duration,
    },
    /// `10/minute`.
    Rate,
    /// A network or an address.
    Network,
    /// A fw4 zone.
    Zone,
    /// A network interface.
    Interface,
    Mac,
    Protocol,
    /// A port or ICMP type, or `any`.
    Port,
    /// An absolute path.
    Path,
    /// A device's name.
    Name,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Switch => f.write_str("0 or 1"),
            Shape::Choice(words) => match words.split_last() {
                Some((last, [])) => f.write_str(last),
                Some((last, others)) => write!(f, "{} or {last}", others.join(", ")),
                None => Ok(()),
            },
            Shape::Number { min, max } => write!(f, "a number from {min} to {max}"),
            Shape::Mask => f.write_str("bits of the packet mark such as 0x01000000, not 0"),
            Shape::Duration { none, min, max } => {
                let zero = if *none { ", or 0 for none" } else { "" };
                write!(f, "a duration such as 30s, 15m, 24h or 14d, from {} to {}{zero}", Shown(*min), Shown(*max))
            }
            Shape::Rate => f.write_str("a rate such as 10/minute (second, minute, hour or day)"),
            Shape::Network => f.write_str("a network such as 224.0.0.0/4 or ff00::/8, or an address"),
            Shape::Zone => f.write_str("the name of a firewall zone such as lan"),
            Shape::Interface => f.write_str("the name of a network interface such as br-lan"),
            Shape::Mac => f.write_str("the MAC address of one device, such as b8:27:eb:00:00:01"),
            Shape::Protocol => f.write_str("a protocol such as tcp, udp, icmp or icmpv6, or a number from 0 to 255"),
            Shape::Port => f.write_str("a port number (for ICMP a type) from 0 to 65535, or any"),
            Shape::Path => f.write_str("an absolute path of a file, such as /etc/glacic/flows.db"),
            Shape::Name => write!(f, "a name of 1 to {LONGEST_NAME} characters that is no MAC address"),
        }
    }
}

/// One option, for manuals and forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// The type of section it belongs to.
    pub section: &'static str,
    pub name: &'static str,
    pub shape: Shape,
    /// Whether it is a `list`.
    pub list: bool,
    /// Must be there.
    pub required: bool,
    /// What holds without it; several for a list, none where there is nothing.
    pub default: &'static [&'static str],
    /// One line without a full stop.
    pub help: &'static str,
    /// It is read and kept, and does nothing yet.
    pub asleep: bool,
}

/// One option of a section that is read into `S`.
pub(super) struct Row<S: 'static> {
    pub name: &'static str,
    pub default: &'static [&'static str],
    pub required: bool,
    pub set: Set<S>,
    pub help: &'static str,
}

/// The words of a choice, and what each of them does.
pub(super) type Words<S> = &'static [(&'static str, fn(&mut S))];

/// What becomes of a value that could be read.
pub(super) enum Set<S: 'static> {
    Switch(fn(&mut S, bool)),
    Choice(Words<S>),
    Number(u32, u32, fn(&mut S, u32)),
    Mask(fn(&mut S, u32)),
    /// From so many seconds to so many.
    Duration(u64, u64, fn(&mut S, Duration)),
    /// The same, or none.
    OptionalDuration(u64, u64, fn(&mut S, Option<Duration>)),
    Rate(fn(&mut S, Rate)),
    Networks(fn(&mut S, Vec<IpNet>)),
    Zones(fn(&mut S, Vec<String>)),
    Interfaces(fn(&mut S, Vec<String>)),
    Mac(fn(&mut S, Mac)),
    Protocol(fn(&mut S, Protocol)),
    Port(fn(&mut S, Port)),
    Path(fn(&mut S, PathBuf)),
    Name(fn(&mut S, String)),
}

impl<S> Row<S> {
    pub fn is_list(&self) -> bool {
        matches!(self.set, Set::Networks(_) | Set::Zones(_) | Set::Interfaces(_))
    }

    pub fn shape(&self) -> Shape {
        let duration = |none, min: u64, max: u64| Shape::Duration {
            none,
            min: Duration::from_secs(min),
            max: Duration::from_secs(max),
        };
        match &self.set {
            Set::Switch(_) => Shape::Switch,
            Set::Choice(words) => Shape::Choice(words.iter().map(|(word, _)| *word).collect()),
            Set::Number(min, max, _) => Shape::Number { min: *min, max: *max },
            Set::Mask(_) => Shape::Mask,
            Set::Duration(min, max, _) => duration(false, *min, *max),
            Set::OptionalDuration(min, max, _) => duration(true, *min, *max),
            Set::Rate(_) => Shape::Rate,
            Set::Networks(_) => Shape::Network,
            Set::Zones(_) => Shape::Zone,
            Set::Interfaces(_) => Shape::Interface,
            Set::Mac(_) => Shape::Mac,
            Set::Protocol(_) => Shape::Protocol,
            Set::Port(_) => Shape::Port,
            Set::Path(_) => Shape::Path,
            Set::Name(_) => Shape::Name,
        }
    }

    pub fn info(&self, section: &'static str) -> Info {
        Info {
            section,
            name: self.name,
            shape: self.shape(),
            list: self.is_list(),
            required: self.required,
            default: self.default,
            help: self.help,
            asleep: is_asleep(section, self.name),
        }
    }
}

/// An option that need not be there.
pub(super) const fn row<S>(
    name: &'static str,
    default: &'static [&'static str],
    set: Set<S>,
    help: &'static str,
) -> Row<S> {
    Row { name, default, required: false, set, help }
}

/// An option that must be there.
pub(super) const fn required<S>(name: &'static str, set: Set<S>, help: &'static str) -> Row<S> {
    Row { name, default: &[], required: true, set, help }
}
