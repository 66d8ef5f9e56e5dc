//! A second copy of what [`super::Request::Meta`] brings, in a small file beside the database: the owner's word about learning
//! outlives a database that has to be moved aside.
//!
//! It is written by rename after the transaction that brought the word into the database, where it says something else. When
//! it counts is at the head of [`super::open`].

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::file::with_suffix;
use super::meta::MOST;

/// More than glacic keeps by far.
const LONGEST: u64 = 64 * 1024;

/// The file, and what it says.
pub struct Spare {
    path: PathBuf,
    text: Option<String>,
}

impl Spare {
    /// The copy that belongs to this database, if it has one.
    pub fn of(database: &Path) -> Spare {
        let path = with_suffix(database, ".kept");
        let mut text = String::new();
        let read = fs::File::open(&path).and_then(|file| file.take(LONGEST).read_to_string(&mut text));
        Spare { path, text: read.is_ok().then_some(text) }
    }

    /// What it keeps. A line that makes no sense is left out.
    pub fn kept(&self) -> BTreeMap<String, String> {
        let lines = self.text.iter().flat_map(|text| text.lines()).filter_map(|line| line.split_once(' '));
        lines.take(MOST).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    /// Brings it up to what is kept now. Where that fails, the next time will do: the database has it.
    pub fn follow(&mut self, kept: &BTreeMap<String, String>) {
        let text: String = kept.iter().map(|(key, value)| format!("{key} {value}\n")).collect();
        if self.text.as_deref() == Some(text.as_str()) || self.text.is_none() && text.is_empty() {
            return;
        }
        match self.write(&text) {
            Ok(()) => self.text = Some(text),
            Err(fault) => log::warn!("{}: {fault}", self.path.display()),
        }
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let fresh = with_suffix(&self.path, ".new");
        // Left by somebody who lost power, or put there by somebody else: neither is written through.
        match fs::remove_file(&fresh) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault),
            _ => {}
        }
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, &self.path)
    }
}
