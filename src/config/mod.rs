//! The owner's settings: `/etc/config/glacic`, from UCI text to typed values.
//!
//! [`uci`] reads the syntax, [`settings`] holds the typed options, `options` is the one table that describes them,
//! `read` turns a file into settings and `check` looks at what is well-formed and still unwise. Every problem of a
//! file is named in one go, and nothing of a bad file is ever applied.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)
)]

mod assign;
mod check;
mod options;
mod problem;
mod read;
pub mod settings;
mod shape;
mod suggest;
pub mod uci;
pub mod value;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

pub use options::options;
pub use problem::{Outcome, Problem, Severity};
pub use read::read;
pub use settings::Settings;
pub use shape::{Info, Shape};

/// Where the settings are, unless somebody says otherwise.
pub const DEFAULT_PATH: &str = "/etc/config/glacic";

/// Reads and checks the file at `path`. The error is that of the file system; what is wrong inside the file stands
/// in the [`Outcome`].
pub fn load(path: &Path) -> io::Result<Outcome> {
    // One byte more than is allowed, so that the reader sees that it is too much.
    let limit = u64::try_from(uci::MAX_SIZE).unwrap_or(u64::MAX).saturating_add(1);
    let mut text = Vec::new();
    File::open(path)?.take(limit).read_to_end(&mut text)?;
    Ok(read(&text, &path.display().to_string()))
}

#[cfg(test)]
mod tests;
