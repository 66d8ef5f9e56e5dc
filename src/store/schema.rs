//! The shape of the file: who it belongs to, its version, and the ladder from each version to the next.
//!
//! The tables in memory are the same ones, with the indexes that the file goes without: nobody searches the file, and
//! what is not in it need not be written to the flash.

use rusqlite::{Connection, Result};

use super::{destinations, devices, flows, life, meta};

/// `PRAGMA application_id` of our files: "glac".
pub const APPLICATION_ID: i32 = i32::from_be_bytes(*b"glac");

/// One step a version: `LADDER[n]` makes version n + 1 of version n. A step that was released never changes.
pub const LADDER: &[&[&str]] =
    &[&[devices::CREATE, destinations::CREATE, flows::CREATE, life::CREATE, meta::CREATE], &[flows::ADD_DECIDED]];

/// What is indexed in memory only, and the lists that queries are answered with.
const IN_MEMORY: &str = "
    CREATE UNIQUE INDEX device_by_mac ON devices(mac);
    CREATE UNIQUE INDEX destination_by_what ON destinations(what);
    CREATE UNIQUE INDEX flow_by_key ON flows(device, service, destination);
    CREATE INDEX flow_by_destination ON flows(destination) WHERE destination <> 0;
    CREATE TEMP TABLE names (mac INTEGER PRIMARY KEY, name TEXT NOT NULL);
    CREATE TEMP TABLE ranks (device INTEGER PRIMARY KEY, rank INTEGER NOT NULL);
    CREATE TEMP TABLE named (device INTEGER PRIMARY KEY);
    CREATE TEMP TABLE found_devices (device INTEGER PRIMARY KEY);
    CREATE TEMP TABLE found_services (service INTEGER PRIMARY KEY);
";

/// The version that this glacic writes.
pub fn version() -> i64 {
    LADDER.len() as i64
}

/// Takes a file from version `from` to the top of the ladder, in one transaction.
pub fn climb(file: &Connection, from: i64, ladder: &[&[&str]]) -> Result<()> {
    let steps = ladder.get(usize::try_from(from).unwrap_or(0)..).unwrap_or_default();
    if steps.is_empty() {
        return Ok(());
    }
    let transaction = file.unchecked_transaction()?;
    for statement in steps.iter().copied().flatten() {
        transaction.execute_batch(statement)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", ladder.len() as i64)?;
    transaction.commit()
}

/// Everything a file defines, as text: two files of one shape say the same.
pub fn shape(file: &Connection) -> Result<Vec<String>> {
    file.prepare("SELECT type || ' ' || name || ' ' || ifnull(sql, '') FROM sqlite_schema ORDER BY 1")?
        .query_map([], |row| row.get(0))?
        .collect()
}

/// Empty tables in memory, of the shape that files have.
pub fn shadowless() -> Result<Connection> {
    let tables = Connection::open_in_memory()?;
    climb(&tables, 0, LADDER)?;
    Ok(tables)
}

/// Empty tables in memory, to work on.
pub fn in_memory() -> Result<Connection> {
    let tables = shadowless()?;
    tables.pragma_update(None, "temp_store", 2)?;
    tables.execute_batch(IN_MEMORY)?;
    // One connection asks some twenty different things; each is prepared once.
    tables.set_prepared_statement_cache_capacity(32);
    Ok(tables)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Version 1 as it was released. It must open for ever: never adapt this text to a change.
    const VERSION_1: &str = include_str!("version_1.sql");

    #[test]
    fn version_1_climbs_to_the_shape_of_a_new_file() {
        let old = Connection::open_in_memory().unwrap();
        old.execute_batch(VERSION_1).unwrap();
        climb(&old, 1, LADDER).unwrap();
        assert_eq!(shape(&old).unwrap(), shape(&shadowless().unwrap()).unwrap());
        let flows: i64 = old.query_row("SELECT count(*) FROM flows", [], |row| row.get(0)).unwrap();
        assert_eq!(flows, 2);
    }

    #[test]
    fn climbs_only_the_steps_that_are_missing() {
        const TWO: &[&[&str]] =
            &[&["CREATE TABLE a (x INTEGER)"], &["ALTER TABLE a ADD COLUMN y INTEGER", "INSERT INTO a VALUES (1, 2)"]];
        let file = Connection::open_in_memory().unwrap();
        climb(&file, 0, &TWO[..1]).unwrap();
        climb(&file, 1, TWO).unwrap();
        climb(&file, 2, TWO).unwrap();
        let sum: i64 = file.query_row("SELECT sum(y) FROM a", [], |row| row.get(0)).unwrap();
        let version: i64 = file.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!((sum, version), (2, 2));
    }

    #[test]
    fn a_step_that_fails_leaves_the_file_where_it_was() {
        const BROKEN: &[&[&str]] = &[&["CREATE TABLE a (x INTEGER)"], &["CREATE TABLE b (x INTEGER)", "nonsense"]];
        let file = Connection::open_in_memory().unwrap();
        climb(&file, 0, &BROKEN[..1]).unwrap();
        assert!(climb(&file, 1, BROKEN).is_err());
        let version: i64 = file.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!((shape(&file).unwrap().len(), version), (1, 1));
    }
}
