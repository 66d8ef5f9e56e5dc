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
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)
)]

use std::collections::HashMap;
use std::fmt;

use super::lexer::{Lexer, Word, quote};

/// The longest file that is read, in bytes.
pub const MAX_SIZE: usize = 1 << 20;

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
    (builder.file, errors)
}

/// After so many errors it is some other kind of file.
pub const MAX_ERRORS: usize = 100;

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

/// Where options go.
#[derive(Default)]
enum Current {
    /// There was no section yet.
    #[default]
    None,
    /// A section whose first line could not be read: what it says is left out, that one error is enough.
    Broken,
    Section(usize),
}

/// The file as far as it has been read. The maps keep the time linear in the size of any file.
#[derive(Default)]
struct Builder {
    file: File,
    current: Current,
    by_name: HashMap<String, usize>,
    entries: HashMap<(usize, String), usize>,
}

impl Builder {
    /// Reads the commands of one line.
    fn line(&mut self, lexer: &mut Lexer<'_>) -> Result<(), Error> {
        lexer.long_quote = None;
        lexer.skip_space();
        while let Some(keyword) = lexer.keyword() {
            let fault = |message: String| Err(Error { at: keyword.at, message });
            let known = match keyword.text {
                "c" | "config" => Builder::config,
                "o" | "option" => Builder::option,
                "l" | "list" => Builder::list,
                "p" | "package" => Builder::package,
                "" => return fault("a command is missing after ';'".into()),
                word => return fault(format!("{}: expected config, option, list or package", quote(word))),
            };
            if !keyword.has_arguments {
                return fault(format!("{} of what? Its name is missing", keyword.text));
            }
            known(self, lexer, keyword.at)?;
        }
        Ok(())
    }

    fn package(&mut self, lexer: &mut Lexer<'_>, at: At) -> Result<(), Error> {
        let name = lexer.word()?;
        check_name(&name, at, "package", "-")?;
        end(lexer)
    }

    fn config(&mut self, lexer: &mut Lexer<'_>, at: At) -> Result<(), Error> {
        self.current = Current::Broken;
        let kind = lexer.word()?;
        if kind.text.is_empty() {
            return Err(Error { at, message: "config of what? The section's type is missing".into() });
        }
        if !kind.text.bytes().all(|b| b.is_ascii_graphic()) {
            let message = format!("section type {}: expected ASCII characters without blanks", quote(&kind.text));
            return Err(Error { at: kind.at, message });
        }
        let name = lexer.word()?;
        if !name.text.is_empty() {
            check_name(&name, at, "section", "")?;
        }
        end(lexer)?;
        let index = match self.by_name.get(&name.text) {
            Some(&index) => {
                if let Some(earlier) = self.file.sections.get(index).filter(|earlier| earlier.kind != kind.text) {
                    let message = format!(
                        "section {} is a {} here and a {} at {}",
                        quote(&name.text),
                        kind.text,
                        earlier.kind,
                        earlier.at
                    );
                    return Err(Error { at, message });
                }
                index
            }
            None => {
                let index = self.file.sections.len();
                let name = if name.text.is_empty() { None } else { Some(name.text) };
                if let Some(name) = &name {
                    self.by_name.insert(name.clone(), index);
                }
                self.file.sections.push(Section { kind: kind.text, name, at, options: Vec::new() });
                index
            }
        };
        self.current = Current::Section(index);
        Ok(())
    }

    fn option(&mut self, lexer: &mut Lexer<'_>, at: At) -> Result<(), Error> {
        self.entry(lexer, at, false)
    }

    fn list(&mut self, lexer: &mut Lexer<'_>, at: At) -> Result<(), Error> {
        self.entry(lexer, at, true)
    }

    fn entry(&mut self, lexer: &mut Lexer<'_>, at: At, list: bool) -> Result<(), Error> {
        if matches!(self.current, Current::None) {
            return Err(Error {
                at,
                message: "this stands before the first config line: of which section is it?".into(),
            });
        }
        let name = lexer.word()?;
        let word = if list { "list" } else { "option" };
        check_name(&name, at, word, "")?;
        let value = lexer.word()?;
        end(lexer)?;
        let Current::Section(index) = self.current else { return Ok(()) };
        let Some(section) = self.file.sections.get_mut(index) else { return Ok(()) };
        if value.text.is_empty() && !list {
            return Ok(());
        }
        let value = Value { text: value.text, at: value.at };
        let next = section.options.len();
        let place = *self.entries.entry((index, name.text.clone())).or_insert(next);
        match section.options.get_mut(place) {
            None => section.options.push(Entry {
                name: name.text,
                at: name.at,
                list,
                values: vec![value],
                replaced: Vec::new(),
            }),
            Some(entry) if list => {
                entry.list = true;
                entry.values.push(value);
            }
            Some(entry) => {
                entry.replaced.push(entry.at);
                entry.at = name.at;
                entry.list = false;
                entry.values = vec![value];
            }
        }
        Ok(())
    }
}

/// Names are for shell variables too: letters, digits and `_`, and what else is `allowed`.
fn check_name(name: &Word, command: At, what: &str, allowed: &str) -> Result<(), Error> {
    if name.text.is_empty() {
        return Err(Error { at: command, message: format!("{what} of what? Its name is missing") });
    }
    if name.text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || allowed.contains(c)) {
        return Ok(());
    }
    let message = format!("{what} name {}: expected letters, digits and _", quote(&name.text));
    Err(Error { at: name.at, message })
}

/// Makes sure that nothing more belongs to the command.
fn end(lexer: &mut Lexer<'_>) -> Result<(), Error> {
    let word = lexer.word()?;
    if word.text.is_empty() {
        return Ok(());
    }
    let message = format!("{} is one word too many: values with blanks need quotes", quote(&word.text));
    Err(Error { at: word.at, message })
}

#[cfg(test)]
mod tests;
