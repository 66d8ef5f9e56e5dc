//! The table of destinations: hosts that flows of destination scope are bound to.

use std::net::IpAddr;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use super::due::{Due, Kind};
use super::value;
use crate::flow::{Destination, NameId};

pub const CREATE: &str = "
CREATE TABLE destinations (
  id   INTEGER PRIMARY KEY, -- what flows refer to; of a name it is the name's number
  what NOT NULL             -- a name (text), or an address (blob of 4 or 16 bytes)
)";

/// The number in a flow's row that stands for any destination.
pub const ANY: i64 = 0;

/// The longest name, as in RFC 1035 section 2.3.4.
const MAX_NAME: usize = 255;

/// Brings the destinations of a file into memory; returns how many rows made no sense.
pub fn load(file: &Connection, tables: &Connection, most: usize) -> Result<u32> {
    let mut from = file.prepare("SELECT id, what FROM destinations")?;
    let mut into = tables.prepare("INSERT OR IGNORE INTO destinations VALUES (?1, ?2)")?;
    let (mut rows, mut taken, mut skipped) = (from.query([])?, 0, 0u32);
    while let Some(row) = rows.next()? {
        let id = value::within(row, 0, value::IDS);
        let sensible = read(row, 1, 0).is_some();
        let new = match id {
            Some(id) if sensible && taken < most => into.execute(params![id, value::as_it_is(row, 1)])?,
            _ => 0,
        };
        taken += new;
        skipped = skipped.saturating_add(u32::from(new == 0));
    }
    Ok(skipped)
}

/// A destination from the column `what` of a row; `id` is its number.
pub fn read(row: &Row, column: usize, id: u32) -> Option<Destination> {
    match row.get_ref(column).ok()? {
        ValueRef::Null => Some(Destination::Any),
        ValueRef::Text(name) if name.len() <= MAX_NAME && std::str::from_utf8(name).is_ok() => {
            Some(Destination::Name(NameId(id)))
        }
        ValueRef::Blob(bytes) => {
            let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from).ok();
            let address = v4.or_else(|| <[u8; 16]>::try_from(bytes).map(IpAddr::from).ok())?;
            Some(Destination::Address(address))
        }
        _ => None,
    }
}

fn bytes(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// The number of a destination that is known.
pub fn find(tables: &Connection, destination: Destination) -> Result<Option<i64>> {
    match destination {
        Destination::Any => Ok(Some(ANY)),
        Destination::Name(NameId(id)) => tables
            .prepare_cached("SELECT id FROM destinations WHERE id = ?1 AND typeof(what) = 'text'")?
            .query_row([id], |row| row.get(0))
            .optional(),
        Destination::Address(address) => tables
            .prepare_cached("SELECT id FROM destinations WHERE what = ?1")?
            .query_row([bytes(address)], |row| row.get(0))
            .optional(),
    }
}

/// The number of a destination; an address gets one where it has none. `None` is the number of a name that is not known.
pub fn number(tables: &Connection, due: &mut Due, destination: Destination) -> Result<Option<i64>> {
    let Destination::Address(address) = destination else { return find(tables, destination) };
    if let Some(id) = find(tables, destination)? {
        return Ok(Some(id));
    }
    let id = due.next_destination();
    tables.prepare_cached("INSERT INTO destinations VALUES (?1, ?2)")?.execute(params![id, bytes(address)])?;
    due.destinations.mark(id, Kind::New);
    Ok(Some(id))
}

/// Drops a destination that no flow is bound to any more.
pub fn drop_if_idle(tables: &Connection, due: &mut Due, id: i64) -> Result<()> {
    if id == ANY {
        return Ok(());
    }
    let gone = tables
        .prepare_cached(
            "DELETE FROM destinations WHERE id = ?1
             AND NOT EXISTS (SELECT 1 FROM flows WHERE destination = ?1 AND destination <> 0)",
        )?
        .execute([id])?;
    if gone > 0 {
        due.destinations.mark(id, Kind::Gone);
    }
    Ok(())
}

/// Brings one row into the file.
pub fn write(tables: &Connection, file: &Connection, id: i64) -> Result<()> {
    tables.prepare_cached("SELECT what FROM destinations WHERE id = ?1")?.query_row([id], |row| {
        file.prepare_cached("INSERT OR REPLACE INTO destinations VALUES (?1, ?2)")?
            .execute(params![id, value::as_it_is(row, 0)])
    })?;
    Ok(())
}

pub fn erase(file: &Connection, id: i64) -> Result<()> {
    file.prepare_cached("DELETE FROM destinations WHERE id = ?1")?.execute([id])?;
    Ok(())
}
