//! OpenWrt's configuration files: sections of options and lists, as libuci reads them.
//!
//! ```
//! let file = glacic::config::uci::read(b"config zone\n\toption name 'lan'\n\tlist network 'lan'\n").unwrap();
//! let zone = file.of_kind("zone").next().unwrap();
//! assert_eq!(zone.option("name"), Some("lan"));
//! assert_eq!(zone.entry("name").unwrap().values[0].at.to_string(), "2:14");
//! ```
//!
//! What libuci refuses is refused here too. As there, a later `option` replaces an earlier one, `list` adds, an empty
//! option says nothing, and a named section that comes again goes on where it was.

mod builder;
mod lexer;

use std::fmt;

use builder::Builder;
use lexer::Lexer;
pub(super) use lexer::quote;

/// The longest file that is read, in bytes.
pub const MAX_SIZE: usize = 1 << 20;

/// After so many errors it is some other kind of file.
pub const MAX_ERRORS: usize = 100;

/// A place in a file. Both count from one, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct At {
    pub line: u32,
    pub column: u32,
}

impl At {
    pub const START: At = At { line: 1, column: 1 };

    /// The place behind `text`.
    fn behind(text: &str) -> At {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).saturating_add(1);
        let line = text.rsplit('\n').next().unwrap_or_default();
        At { line: count(text.matches('\n').count()), column: count(line.chars().count()) }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// One value, unquoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    pub text: String,
    pub at: At,
}

/// What a section says under one name, after later lines have replaced or extended earlier ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    /// Where the name stands in the line that counts (the first line of a list).
    pub at: At,
    /// Whether any line of it began with `list`.
    pub list: bool,
    /// Never empty; exactly one unless it is a list.
    pub values: Vec<Value>,
    /// Earlier lines that this entry replaced and that therefore do not count.
    pub replaced: Vec<At>,
}

/// One `config` section. Sections of the same name are one section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    pub kind: String,
    pub name: Option<String>,
    pub at: At,
    pub options: Vec<Entry>,
}

impl Section {
    /// The entry of this name.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.options.iter().find(|entry| entry.name == name)
    }

    /// The value of an option, for a list its last one.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.entry(name)?.values.last().map(|value| value.text.as_str())
    }

    /// All values under a name, whether it is a list or an option with values between spaces, which OpenWrt's tools
    /// take for the same thing.
    pub fn list<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        let values = self.entry(name).map(|entry| entry.values.as_slice()).unwrap_or_default();
        values.iter().flat_map(|value| value.text.split_whitespace())
    }
}

/// A file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct File {
    pub sections: Vec<Section>,
}

impl File {
    /// The sections of one type, in the order of the file.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Section> + 'a {
        self.sections.iter().filter(move |section| section.kind == kind)
    }

    /// The section of this name.
    pub fn named(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name.as_deref() == Some(name))
    }
}

/// What is wrong with a file's syntax, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    pub at: At,
    pub message: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.message)
    }
}

impl std::error::Error for Error {}

/// Whether an option's text is a yes, as OpenWrt's own programs take it.
pub fn is_true(text: &str) -> bool {
    matches!(text, "1" | "on" | "true" | "yes" | "enabled")
}

/// Reads a file; the error is the first of [`read_all`].
pub fn read(text: &[u8]) -> Result<File, Error> {
    let (file, errors) = read_all(text);
    match errors.into_iter().next() {
        None => Ok(file),
        Some(error) => Err(error),
    }
}

/// Reads as much of a file as can be read, and names everything that cannot: up to [`MAX_ERRORS`], then it stops.
pub fn read_all(text: &[u8]) -> (File, Vec<Error>) {
    let text = match checked(text) {
        Ok(text) => text,
        Err(error) => return (File::default(), vec![error]),
    };
    let mut lexer = Lexer::new(text);
    let mut builder = Builder::default();
    let mut errors = Vec::new();
    while !lexer.at_end() {
        if let Err(mut error) = builder.line(&mut lexer) {
            if let Some(opened) = lexer.long_quote.filter(|opened| opened.line != error.at.line) {
                error.message.push_str(&format!(" (is a closing quote missing since {opened}?)"));
            }
            errors.push(error);
            if errors.len() >= MAX_ERRORS {
                break;
            }
        }
        lexer.next_line();
    }
    (builder.finish(), errors)
}

/// Somebody else's file, as far as it can be read: what is no UTF-8, and what OpenWrt's own reader takes and this one
/// does not, must not hide the rest.
pub fn read_foreign(text: &[u8]) -> File {
    read_all(String::from_utf8_lossy(text).as_bytes()).0
}

/// Text that can be read at all.
fn checked(bytes: &[u8]) -> Result<&str, Error> {
    if bytes.len() > MAX_SIZE {
        return Err(Error { at: At::START, message: format!("the file is longer than {MAX_SIZE} bytes") });
    }
    let (text, valid) = match std::str::from_utf8(bytes) {
        Ok(text) => (text, true),
        Err(fault) => {
            let readable = bytes.get(..fault.valid_up_to()).unwrap_or_default();
            (std::str::from_utf8(readable).unwrap_or_default(), false)
        }
    };
    match text.split_once('\0') {
        Some((before, _)) => Err(Error { at: At::behind(before), message: "a NUL byte: this is no text file".into() }),
        None if valid => Ok(text),
        None => Err(Error { at: At::behind(text), message: "this is not UTF-8 text".into() }),
    }
}

#[cfg(test)]
mod tests;
