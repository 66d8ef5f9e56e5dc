//! From a UCI file to [`Settings`]: every option is looked up in the table, and every problem is named.

use std::collections::{HashMap, HashSet};

use super::Outcome;
use super::assign::assign;
use super::check;
use super::options::{
    BASELINE, BASELINE_SECTION, BaselineDraft, DEVICE, DEVICE_SECTION, DeviceDraft, MAIN, MAIN_SECTION, SECTIONS,
};
use super::problem::{Problem, Report, Severity};
use super::settings::{Baseline, Device, Settings};
use super::shape::Row;
use super::suggest::{did_you_mean, nearest, unknown_option};
use super::uci::{self, At, Section, quote};
use crate::flow::{Key, Mac, Port};

/// Reads the text of a configuration file and names everything that is wrong with it. `file` is what messages call
/// it. The settings are there only if nothing is an error.
pub fn read(text: &[u8], file: &str) -> Outcome {
    let (tree, errors) = uci::read_all(text);
    let mut reader = Reader { report: Report::default(), complete: errors.is_empty() };
    for error in errors {
        reader.report.add(Problem::new(Severity::Error, error.at, error.message));
    }
    let settings = reader.file(&tree);
    reader.report.finish(file, settings)
}

/// A section as it was given: where its options stand, and which of them could not be read.
pub(super) struct Given<'a> {
    pub section: &'a Section,
    /// As the `uci` command names it.
    pub address: String,
    faulty: HashSet<&'static str>,
}

impl Given<'_> {
    /// Where this option is set; otherwise where the section begins.
    pub fn at(&self, option: &str) -> At {
        self.section.entry(option).map_or(self.section.at, |entry| entry.at)
    }

    /// Where this item of a list stands.
    pub fn at_item(&self, option: &str, item: &str) -> At {
        let values = self.section.entry(option).map(|entry| entry.values.as_slice()).unwrap_or_default();
        let holds = |text: &str| text.split_whitespace().any(|word| word == item);
        values.iter().find(|value| holds(&value.text)).map_or(self.at(option), |value| value.at)
    }

    pub fn has(&self, option: &str) -> bool {
        self.section.entry(option).is_some()
    }

    /// Whether none of these was set to something that could not be read.
    pub fn sound(&self, options: &[&str]) -> bool {
        options.iter().all(|option| !self.faulty.contains(option))
    }

    /// A problem that stands where the option does.
    pub fn problem(&self, severity: Severity, option: &str, message: String) -> Problem {
        self.problem_at(self.at(option), severity, option, message)
    }

    pub fn problem_at(&self, at: At, severity: Severity, option: &str, message: String) -> Problem {
        let section = Some(self.address.clone());
        Problem { section, option: Some(option.to_owned()), ..Problem::new(severity, at, message) }
    }
}

struct Reader {
    report: Report,
    /// Whether the whole file could be read: what is missing may otherwise stand in a line that could not.
    complete: bool,
}

impl Reader {
    fn file(&mut self, tree: &uci::File) -> Settings {
        let mut settings = Settings::default();
        let mut main = None;
        let mut devices = Vec::new();
        let mut seen = HashMap::new();
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for section in &tree.sections {
            let count = counts.entry(&section.kind).or_default();
            let address = section.name.clone().unwrap_or_else(|| format!("@{}[{count}]", section.kind));
            *count = count.saturating_add(1);
            let given = Given { section, address, faulty: HashSet::new() };
            match section.kind.as_str() {
                MAIN_SECTION => match &main {
                    None => main = Some(self.section(MAIN, given, &mut settings)),
                    Some(first) => self.second_main(&given, first),
                },
                DEVICE_SECTION => {
                    if let Some((device, given)) = self.device(given, &mut seen) {
                        settings.devices.push(device);
                        devices.push(given);
                    }
                }
                BASELINE_SECTION => settings.baseline.extend(self.baseline(given)),
                kind => {
                    let hint = nearest(kind, SECTIONS).map(did_you_mean).unwrap_or_default();
                    let expected = SECTIONS.join(", ");
                    let message = format!("section type {}: expected one of {expected}{hint}", quote(kind));
                    self.report.add(Problem {
                        section: Some(given.address),
                        ..Problem::new(Severity::Error, section.at, message)
                    });
                }
            }
        }
        match main {
            Some(main) => check::check(&settings, &main, &devices, self.complete, &mut self.report),
            None if self.complete => {
                let message = "section rule_learning is missing: add the lines \
                               \"config rule_learning 'main'\", \"option enabled '1'\" and \"list zone 'lan'\"";
                self.report.add(Problem::new(Severity::Error, At::START, message.to_owned()));
            }
            None => {}
        }
        settings
    }

    fn second_main(&mut self, given: &Given<'_>, first: &Given<'_>) {
        let message = format!("a second section rule_learning; the first begins at {}: keep one", first.section.at);
        self.report.add(Problem {
            section: Some(given.address.clone()),
            ..Problem::new(Severity::Error, given.section.at, message)
        });
    }

    fn device<'a>(&mut self, given: Given<'a>, seen: &mut HashMap<Mac, At>) -> Option<(Device, Given<'a>)> {
        let mut draft = DeviceDraft::default();
        let given = self.section(DEVICE, given, &mut draft);
        let mac = draft.mac?;
        if let Some(first) = seen.get(&mac) {
            let message =
                format!("option mac {}: the section at {first} is about this device too", quote(&mac.to_string()));
            self.report.add(given.problem(Severity::Error, "mac", message));
            return None;
        }
        seen.insert(mac, given.section.at);
        Some((Device { mac, name: draft.name, mode: draft.mode, scope: draft.scope }, given))
    }

    fn baseline(&mut self, given: Given<'_>) -> Option<Baseline> {
        let mut draft = BaselineDraft::default();
        let given = self.section(BASELINE, given, &mut draft);
        let protocol = draft.protocol?;
        if !given.sound(&["port"]) {
            return None;
        }
        let fault = match draft.port {
            None if protocol.has_ports() && !self.complete => return None,
            None if protocol.has_ports() => {
                format!("option port is missing: {protocol} has ports; name one, or 'any' for all of them")
            }
            Some(Port::Number(0)) if protocol.has_ports() => {
                format!("option port '0': expected a number from 1 to 65535 for {protocol}, or any")
            }
            Some(Port::Number(number)) if protocol.has_icmp_types() && number > 255 => {
                format!(
                    "option port '{number}': for {protocol} this is the type, expected a number from 0 to 255, or any"
                )
            }
            Some(Port::Number(number)) if !protocol.has_ports() && !protocol.has_icmp_types() && number != 0 => {
                format!("option port '{number}': {protocol} has no ports, leave it out")
            }
            port => {
                let key = Key::service(Mac([0; 6]), protocol, port.unwrap_or(Port::Any));
                if key.port == Port::Any && protocol.has_ports() {
                    let message = format!("option port 'any': nothing any device does over {protocol} is guarded then");
                    self.report.add(given.problem(Severity::Warning, "port", message));
                }
                return Some(Baseline { protocol, port: key.port });
            }
        };
        self.report.add(given.problem(Severity::Error, "port", fault));
        None
    }

    /// Reads the options of one section into `draft`.
    fn section<'a, S>(&mut self, rows: &'static [Row<S>], mut given: Given<'a>, draft: &mut S) -> Given<'a> {
        for entry in &given.section.options {
            let Some(row) = rows.iter().find(|row| row.name == entry.name) else {
                // Looking for what was meant takes time, and nobody will read it.
                let full = self.report.is_full();
                let message = if full { String::new() } else { unknown_option(&entry.name, &given.section.kind) };
                self.report.add(given.problem_at(entry.at, Severity::Error, &entry.name, message));
                continue;
            };
            if !entry.replaced.is_empty() {
                let places: Vec<_> = entry.replaced.iter().take(3).map(At::to_string).collect();
                let message =
                    format!("option {} is set again: what stands at {} does not count", row.name, places.join(", "));
                self.report.add(given.problem(Severity::Warning, row.name, message));
            }
            for fault in assign(row, entry, draft) {
                if fault.severity == Severity::Error {
                    given.faulty.insert(row.name);
                }
                self.report.add(given.problem_at(fault.at, fault.severity, row.name, fault.message));
            }
        }
        for row in rows.iter().filter(|row| row.required && self.complete && !given.has(row.name)) {
            let message = format!("option {} is missing: expected {}", row.name, row.shape());
            self.report.add(given.problem(Severity::Error, row.name, message));
        }
        given
    }
}
