//! The store itself: flows and devices in memory, and what becomes of each request.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rusqlite::{Connection, Result, params};

use super::due::{Due, Kind};
use super::life::Life;
use super::shadow::Shadow;
use super::{BATCH_WAIT, Device, Limits, Reply, Request, Seen, destinations, devices, flows, value};
use crate::control::protocol::FlowCounts;
use crate::flow::{FlowId, Key, Monotonic, Now, Record, State};

/// Names from elsewhere that are kept.
const MAX_NAMES: usize = 4096;

/// Undecided flows looked up at a time, when the oldest must go.
const OLDEST: i64 = 256;

/// Flows and devices, without the thread: every request is answered at once.
pub struct Store {
    pub(super) tables: Connection,
    pub(super) due: Due,
    pub(super) shadow: Shadow,
    pub(super) limits: Limits,
    pub(super) counts: FlowCounts,
    pub(super) meta: BTreeMap<String, String>,
    /// As it was when the store was opened.
    pub(super) life: Life,
    pub(super) opened: Monotonic,
    /// The first number that no flow ever had.
    pub(super) next_id: u32,
    /// Undecided flows, the oldest first, with their age when they were looked up.
    pub(super) oldest: VecDeque<(FlowId, i64)>,
    /// What is to be said when the request is done.
    pub(super) news: Vec<Reply>,
}

impl Store {
    /// Shows every flow with its zone, in the order of their numbers.
    pub fn each(&self, show: impl FnMut(&Record, Option<&str>)) {
        logged(self.try_each(show));
    }

    fn try_each(&self, mut show: impl FnMut(&Record, Option<&str>)) -> Result<()> {
        let (columns, tables) = (flows::COLUMNS, flows::TABLES);
        let mut statement = self.tables.prepare(&format!("SELECT {columns}, d.zone FROM {tables} ORDER BY f.id"))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if let Some(record) = flows::read(row) {
                show(&record, row.get::<_, Option<String>>(9)?.as_deref());
            }
        }
        Ok(())
    }

    /// Shows every device, in the order of their addresses.
    pub fn each_device(&self, show: impl FnMut(&Device)) {
        logged(devices::each(&self.tables, show));
    }

    /// Carries out one request. Replies come in the order in which they are handed to `reply`.
    pub fn handle(&mut self, request: Request, now: Now, reply: &mut dyn FnMut(Reply)) {
        match request {
            Request::Find { key } => {
                let record = logged(self.find(&key)).flatten();
                reply(Reply::Found { key, record });
            }
            Request::Insert { record, zone } => {
                logged(self.insert(&record, zone.as_deref(), now));
            }
            Request::Seen(seen) => {
                logged(self.seen(&seen, now));
            }
            Request::Decide { ticket, selection, decision, fresh } => {
                let result = self.decide(&selection, decision, fresh, now);
                reply(Reply::Decided { ticket, result });
            }
            Request::List { ticket, query } => reply(Reply::Listed { ticket, result: self.list(&query, now.wall) }),
            Request::Get { ticket, id } => reply(Reply::Got { ticket, result: self.get(id) }),
            Request::Devices { ticket, offset, limit } => {
                reply(Reply::Devices { ticket, result: self.devices(offset, limit) });
            }
            Request::DeviceSet { ticket, device, name, mode } => {
                let result = self.device_set(&device, name.as_deref(), mode, now);
                reply(Reply::DeviceSet { ticket, result });
            }
            Request::Names(names) => {
                logged(self.names(&names));
            }
            Request::Decisions { ticket } => self.decisions(ticket, reply),
            Request::Meta { key, value, soon } => {
                match value {
                    Some(value) => self.meta.insert(key.clone(), value),
                    None => self.meta.remove(&key),
                };
                self.due.meta.insert(key);
                self.due.meta_presses |= soon;
            }
            Request::ClockSet { jump_seconds } => {
                logged(self.clock_set(jump_seconds, now));
            }
            Request::Limits(limits) => {
                self.limits = limits;
                logged(self.make_room(limits.max_flows));
            }
            Request::Flush => {
                // The reason is said by `Reply::Trouble`.
                let _ = self.flush(now);
            }
        }
        self.due.note(now.mono);
        self.news.drain(..).for_each(reply);
    }

    /// Does what is due by now: commits, counters, retention, another attempt after a failure.
    pub fn tick(&mut self, now: Now, reply: &mut dyn FnMut(Reply)) {
        if now.mono >= self.shadow.flushed.after(self.limits.flush_interval) {
            logged(self.retire(now));
            let _ = self.flush(now);
        } else if self.idle_for(now).is_zero() {
            let _ = self.commit(self.shadow.trouble().is_some(), now);
        }
        self.news.drain(..).for_each(reply);
    }

    /// How long until [`Store::tick`] has something to do.
    pub fn idle_for(&self, now: Now) -> Duration {
        let flush = self.shadow.flushed.after(self.limits.flush_interval);
        let next = match (self.shadow.retry_at(), self.due.since) {
            (Some(retry), _) => retry.min(flush),
            (None, Some(since)) => since.after(BATCH_WAIT).min(flush),
            (None, None) => flush,
        };
        next.since(now.mono)
    }

    pub(super) fn find(&self, key: &Key) -> Result<Option<Record>> {
        let Some(device) = devices::find(&self.tables, key.mac)? else { return Ok(None) };
        match flows::find(&self.tables, device, key)? {
            Some(id) => flows::get(&self.tables, id),
            None => Ok(None),
        }
    }

    fn insert(&mut self, record: &Record, zone: Option<&str>, now: Now) -> Result<()> {
        if let Some(known) = self.find(&record.key)? {
            self.news.push(Reply::Found { key: record.key, record: Some(known) });
            return Ok(());
        }
        // A number that was given before would change another flow's row.
        let numbered = value::IDS.contains(&i64::from(record.id.0)) && flows::get(&self.tables, record.id)?.is_none();
        if !numbered || !self.make_room(self.limits.max_flows.saturating_sub(1))? || !self.add(record, zone, now)? {
            self.news.push(Reply::Full { key: record.key });
        }
        Ok(())
    }

    /// Adds a flow where there is room. `false`: it is bound to a name that is not known.
    pub(super) fn add(&mut self, record: &Record, zone: Option<&str>, now: Now) -> Result<bool> {
        let (tables, due) = (&self.tables, &mut self.due);
        let Some(destination) = destinations::number(tables, due, record.key.destination)? else { return Ok(false) };
        let device = devices::number(tables, due, record.key.mac, zone, record.first_seen)?;
        let aged = self.life.hours(self.opened, now.mono);
        flows::insert(&self.tables, &mut self.due, record, flows::Place { device, destination, aged })?;
        self.next_id = self.next_id.max(record.id.0.saturating_add(1));
        *self.count(record.state) += 1;
        Ok(true)
    }

    fn seen(&mut self, seen: &[Seen], now: Now) -> Result<()> {
        let aged = self.life.hours(self.opened, now.mono);
        let together = self.tables.unchecked_transaction()?;
        for seen in seen {
            flows::seen(&self.tables, &mut self.due, seen, aged)?;
        }
        together.commit()
    }

    pub(super) fn count(&mut self, state: State) -> &mut u64 {
        match state {
            State::Pending => &mut self.counts.pending,
            State::Allowed => &mut self.counts.allowed,
            State::Denied => &mut self.counts.denied,
        }
    }

    /// Removes a flow.
    pub(super) fn forget(&mut self, record: &Record) -> Result<()> {
        flows::remove(&self.tables, &mut self.due, record.id)?;
        let count = self.count(record.state);
        *count = count.saturating_sub(1);
        Ok(())
    }

    /// Lets the oldest undecided flows go until at most `room` flows are left; whether that was possible.
    pub(super) fn make_room(&mut self, room: usize) -> Result<bool> {
        let mut gone = Vec::new();
        let room = u64::try_from(room).unwrap_or(u64::MAX);
        let possible = loop {
            let FlowCounts { allowed, pending, denied } = self.counts;
            if allowed + pending + denied <= room {
                break true;
            }
            let Some(record) = self.oldest_undecided()? else { break false };
            self.forget(&record)?;
            gone.push(record);
        };
        if !gone.is_empty() {
            self.news.push(Reply::Forgotten(gone));
        }
        Ok(possible)
    }

    /// The undecided flow that was not seen for the longest time, by hours of uptime and then by number. They are
    /// looked up many at a time: under a flood every new flow asks for one.
    fn oldest_undecided(&mut self) -> Result<Option<Record>> {
        loop {
            if self.counts.pending == 0 {
                return Ok(None);
            }
            if self.oldest.is_empty() {
                let mut statement = self
                    .tables
                    .prepare_cached("SELECT id, aged FROM flows WHERE standing < 4 ORDER BY aged, id LIMIT ?1")?;
                let found = statement.query_map([OLDEST], |row| Ok((FlowId(row.get(0)?), row.get(1)?)))?;
                self.oldest = found.collect::<Result<_>>()?;
            }
            let Some((id, aged)) = self.oldest.pop_front() else { return Ok(None) };
            let same: bool = self
                .tables
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM flows WHERE id = ?1 AND aged = ?2 AND standing < 4)")?
                .query_row(params![id.0, aged], |row| row.get(0))?;
            if same {
                return flows::get(&self.tables, id);
            }
        }
    }

    /// Drops undecided flows that were not seen for the retention time, by the clock of [`super::life`].
    pub(super) fn retire(&mut self, now: Now) -> Result<()> {
        let keep = i64::try_from(self.limits.retention.as_secs().div_ceil(3600)).unwrap_or(i64::MAX);
        let before = self.life.hours(self.opened, now.mono).saturating_sub(keep);
        let old: Vec<FlowId> = self
            .tables
            .prepare_cached("SELECT id FROM flows WHERE standing < 4 AND aged < ?1")?
            .query_map([before], |row| row.get(0).map(FlowId))?
            .collect::<Result<_>>()?;
        let mut gone = Vec::new();
        for id in old {
            if let Some(record) = flows::get(&self.tables, id)? {
                self.forget(&record)?;
                gone.push(record);
            }
        }
        if !gone.is_empty() {
            self.news.push(Reply::Forgotten(gone));
        }
        Ok(())
    }

    /// Moves times taken before the clock was set; none of them ends up later than now. Their order survives.
    fn clock_set(&mut self, jump_seconds: i64, now: Now) -> Result<()> {
        if !now.wall.is_set() {
            return Ok(());
        }
        let unset = crate::flow::Wall::PLAUSIBLE.seconds;
        let jump = jump_seconds.clamp(0, value::TIMES.end);
        let together = self.tables.unchecked_transaction()?;
        for (table, column) in [("flows", "first_seen"), ("flows", "last_seen"), ("devices", "first_seen")] {
            let mended = self
                .tables
                .prepare(&format!(
                    "UPDATE {table} SET {column} = min({column} + ?1, ?2) WHERE {column} < ?3 RETURNING id"
                ))?
                .query_map(params![jump, value::time(now.wall), unset], |row| row.get(0))?
                .collect::<Result<Vec<i64>>>()?;
            let rows = if table == "flows" { &mut self.due.flows } else { &mut self.due.devices };
            mended.into_iter().for_each(|id| rows.mark(id, Kind::Counted));
        }
        together.commit()
    }

    fn names(&mut self, names: &[(crate::flow::Mac, String)]) -> Result<()> {
        let together = self.tables.unchecked_transaction()?;
        self.tables.execute("DELETE FROM names", [])?;
        // What a device calls itself is shown to people: no escape sequences, no novels.
        let fit = |name: &str| !name.is_empty() && name.len() <= 255 && !name.contains(char::is_control);
        for (mac, name) in names.iter().filter(|(_, name)| fit(name)).take(MAX_NAMES) {
            self.tables
                .prepare_cached("INSERT OR REPLACE INTO names VALUES (?1, ?2)")?
                .execute(params![mac.to_u64() as i64, name])?;
        }
        together.commit()
    }
}

/// The tables in memory fail only where memory ends: said, and gone on without.
pub(super) fn logged<T>(result: Result<T>) -> Option<T> {
    result.map_err(|fault| log::error!("the database in memory: {fault}")).ok()
}
