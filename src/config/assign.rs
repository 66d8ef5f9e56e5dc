//! The values of one option into their place.

use std::collections::HashSet;

use ipnet::IpNet;

use super::problem::Severity;
use super::shape::{Row, Set};
use super::uci::{At, Entry, quote};
use super::value;

/// What is wrong with a value.
pub(super) struct Fault {
    pub severity: Severity,
    pub at: At,
    pub message: String,
}

/// Reads the values of an entry and puts them into `draft`; one that cannot be read leaves the default.
pub(super) fn assign<S>(row: &Row<S>, entry: &Entry, draft: &mut S) -> Vec<Fault> {
    let mut list = List { option: row.name, expected: row.shape().to_string(), faults: Vec::new() };
    match &row.set {
        Set::Networks(set) => {
            let read = list.read(entry, value::network);
            set(draft, read.into_iter().map(|(at, network)| list.whole_network(at, network)).collect());
        }
        Set::Zones(set) => set(draft, list.read(entry, value::zone).into_iter().map(|(_, zone)| zone).collect()),
        Set::Interfaces(set) => {
            set(draft, list.read(entry, value::interface).into_iter().map(|(_, name)| name).collect())
        }
        _ => return single(row, entry, draft).err().into_iter().collect(),
    }
    list.faults
}

fn single<S>(row: &Row<S>, entry: &Entry, draft: &mut S) -> Result<(), Fault> {
    let text = entry.values.first().map_or("", |value| value.text.as_str());
    let fault = |message| Err(Fault { severity: Severity::Error, at: entry.at, message });
    if entry.list {
        return fault(format!(
            "list {0}: one value is expected, not a list: write option {0} {1}",
            row.name,
            quote(text)
        ));
    }
    match put(row, text, draft) {
        Some(()) => Ok(()),
        None => fault(format!("option {} {}: expected {}", row.name, quote(text), row.shape())),
    }
}

/// Puts a single value into its place; `None` if it cannot be read.
fn put<S>(row: &Row<S>, text: &str, draft: &mut S) -> Option<()> {
    let seconds = |min: u64, max: u64| value::duration(text).filter(|span| (min..=max).contains(&span.as_secs()));
    match &row.set {
        Set::Switch(set) => set(draft, value::switch(text)?),
        Set::Choice(words) => {
            // Where a choice is a switch with something more, the other words for 0 and 1 hold as well.
            let plain = value::switch(text).map_or(text, |on| if on { "1" } else { "0" });
            let (_, set) = words.iter().find(|(word, _)| *word == text || *word == plain)?;
            set(draft);
        }
        Set::Number(min, max, set) => {
            let number = u32::try_from(value::number(text)?).ok()?;
            set(draft, Some(number).filter(|number| (*min..=*max).contains(number))?);
        }
        Set::Mask(set) => set(draft, value::mask(text)?),
        Set::Duration(min, max, set) => set(draft, seconds(*min, *max)?),
        Set::OptionalDuration(_, _, set) if value::duration(text)?.is_zero() => set(draft, None),
        Set::OptionalDuration(min, max, set) => set(draft, Some(seconds(*min, *max)?)),
        Set::Rate(set) => set(draft, value::rate(text)?),
        Set::Mac(set) => set(draft, value::device_mac(text)?),
        Set::Protocol(set) => set(draft, text.parse().ok()?),
        Set::Port(set) => set(draft, value::port(text)?),
        Set::Path(set) => set(draft, value::path(text)?),
        Set::Name(set) => set(draft, value::device_name(text)?),
        Set::Networks(_) | Set::Zones(_) | Set::Interfaces(_) => return None,
    }
    Some(())
}

/// The most values of a list option: each becomes a part of the ruleset.
const LONGEST_LIST: usize = 256;

/// The items of a list option.
struct List {
    option: &'static str,
    expected: String,
    faults: Vec<Fault>,
}

impl List {
    /// Reads each item once. An `option` with values between blanks is a list to OpenWrt's tools, and so to glacic.
    fn read<T>(&mut self, entry: &Entry, read: fn(&str) -> Option<T>) -> Vec<(At, T)> {
        let mut seen = HashSet::new();
        let mut out = Vec::new();
        for value in &entry.values {
            let items: Vec<&str> =
                if entry.list { vec![value.text.as_str()] } else { value.text.split_whitespace().collect() };
            for item in items {
                if out.len() >= LONGEST_LIST {
                    let message = format!("list {}: more than {LONGEST_LIST} values", self.option);
                    self.faults.push(Fault { severity: Severity::Error, at: value.at, message });
                    return out;
                }
                match read(item) {
                    None => self.fault(Severity::Error, value.at, item, &format!("expected {}", self.expected)),
                    Some(_) if !seen.insert(item) => self.fault(Severity::Note, value.at, item, "is listed twice"),
                    Some(thing) => out.push((value.at, thing)),
                }
            }
        }
        out
    }

    /// The network without bits of a host in it.
    fn whole_network(&mut self, at: At, network: IpNet) -> IpNet {
        let whole = network.trunc();
        if whole != network {
            let message = format!("has bits beyond its prefix: {whole} is what counts");
            self.fault(Severity::Warning, at, &network.to_string(), &message);
        }
        if whole.prefix_len() == 0 {
            self.fault(
                Severity::Warning,
                at,
                &network.to_string(),
                "is every destination there is: nothing will be guarded",
            );
        }
        whole
    }

    fn fault(&mut self, severity: Severity, at: At, item: &str, what: &str) {
        let message = format!("list {} {}: {what}", self.option, quote(item));
        self.faults.push(Fault { severity, at, message });
    }
}
