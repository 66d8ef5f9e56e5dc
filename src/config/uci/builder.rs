//! Commands to sections: which arguments a command takes, and what a later line does to an earlier one.

use std::collections::HashMap;

use super::lexer::{Lexer, Word, quote};
use super::{At, Entry, Error, File, Section, Value};

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
pub(super) struct Builder {
    file: File,
    current: Current,
    by_name: HashMap<String, usize>,
    entries: HashMap<(usize, String), usize>,
}

impl Builder {
    pub fn finish(self) -> File {
        self.file
    }

    /// Reads the commands of one line.
    pub fn line(&mut self, lexer: &mut Lexer<'_>) -> Result<(), Error> {
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
