//! The table of small things to keep: what [`super::Request::Meta`] brings.

use std::collections::BTreeMap;

use rusqlite::{Connection, Result, params};

use super::value::text;

pub const CREATE: &str = "
CREATE TABLE meta (
  key   TEXT PRIMARY KEY, -- a word of glacic's own
  value TEXT NOT NULL
) WITHOUT ROWID";

/// More than glacic keeps by far: a file with more was made by somebody else.
pub const MOST: usize = 64;

/// Everything that is kept, and how many rows made no sense.
pub fn read(file: &Connection) -> Result<(BTreeMap<String, String>, u32)> {
    let mut statement = file.prepare("SELECT key, value FROM meta")?;
    let (mut rows, mut kept, mut skipped) = (statement.query([])?, BTreeMap::new(), 0u32);
    while let Some(row) = rows.next()? {
        match (text(row, 0, 64), text(row, 1, 1024)) {
            (Some(Some(key)), Some(Some(value))) if kept.len() < MOST => {
                kept.insert(key, value);
            }
            _ => skipped = skipped.saturating_add(1),
        }
    }
    Ok((kept, skipped))
}

/// Brings one word into the file.
pub fn write(kept: &BTreeMap<String, String>, file: &Connection, key: &str) -> Result<()> {
    match kept.get(key) {
        Some(value) => file.execute("INSERT OR REPLACE INTO meta VALUES (?1, ?2)", params![key, value])?,
        None => file.execute("DELETE FROM meta WHERE key = ?1", params![key])?,
    };
    Ok(())
}
