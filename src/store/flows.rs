//! The table of flows.

use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use super::destinations;
use super::due::{Due, Kind};
use super::value::{self, within};
use crate::flow::{Destination, FlowId, Key, Mac, Origin, Port, Protocol, Record, State, Wall};

pub const CREATE: &str = "
CREATE TABLE flows (
  id          INTEGER PRIMARY KEY, -- the flow's number, never used twice
  device      INTEGER NOT NULL,    -- devices.id
  service     INTEGER NOT NULL,    -- protocol << 17 | any port << 16 | port
  destination INTEGER NOT NULL,    -- destinations.id, 0 for any
  standing    INTEGER NOT NULL,    -- state << 2 | origin
  first_seen  INTEGER NOT NULL,    -- seconds since 1970
  last_seen   INTEGER NOT NULL,    -- seconds since 1970
  aged        INTEGER NOT NULL,    -- hours of life.uptime when it was last seen
  connections INTEGER NOT NULL
)";

/// When the owner decided, in seconds since 1970. Nothing where nobody has, which takes a byte.
pub const ADD_DECIDED: &str = "ALTER TABLE flows ADD COLUMN decided INTEGER";

/// The columns of the table.
const WIDTH: usize = 10;

/// The columns that [`read`] takes, from these tables.
pub const COLUMNS: &str =
    "f.id, d.mac, f.service, f.destination, x.what, f.standing, f.first_seen, f.last_seen, f.connections";
pub const TABLES: &str = "flows f JOIN devices d ON d.id = f.device LEFT JOIN destinations x ON x.id = f.destination";

/// `state << 2 | origin`, in the order of the numbers.
const STATES: [State; 3] = [State::Pending, State::Allowed, State::Denied];
const ORIGINS: [Origin; 4] = [Origin::Learned, Origin::User, Origin::Imported, Origin::Baseline];

pub fn state_number(state: State) -> i64 {
    match state {
        State::Pending => 0,
        State::Allowed => 1,
        State::Denied => 2,
    }
}

pub fn origin_number(origin: Origin) -> i64 {
    match origin {
        Origin::Learned => 0,
        Origin::User => 1,
        Origin::Imported => 2,
        Origin::Baseline => 3,
    }
}

pub fn standing(state: State, origin: Origin) -> i64 {
    state_number(state) << 2 | origin_number(origin)
}

fn state_and_origin(standing: i64) -> Option<(State, Origin)> {
    let state = STATES.get(usize::try_from(standing >> 2).ok()?)?;
    let origin = ORIGINS.get(usize::try_from(standing & 3).ok()?)?;
    Some((*state, *origin))
}

pub fn service(protocol: Protocol, port: Port) -> i64 {
    let port = match port {
        Port::Any => 1 << 16,
        Port::Number(number) => i64::from(number),
    };
    i64::from(protocol.0) << 17 | port
}

/// The inverse of [`service`]; `None` for what it never makes.
pub fn protocol_and_port(service: i64) -> Option<(Protocol, Port)> {
    let protocol = Protocol(u8::try_from(service >> 17).ok()?);
    let port = match service & 0x1_ffff {
        0x1_0000 => Port::Any,
        number => Port::Number(u16::try_from(number).ok()?),
    };
    // What has no ports has one spelling.
    let spelled = Key::service(Mac([0; 6]), protocol, port).port == port;
    spelled.then_some((protocol, port))
}

/// The record of a row with [`COLUMNS`].
pub fn read(row: &Row) -> Option<Record> {
    let id = FlowId(u32::try_from(within(row, 0, value::IDS)?).ok()?);
    let mac = value::mac(within(row, 1, 0..1 << 48)?)?;
    let (protocol, port) = protocol_and_port(within(row, 2, 0..1 << 25)?)?;
    let number = u32::try_from(within(row, 3, 0..value::IDS.end)?).ok()?;
    let destination = destinations::read(row, 4, number)?;
    // A number without a row would widen the flow to any destination.
    if (number == 0) != (destination == Destination::Any) {
        return None;
    }
    let (state, origin) = state_and_origin(within(row, 5, 0..12)?)?;
    Some(Record {
        id,
        key: Key { mac, protocol, port, destination },
        state,
        origin,
        first_seen: Wall { seconds: within(row, 6, value::TIMES)? },
        last_seen: Wall { seconds: within(row, 7, value::TIMES)? },
        connections: u64::try_from(within(row, 8, 0..i64::MAX)?).ok()?,
    })
}

/// Brings the flows of a file into memory, once its devices and destinations are there; returns how many rows
/// made no sense. Decided ones come first, so that `most` cuts off what nobody has decided.
pub fn load(file: &Connection, tables: &Connection, most: usize) -> Result<u32> {
    let mut from = file.prepare(
        "SELECT id, device, service, destination, standing, first_seen, last_seen, aged, connections, decided
         FROM flows ORDER BY standing < 4, id",
    )?;
    let mut into = tables.prepare("INSERT OR IGNORE INTO flows VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?;
    let (mut rows, mut taken, mut skipped) = (from.query([])?, 0, 0u32);
    while let Some(row) = rows.next()? {
        let aged = within(row, 7, 0..1 << 24);
        let new = match (aged, within(row, 0, value::IDS), row.get_ref(8)?.as_i64()) {
            (Some(_), Some(_), Ok(_)) if taken < most && row.get_ref(1)?.as_i64().is_ok() => {
                // A time that makes no sense is left out, and the decision stands.
                let decided = within(row, 9, value::TIMES);
                let known = (0..9).map(|column| value::as_it_is(row, column));
                into.execute(rusqlite::params_from_iter(known.chain([value::number_or_null(decided)])))?
            }
            _ => 0,
        };
        taken += new;
        skipped = skipped.saturating_add(u32::from(new == 0));
    }
    Ok(skipped.saturating_add(drop_nonsense(tables)?))
}

/// Drops from memory what reads back as no record, and what belongs to no device.
fn drop_nonsense(tables: &Connection) -> Result<u32> {
    let mut good = std::collections::BTreeSet::new();
    let mut statement = tables.prepare(&format!("SELECT {COLUMNS} FROM {TABLES}"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        good.extend(read(row).map(|record| i64::from(record.id.0)));
    }
    let mut statement = tables.prepare("SELECT id FROM flows")?;
    let all: Vec<i64> = statement.query_map([], |row| row.get(0))?.collect::<Result<_>>()?;
    let mut dropped = 0u32;
    for id in all.into_iter().filter(|id| !good.contains(id)) {
        tables.execute("DELETE FROM flows WHERE id = ?1", [id])?;
        dropped = dropped.saturating_add(1);
    }
    Ok(dropped)
}

/// A flow by its number.
pub fn get(tables: &Connection, id: FlowId) -> Result<Option<Record>> {
    tables
        .prepare_cached(&format!("SELECT {COLUMNS} FROM {TABLES} WHERE f.id = ?1"))?
        .query_row([id.0], |row| Ok(read(row)))
        .optional()
        .map(Option::flatten)
}

/// The number of the flow with this key.
pub fn find(tables: &Connection, device: i64, key: &Key) -> Result<Option<FlowId>> {
    let Some(destination) = destinations::find(tables, key.destination)? else { return Ok(None) };
    tables
        .prepare_cached("SELECT id FROM flows WHERE device = ?1 AND service = ?2 AND destination = ?3")?
        .query_row(params![device, service(key.protocol, key.port), destination], |row| row.get(0).map(FlowId))
        .optional()
}

/// Where a new flow stands: its device, its destination, and its age.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub device: i64,
    pub destination: i64,
    pub aged: i64,
}

/// Adds a flow whose number and key are new.
pub fn insert(tables: &Connection, due: &mut Due, record: &Record, place: Place) -> Result<()> {
    let id = i64::from(record.id.0);
    let decided = (record.origin == Origin::User).then(|| value::time(record.first_seen));
    tables.prepare_cached("INSERT INTO flows VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?.execute(params![
        id,
        place.device,
        service(record.key.protocol, record.key.port),
        place.destination,
        standing(record.state, record.origin),
        value::time(record.first_seen),
        value::time(record.last_seen),
        place.aged,
        i64::try_from(record.connections).unwrap_or(i64::MAX),
        decided,
    ])?;
    due.flows.mark(id, Kind::New);
    Ok(())
}

/// Counts connections of a flow; nothing happens where it is gone.
pub fn seen(tables: &Connection, due: &mut Due, id: FlowId, seen: &super::Seen, aged: i64) -> Result<()> {
    // The sum stays an integer: 2^62 connections are never reached by counting.
    let counted = tables
        .prepare_cached(
            "UPDATE flows SET last_seen = ?2, aged = ?3, connections = min(connections, 1 << 62) + ?4 WHERE id = ?1",
        )?
        .execute(params![id.0, value::time(seen.at), aged, seen.connections])?;
    if counted > 0 {
        due.flows.mark(i64::from(id.0), Kind::Counted);
    }
    Ok(())
}

/// Decides a flow.
pub fn decide(tables: &Connection, due: &mut Due, id: FlowId, state: State, now: Wall) -> Result<()> {
    tables.prepare_cached("UPDATE flows SET standing = ?2, decided = ?3 WHERE id = ?1")?.execute(params![
        id.0,
        standing(state, Origin::User),
        value::time(now)
    ])?;
    due.flows.mark(i64::from(id.0), Kind::Changed);
    Ok(())
}

/// Removes a flow, and what only it needed.
pub fn remove(tables: &Connection, due: &mut Due, id: FlowId) -> Result<()> {
    let place: Option<(i64, i64)> = tables
        .prepare_cached("DELETE FROM flows WHERE id = ?1 RETURNING device, destination")?
        .query_row([id.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((device, destination)) = place {
        due.flows.mark(i64::from(id.0), Kind::Gone);
        due.deleted = true;
        super::devices::drop_if_idle(tables, due, device)?;
        destinations::drop_if_idle(tables, due, destination)?;
    }
    Ok(())
}

/// Brings one row into the file.
pub fn write(tables: &Connection, file: &Connection, id: i64) -> Result<()> {
    tables.prepare_cached("SELECT * FROM flows WHERE id = ?1")?.query_row([id], |row| {
        file.prepare_cached("INSERT OR REPLACE INTO flows VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?
            .execute(rusqlite::params_from_iter((0..WIDTH).map(|column| value::as_it_is(row, column))))
    })?;
    Ok(())
}

pub fn erase(file: &Connection, id: i64) -> Result<()> {
    file.prepare_cached("DELETE FROM flows WHERE id = ?1")?.execute([id])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_read_back() {
        for (protocol, port) in [
            (Protocol::TCP, Port::Number(443)),
            (Protocol::UDP, Port::Any),
            (Protocol(47), Port::Number(0)),
            (Protocol(255), Port::Number(0)),
            (Protocol::ICMP, Port::Number(8)),
        ] {
            assert_eq!(protocol_and_port(service(protocol, port)), Some((protocol, port)));
        }
    }

    #[test]
    fn what_is_no_service_is_refused() {
        for number in [-1, 6 << 17 | 0x1_0001, 47 << 17 | 80, 47 << 17 | 1 << 16, 1 << 25] {
            assert_eq!(protocol_and_port(number), None, "{number}");
        }
    }

    #[test]
    fn standings_read_back() {
        for state in STATES {
            for origin in ORIGINS {
                assert_eq!(state_and_origin(standing(state, origin)), Some((state, origin)));
            }
        }
        assert_eq!(state_and_origin(77), None);
    }
}
