//! The words of a UCI file: quotes, escapes, comments, continued lines.
//!
//! A word may be put together from bare text and quoted parts (`'it'"'"'s'`). Inside single quotes every character
//! stands for itself; elsewhere a backslash makes the next character an ordinary one, and joins lines at the end of
//! one. A quoted part may run over several lines. This follows libuci down to its oddities, because a file must mean
//! the same to glacic as to everything else on the router.

use super::{At, Error};

/// What libuci takes for white space: `isspace` of the C locale.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r')
}

/// A word of a command. Empty where there was none, or where it was written as `''`.
#[derive(Debug)]
pub(super) struct Word {
    pub text: String,
    pub at: At,
}

/// The first word of a command.
#[derive(Debug)]
pub(super) struct Keyword<'a> {
    pub text: &'a str,
    pub at: At,
    /// Whether a blank follows, so that arguments can.
    pub has_arguments: bool,
}

/// A cursor over the text that stops at the end of each line until [`Lexer::next_line`] is called.
pub(super) struct Lexer<'a> {
    rest: &'a str,
    at: At,
    line_ended: bool,
    /// The first quoted part of this line's commands that ran over several lines: where faults that look like
    /// something else often begin.
    pub long_quote: Option<At>,
}

impl<'a> Lexer<'a> {
    pub fn new(text: &'a str) -> Lexer<'a> {
        Lexer { rest: text, at: At::START, line_ended: false, long_quote: None }
    }

    /// Goes to the beginning of the next line, whatever is left of this one.
    pub fn next_line(&mut self) {
        self.drop_line();
        self.line_ended = false;
    }

    /// Lets the line go on behind its end; `false` at the end of the file.
    fn continue_line(&mut self) -> bool {
        self.line_ended = false;
        !self.rest.is_empty()
    }

    pub fn at_end(&self) -> bool {
        self.rest.is_empty()
    }

    fn drop_line(&mut self) {
        while self.peek().is_some() {
            self.bump();
        }
        self.line_ended = true;
    }

    fn peek(&self) -> Option<char> {
        if self.line_ended { None } else { self.rest.chars().next() }
    }

    fn bump(&mut self) {
        let mut chars = self.rest.chars();
        match chars.next() {
            Some('\n') => {
                self.at = At { line: self.at.line.saturating_add(1), column: 1 };
                self.line_ended = true;
            }
            Some(_) => self.at.column = self.at.column.saturating_add(1),
            None => {}
        }
        self.rest = chars.as_str();
    }

    pub fn skip_space(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.bump();
        }
    }

    /// The first word of the next command in this line; `None` if there is no more.
    pub fn keyword(&mut self) -> Option<Keyword<'a>> {
        while matches!(self.peek(), Some(' ' | '\t')) {
            self.bump();
        }
        let (start, at) = (self.rest, self.at);
        if self.peek()? == '#' {
            self.drop_line();
            return None;
        }
        while self.peek().is_some_and(|c| !matches!(c, ' ' | '\t' | '\n')) {
            self.bump();
        }
        let length = start.len().saturating_sub(self.rest.len());
        let text = start.get(..length).unwrap_or_default();
        let has_arguments = matches!(self.peek(), Some(' ' | '\t'));
        self.bump();
        Some(Keyword { text, at, has_arguments })
    }

    /// The next argument of the command.
    pub fn word(&mut self) -> Result<Word, Error> {
        self.skip_space();
        let at = self.at;
        let mut text = String::new();
        if self.peek() == Some(';') {
            self.bump();
            return Ok(Word { text, at });
        }
        let mut bare = true;
        // The first character is no white space; but a continued line may begin with some, and that ends the word.
        while let Some(c) = self.peek().filter(|c| !is_space(*c)) {
            match c {
                '\'' | '"' => {
                    bare = false;
                    self.quoted(c, &mut text)?;
                }
                '#' => self.drop_line(),
                ';' => {
                    // An oddity of libuci: behind a bare word, the semicolon takes the rest of the line with it.
                    if bare {
                        self.drop_line();
                    }
                    return Ok(Word { text, at });
                }
                '\\' => {
                    bare = false;
                    self.escaped(&mut text);
                }
                c => {
                    text.push(c);
                    self.bump();
                }
            }
        }
        if self.peek().is_some() {
            self.bump();
        }
        Ok(Word { text, at })
    }

    fn quoted(&mut self, quote: char, text: &mut String) -> Result<(), Error> {
        let (start, opened) = (self.rest, self.at);
        self.bump();
        loop {
            match self.peek() {
                Some(c) if c == quote => {
                    self.bump();
                    if self.at.line != opened.line {
                        self.long_quote.get_or_insert(opened);
                    }
                    return Ok(());
                }
                Some('\\') if quote == '"' => self.escaped(text),
                Some(c) => {
                    text.push(c);
                    self.bump();
                }
                None if self.continue_line() => {}
                None => {
                    // Nothing behind it can be told; the lines after this one can still be read.
                    (self.rest, self.at, self.line_ended) = (start, opened, false);
                    let message = format!("this {quote} is never closed: the file ends before the next one");
                    return Err(Error { at: opened, message });
                }
            }
        }
    }

    /// A backslash: the next character as it is, or, at the end of a line, nothing.
    fn escaped(&mut self, text: &mut String) {
        self.bump();
        if self.rest.starts_with("\r\n") {
            self.bump();
        }
        match self.peek() {
            Some('\n') => {
                self.bump();
                self.continue_line();
            }
            Some(c) => {
                text.push(c);
                self.bump();
            }
            None => {}
        }
    }
}

/// A text of the file between quotes, for a message: shortened, and without anything a terminal would obey.
pub(in crate::config) fn quote(text: &str) -> String {
    const SHOWN: usize = 60;
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    // Readable as it is; escape_debug also escapes quotes.
    shown = shown.replace("\\\"", "\"").replace("\\'", "'");
    let dots = if text.chars().nth(SHOWN).is_some() { "…" } else { "" };
    format!("'{shown}{dots}'")
}
