//! The table of devices: one row for each that has a flow, or that the owner named or set.

use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use super::value::{self, text, within};
use super::{Device, due};
use crate::flow::{DeviceMode, Mac, Wall};

pub const CREATE: &str = "
CREATE TABLE devices (
  id         INTEGER PRIMARY KEY, -- what flows refer to: shorter than the address
  mac        INTEGER NOT NULL,    -- 48 bits, one row each
  name       TEXT,                -- given by the owner
  mode       INTEGER NOT NULL,    -- 0 default, 1 learn, 2 enforce, 3 trust, 4 block
  zone       TEXT,                -- where it was seen first
  first_seen INTEGER NOT NULL     -- seconds since 1970
)";

/// The longest name of a device, in bytes.
pub const MAX_NAME: usize = 64;

const MODES: [DeviceMode; 5] =
    [DeviceMode::Default, DeviceMode::Learn, DeviceMode::Enforce, DeviceMode::Trust, DeviceMode::Block];

pub fn mode_number(mode: DeviceMode) -> i64 {
    MODES.iter().position(|known| *known == mode).map_or(0, |at| at as i64)
}

/// The mode of a number that was checked when it was loaded.
pub fn mode(number: i64) -> DeviceMode {
    usize::try_from(number).ok().and_then(|at| MODES.get(at)).copied().unwrap_or_default()
}

/// Brings the devices of a file into memory; returns how many rows made no sense.
pub fn load(file: &Connection, tables: &Connection, most: usize) -> Result<u32> {
    let mut from = file.prepare("SELECT id, mac, name, mode, zone, first_seen FROM devices")?;
    let mut into = tables.prepare("INSERT OR IGNORE INTO devices VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let (mut rows, mut taken, mut skipped) = (from.query([])?, 0, 0u32);
    while let Some(row) = rows.next()? {
        match sensible(row) {
            Some((id, mac, name, mode, zone, first)) if taken < most => {
                let new = into.execute(params![id, mac, name, mode, zone, first])?;
                taken += new;
                skipped = skipped.saturating_add(u32::from(new == 0));
            }
            _ => skipped = skipped.saturating_add(1),
        }
    }
    Ok(skipped)
}

type Sensible = (i64, i64, Option<String>, i64, Option<String>, i64);

fn sensible(row: &Row) -> Option<Sensible> {
    Some((
        within(row, 0, value::IDS)?,
        within(row, 1, 0..1 << 48)?,
        text(row, 2, MAX_NAME)?,
        within(row, 3, 0..MODES.len() as i64)?,
        text(row, 4, MAX_NAME)?,
        within(row, 5, value::TIMES)?,
    ))
}

/// The number of a device; its row is made where there is none.
pub fn number(tables: &Connection, due: &mut due::Due, mac: Mac, zone: Option<&str>, now: Wall) -> Result<i64> {
    if let Some(id) = find(tables, mac)? {
        return Ok(id);
    }
    let id = due.next_device();
    tables.prepare_cached("INSERT INTO devices VALUES (?1, ?2, NULL, 0, ?3, ?4)")?.execute(params![
        id,
        mac.to_u64() as i64,
        zone,
        value::time(now)
    ])?;
    due.devices.mark(id, due::Kind::New);
    Ok(id)
}

pub fn find(tables: &Connection, mac: Mac) -> Result<Option<i64>> {
    tables
        .prepare_cached("SELECT id FROM devices WHERE mac = ?1")?
        .query_row([mac.to_u64() as i64], |row| row.get(0))
        .optional()
}

/// Drops a device that nothing speaks for any more: no flow, no name, no mode.
pub fn drop_if_idle(tables: &Connection, due: &mut due::Due, id: i64) -> Result<()> {
    let gone = tables
        .prepare_cached(
            "DELETE FROM devices WHERE id = ?1 AND name IS NULL AND mode = 0
             AND NOT EXISTS (SELECT 1 FROM flows WHERE device = ?1)",
        )?
        .execute([id])?;
    if gone > 0 {
        due.devices.mark(id, due::Kind::Gone);
    }
    Ok(())
}

/// The addresses of the devices of this name, case ignored. The owner's name hides the one known from elsewhere.
pub fn by_name(tables: &Connection, name: &str) -> Result<Vec<Mac>> {
    let mut statement = tables.prepare_cached(
        "SELECT mac FROM devices WHERE name = ?1 COLLATE NOCASE
         UNION
         SELECT n.mac FROM names n LEFT JOIN devices d ON d.mac = n.mac
         WHERE n.name = ?1 COLLATE NOCASE AND d.name IS NULL",
    )?;
    let macs = statement.query_map([name], |row| row.get(0))?;
    macs.filter_map(|mac| mac.map(value::mac).transpose()).collect()
}

/// Shows every device, in the order of their addresses.
pub fn each(tables: &Connection, mut show: impl FnMut(&Device)) -> Result<()> {
    let mut statement = tables.prepare("SELECT mac, name, mode, zone FROM devices ORDER BY mac")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(mac) = value::mac(row.get(0)?) {
            show(&Device { mac, name: row.get(1)?, mode: mode(row.get(2)?), zone: row.get(3)? });
        }
    }
    Ok(())
}

/// Brings one row into the file.
pub fn write(tables: &Connection, file: &Connection, id: i64) -> Result<()> {
    tables.prepare_cached("SELECT * FROM devices WHERE id = ?1")?.query_row([id], |row| {
        file.prepare_cached("INSERT OR REPLACE INTO devices VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
            .execute(rusqlite::params_from_iter((0..6).map(|column| value::as_it_is(row, column))))
    })?;
    Ok(())
}

pub fn erase(file: &Connection, id: i64) -> Result<()> {
    file.prepare_cached("DELETE FROM devices WHERE id = ?1")?.execute([id])?;
    Ok(())
}
