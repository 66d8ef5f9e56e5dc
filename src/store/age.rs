//! What goes, and in which order: room for new flows, retention, and times taken by a clock that was not set.
//!
//! Ages are hours of uptime (see [`super::life`]), never differences of the wall clock: it may jump to 2033 and back.

use rusqlite::{Result, params};

use super::due::Kind;
use super::{EVICTIONS, Reply, Store, flows, value};
use crate::control::protocol::FlowCounts;
use crate::flow::{FlowId, Now, Record, Wall};

/// Undecided flows looked up at a time, when the oldest must go.
const OLDEST: i64 = 256;

impl Store {
    /// Makes room for a flow that a packet has made, if it takes no more than [`EVICTIONS`] allows; whether there is any.
    pub(super) fn make_room_for_one(&mut self, now: Now) -> Result<bool> {
        let FlowCounts { allowed, pending, denied } = self.counts;
        let most = u64::try_from(self.limits.max_flows).unwrap_or(u64::MAX);
        if allowed + pending + denied < most {
            return Ok(true);
        }
        if pending == 0 || !self.evictions.take(EVICTIONS, now.mono) {
            return Ok(false);
        }
        self.make_room(self.limits.max_flows.saturating_sub(1))
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
    pub(super) fn clock_set(&mut self, jump_seconds: i64, now: Now) -> Result<()> {
        if !now.wall.is_set() {
            return Ok(());
        }
        let unset = Wall::PLAUSIBLE.seconds;
        let jump = jump_seconds.clamp(0, value::TIMES.end);
        let together = self.tables.unchecked_transaction()?;
        let times = [("flows", "first_seen"), ("flows", "last_seen"), ("flows", "decided"), ("devices", "first_seen")];
        for (table, column) in times {
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
}
