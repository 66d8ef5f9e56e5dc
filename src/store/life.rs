//! The table of one row: whose life this database records.
//!
//! Ages are counted in hours that glacic ran, summed up over restarts: the wall clock of a router may jump by decades in
//! either direction, and nothing may be dropped because of that. A router that was off for a year has not aged.

use rusqlite::{Connection, OptionalExtension, Result, params};

use super::value::{IDS, within};
use crate::flow::Monotonic;

pub const CREATE: &str = "
CREATE TABLE life (
  id       INTEGER PRIMARY KEY, -- always 1
  identity INTEGER NOT NULL,    -- drawn when the file was made: tells it from any other
  uptime   INTEGER NOT NULL,    -- seconds glacic ran with it, at most an hour behind while there is something to write
  next_id  INTEGER NOT NULL     -- no flow with this number or above was ever in the file and then deleted
)";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    pub identity: i64,
    pub uptime: i64,
    pub next_id: i64,
}

/// Uptimes that are believed: up to a thousand years.
const UPTIMES: std::ops::Range<i64> = 0..1 << 35;

impl Life {
    /// The life of a new database.
    pub fn new() -> Life {
        use std::hash::{BuildHasher, Hasher};
        let drawn = std::hash::RandomState::new().build_hasher().finish();
        Life { identity: drawn as i64, uptime: 0, next_id: 1 }
    }

    /// Seconds glacic ran with this database by `now`; it was opened at `opened`.
    pub fn seconds(&self, opened: Monotonic, now: Monotonic) -> i64 {
        let here = i64::try_from(now.since(opened).as_secs()).unwrap_or(i64::MAX);
        self.uptime.saturating_add(here).min(UPTIMES.end - 1)
    }

    /// The same in hours: what flows note.
    pub fn hours(&self, opened: Monotonic, now: Monotonic) -> i64 {
        self.seconds(opened, now) / 3600
    }

    /// `None`: the file has none, or one that makes no sense.
    pub fn read(file: &Connection) -> Result<Option<Life>> {
        file.query_row("SELECT identity, uptime, next_id FROM life WHERE id = 1", [], |row| {
            let identity = within(row, 0, i64::MIN..i64::MAX);
            let uptime = within(row, 1, UPTIMES);
            let next_id = within(row, 2, IDS.start..IDS.end + 1);
            Ok(identity.zip(uptime).zip(next_id))
        })
        .optional()
        .map(|found| found.flatten().map(|((identity, uptime), next_id)| Life { identity, uptime, next_id }))
    }

    pub fn write(&self, file: &Connection) -> Result<()> {
        file.prepare_cached("INSERT OR REPLACE INTO life VALUES (1, ?1, ?2, ?3)")?.execute(params![
            self.identity,
            self.uptime,
            self.next_id
        ])?;
        Ok(())
    }
}
