//! What is wrong with a configuration file, for people and for programs.

use std::fmt;

use serde::Serialize;

use super::Settings;
use super::uci::At;

/// How bad a problem is. Only errors keep a file from being applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Note,
    Warning,
    Error,
}

/// One thing the owner should know about the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    pub severity: Severity,
    /// Both count from one; 1:1 is also where problems of the whole file stand.
    pub line: u32,
    /// In characters; a tab is one.
    pub column: u32,
    /// The section as the `uci` command names it: `main`, or `@device[0]` where it has no name.
    pub section: Option<String>,
    pub option: Option<String>,
    /// What is wrong and what is allowed.
    pub message: String,
}

impl Problem {
    pub(super) fn new(severity: Severity, at: At, message: String) -> Problem {
        Problem { severity, line: at.line, column: at.column, section: None, option: None, message }
    }

    /// The position as a value.
    pub fn at(&self) -> At {
        At { line: self.line, column: self.column }
    }
}

/// `12:9: warning: option …`; errors come without a word in front.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Error => "",
            Severity::Warning => "warning: ",
            Severity::Note => "note: ",
        };
        write!(f, "{}:{}: {word}{}", self.line, self.column, self.message)
    }
}

/// What reading a file came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The file's name, as it was given.
    pub file: String,
    /// Absent if any problem is an error.
    pub settings: Option<Settings>,
    /// In the order of the file.
    pub problems: Vec<Problem>,
}

impl Outcome {
    /// How many problems are of this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.problems.iter().filter(|problem| problem.severity == severity).count()
    }

    /// The worst there is, `None` for a clean file.
    pub fn worst(&self) -> Option<Severity> {
        self.problems.iter().map(|problem| problem.severity).max()
    }

    /// The problems as people read them: `/etc/config/glacic:12:9: option …`.
    pub fn lines(&self) -> impl Iterator<Item = String> + '_ {
        self.problems.iter().map(|problem| format!("{}:{problem}", self.file))
    }
}

/// Problems on their way to an [`Outcome`].
#[derive(Default)]
pub(super) struct Report {
    problems: Vec<Problem>,
    /// The worst of those that are not listed, and their number.
    unlisted: Option<Severity>,
    more: usize,
}

impl Report {
    /// Nobody mends more at a time, and a file full of nonsense must not fill a router's memory.
    const LISTED: usize = 1000;

    /// Whether further problems are only counted.
    pub fn is_full(&self) -> bool {
        self.problems.len() >= Report::LISTED
    }

    pub fn add(&mut self, problem: Problem) {
        if self.is_full() {
            self.more = self.more.saturating_add(1);
            self.unlisted = self.unlisted.max(Some(problem.severity));
        } else {
            self.problems.push(problem);
        }
    }

    pub fn finish(mut self, file: &str, settings: Settings) -> Outcome {
        self.problems.sort_by_key(Problem::at);
        if let (Some(severity), Some(last)) = (self.unlisted, self.problems.last()) {
            self.problems.push(Problem::new(severity, last.at(), format!("and {} more problems", self.more)));
        }
        let failed = self.problems.iter().any(|problem| problem.severity == Severity::Error);
        Outcome { file: file.to_owned(), settings: (!failed).then_some(settings), problems: self.problems }
    }
}
