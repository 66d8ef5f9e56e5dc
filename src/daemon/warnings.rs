//! What the owner should know right now: sentences on a subject, until they no longer hold.

use std::collections::BTreeMap;

use crate::control::protocol::{Warning, WarningCode};

/// What a warning is about; also the order in which they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    Ruleset,
    Source,
    Modules,
    NoQueue,
    Offload,
    Overflow,
    LogLost,
    Fw4,
    Database,
    DatabaseMoved,
    DatabaseFull,
    SetFull,
    ConfigRefused,
    Config,
    Guarded,
    Clock,
    Confinement,
}

impl Subject {
    /// The code by which programs know it.
    fn code(self) -> WarningCode {
        match self {
            Subject::Ruleset => WarningCode::RulesetMissing,
            Subject::Modules => WarningCode::ModuleMissing,
            Subject::Offload => WarningCode::Offload,
            Subject::Overflow => WarningCode::QueueOverflow,
            Subject::LogLost => WarningCode::LogLost,
            Subject::Fw4 => WarningCode::Fw4,
            Subject::Database => WarningCode::DatabaseTrouble,
            Subject::DatabaseMoved => WarningCode::DatabaseMoved,
            Subject::DatabaseFull | Subject::SetFull => WarningCode::TableFull,
            Subject::ConfigRefused => WarningCode::ConfigRefused,
            Subject::Guarded => WarningCode::Interface,
            Subject::Clock => WarningCode::ClockNotSet,
            Subject::Source | Subject::NoQueue | Subject::Config | Subject::Confinement => WarningCode::Other,
        }
    }
}

/// The warnings that hold.
#[derive(Default)]
pub struct Warnings {
    said: BTreeMap<Subject, Vec<String>>,
}

impl Warnings {
    /// Replaces what is said about a subject, and logs it where it is new.
    pub fn set(&mut self, subject: Subject, sentences: Vec<String>) {
        let before = self.said.insert(subject, sentences).unwrap_or_default();
        for sentence in self.said.get(&subject).into_iter().flatten().filter(|sentence| !before.contains(sentence)) {
            log::warn!("{sentence}");
        }
    }

    pub fn clear(&mut self, subject: Subject) {
        self.said.remove(&subject);
    }

    pub fn all(&self) -> Vec<Warning> {
        let said = self.said.iter().flat_map(|(subject, sentences)| sentences.iter().map(|said| (*subject, said)));
        said.map(|(subject, message)| Warning { code: subject.code(), message: message.clone() }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_is_told_with_its_code_until_it_no_longer_does() {
        let mut warnings = Warnings::default();
        warnings.set(Subject::Clock, vec!["the clock is not set".to_owned()]);
        warnings.set(Subject::Ruleset, vec!["no".to_owned(), "never".to_owned()]);
        warnings.set(Subject::Ruleset, vec!["not loaded".to_owned()]);
        let warning = |code, message: &str| Warning { code, message: message.to_owned() };
        let ruleset = warning(WarningCode::RulesetMissing, "not loaded");
        assert_eq!(warnings.all(), [ruleset.clone(), warning(WarningCode::ClockNotSet, "the clock is not set")]);
        warnings.clear(Subject::Clock);
        assert_eq!(warnings.all(), [ruleset]);
    }
}
