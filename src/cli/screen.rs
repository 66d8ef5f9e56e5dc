//! What the output is (a terminal of some width, a pipe), and how text from the network is shown on it.

use std::borrow::Cow;
use std::io::{IsTerminal, Write};

use serde::Serialize;

use super::exit::Failure;

/// What standard output can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// Columns of the terminal; `None` where the output is none, and nothing is cut off.
    pub width: Option<usize>,
    pub colours: bool,
    /// Whether it understands escape sequences that move the cursor.
    pub moves: bool,
}

/// What a piece of text means, for the eye.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    #[default]
    Plain,
    Heading,
    Good,
    Waiting,
    Bad,
}

impl Screen {
    /// No terminal: text for files and other programs.
    pub const PLAIN: Screen = Screen { width: None, colours: false, moves: false };

    /// Asks the terminal, and the environment variables NO_COLOR (<https://no-color.org>) and TERM.
    pub fn of_stdout() -> Screen {
        if !std::io::stdout().is_terminal() {
            return Screen::PLAIN;
        }
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        Screen { width: Some(columns().unwrap_or(80)), colours: !dumb && !set("NO_COLOR"), moves: !dumb }
    }

    /// The escape sequences that begin and end a tone; empty where there are no colours.
    pub fn paint(&self, tone: Tone) -> (&'static str, &'static str) {
        if !self.colours {
            return ("", "");
        }
        match tone {
            Tone::Plain => ("", ""),
            Tone::Heading => ("\x1b[1m", "\x1b[0m"),
            Tone::Good => ("\x1b[32m", "\x1b[0m"),
            Tone::Waiting => ("\x1b[33m", "\x1b[0m"),
            Tone::Bad => ("\x1b[31m", "\x1b[0m"),
        }
    }
}

/// `text` between the sequences of its tone.
pub fn painted(screen: Screen, tone: Tone, text: &str) -> String {
    let (begin, end) = screen.paint(tone);
    format!("{begin}{text}{end}")
}

/// Says something on standard error that is no failure. If nobody can read it, nothing is lost.
pub fn remark(text: &str) {
    let _ = writeln!(std::io::stderr(), "glacic: {text}");
}

/// The width of the terminal behind standard output.
fn columns() -> Option<usize> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ writes one `winsize` through the pointer, which is valid and exclusive for the call.
    let answer = unsafe { libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &mut size) };
    (answer == 0 && size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// `text` so that it cannot act on a terminal or deceive the eye: control characters, escape sequences, marks that
/// change the direction of writing, invisible and combining characters are shown as `\u{…}`, a backslash as two.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\'' | '"' => shown.push(character),
            _ => shown.extend(character.escape_debug()),
        }
    }
    shown
}

/// Columns that `text` takes, which must be [`visible`]: the wide scripts take two a character (a rough form of
/// UAX #11, enough for a table).
pub fn columns_of(text: &str) -> usize {
    text.chars().map(columns_of_one).sum()
}

fn columns_of_one(character: char) -> usize {
    match u32::from(character) {
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f
        | 0x1f680..=0x1f6ff
        | 0x1f900..=0x1f9ff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// `text` cut to `columns`, with `…` where something is missing.
pub fn cut(text: &str, columns: usize) -> Cow<'_, str> {
    if columns_of(text) <= columns {
        return Cow::Borrowed(text);
    }
    let mut taken = 0;
    let mut kept: String = text
        .chars()
        .take_while(|character| {
            taken += columns_of_one(*character);
            taken < columns
        })
        .collect();
    kept.push('…');
    Cow::Owned(kept)
}

/// Prints a value as one JSON document on one line. Characters that could act on a terminal are escaped, which JSON
/// readers undo.
pub fn print_json(out: &mut dyn Write, value: &impl Serialize) -> Result<(), Failure> {
    let text =
        serde_json::to_string(value).map_err(|error| Failure::internal(format!("cannot write JSON: {error}")))?;
    Ok(writeln!(out, "{}", harmless_json(&text))?)
}

fn harmless_json(text: &str) -> Cow<'_, str> {
    // In JSON, such characters occur inside strings only; ASCII control characters are escaped already, but for DEL.
    let acts = |character: char| {
        character == '\x7f' || (!character.is_ascii() && character.escape_debug().next() == Some('\\'))
    };
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if acts(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                safe.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_act_on_terminals_are_shown_escaped() {
        for (hostile, shown) in [
            ("\x1b[2Jcamera", "\\u{1b}[2Jcamera"),
            ("a\r\nb\tc\0", "a\\r\\nb\\tc\\0"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("\x7f", "\\u{7f}"),
            ("gpj.\u{202e}exe", "gpj.\\u{202e}exe"),
            ("\u{2066}\u{2069}\u{200f}", "\\u{2066}\\u{2069}\\u{200f}"),
            ("zero\u{200b}width\u{feff}", "zero\\u{200b}width\\u{feff}"),
            ("z\u{300}\u{301}", "z\\u{300}\\u{301}"),
            ("back\\slash", "back\\\\slash"),
        ] {
            assert_eq!(visible(hostile), shown);
        }
    }

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for name in ["camera", "Anna’s \"iPad\" 'mini'", "Küche", "客厅", "телевизор", "📷"] {
            assert_eq!(visible(name), name);
        }
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(columns_of("Küche"), 5);
        assert_eq!(columns_of("客厅"), 4);
        assert_eq!(cut("客厅灯", 5), "客厅…");
        assert_eq!(cut("客厅灯", 4), "客…");
        assert_eq!(cut("camera", 6), "camera");
        assert_eq!(cut("camera", 4), "cam…");
    }

    #[test]
    fn json_means_the_same_and_cannot_act_on_a_terminal() {
        let hostile = "\u{9b}31m \x7f \x1b[2J \u{202e}exe \u{e0001} Küche \"quoted\" \\";
        let mut out = Vec::new();
        print_json(&mut out, &hostile).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(!text.trim_end().contains(|c: char| c.is_control() || "\u{202e}\u{e0001}".contains(c)), "{text:?}");
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), hostile);
    }

    #[test]
    fn colours_only_where_they_are_wanted() {
        assert_eq!(Screen::PLAIN.paint(Tone::Bad), ("", ""));
        assert_ne!(Screen { colours: true, ..Screen::PLAIN }.paint(Tone::Bad), ("", ""));
    }
}
