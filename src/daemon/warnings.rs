//! What the owner should know right now: one sentence a subject, until it no longer holds.

use std::collections::BTreeMap;

/// What a warning is about; also the order in which they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    Ruleset,
    Source,
    NoQueue,
    Database,
    DatabaseMoved,
    SetFull,
    Config,
    Guarded,
    Clock,
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

    pub fn all(&self) -> Vec<String> {
        self.said.values().flatten().cloned().collect()
    }
}
