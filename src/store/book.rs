//! The store itself: flows and devices in memory, and what becomes of each request.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rusqlite::{Connection, Result, params};

use super::due::Due;
use super::life::Life;
use super::shadow::Shadow;
use super::spare::Spare;
use super::{BATCH_WAIT, Device, Limits, Reply, Request, Seen, Status, When, destinations, devices, flows, value};
use crate::control::protocol::FlowCounts;
use crate::engine::limit::Bucket;
use crate::flow::{FlowId, Key, Monotonic, Now, Record, State};

/// Names from elsewhere that are kept.
const MAX_NAMES: usize = 4096;

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
    /// Where what is in `meta` is kept once more.
    pub(super) spare: Spare,
    /// How many more undecided flows may be pushed out by new ones.
    pub(super) evictions: Bucket,
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
            Request::Devices { ticket, query, modes } => {
                reply(Reply::Devices { ticket, result: self.devices(&query, &modes) });
            }
            Request::DeviceSet { ticket, device, name, mode } => {
                let result = self.device_set(&device, name.as_deref(), mode, now);
                reply(Reply::DeviceSet { ticket, result });
            }
            Request::Names(names) => {
                logged(self.names(&names));
            }
            Request::Decisions { ticket } => self.decisions(ticket, reply),
            Request::Status { ticket } => reply(Reply::Status { ticket, status: self.status() }),
            Request::Meta { key, value, when } => {
                match value {
                    Some(value) => self.meta.insert(key.clone(), value),
                    None => self.meta.remove(&key),
                };
                self.due.meta.insert(key);
                self.due.meta_presses |= when != When::Later;
                if let When::Now { ticket } = when {
                    reply(Reply::Kept { ticket, saved: self.commit(false, now) });
                }
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

    fn status(&self) -> Status {
        let devices = self.tables.query_row("SELECT count(*) FROM devices", [], |row| row.get::<_, i64>(0));
        Status {
            flows: self.counts,
            devices: logged(devices).unwrap_or_default().unsigned_abs(),
            commits: self.shadow.commits,
            failures: self.shadow.failures,
        }
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
        if !numbered || !self.make_room_for_one(now)? || !self.add(record, zone, now)? {
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
            let Some(device) = devices::find(&self.tables, seen.key.mac)? else { continue };
            if let Some(id) = flows::find(&self.tables, device, &seen.key)? {
                flows::seen(&self.tables, &mut self.due, id, seen, aged)?;
            }
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
