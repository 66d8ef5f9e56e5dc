//! How the file follows the tables in memory, and what happens when it cannot.

use std::path::PathBuf;
use std::time::Duration;

use rusqlite::{Connection, Result};

use super::due::Kind;
use super::file::{self, Fault, File, Place};
use super::life::Life;
use super::{Reply, Store, Trouble, destinations, devices, flows, meta};
use crate::flow::{Monotonic, Now};

/// The wait after the first failure; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_secs(10);
const LONGEST_WAIT: Duration = Duration::from_secs(10 * 60);

/// The file, as far as it can be reached.
pub struct Shadow {
    path: PathBuf,
    state: State,
    /// Which file was open last.
    place: Option<Place>,
    /// Set from the first failure until everything is written.
    failure: Option<Failure>,
    /// When everything was last written.
    pub flushed: Monotonic,
    /// The uptime that the file has; `None`: no life at all.
    uptime: Option<i64>,
    /// Transactions that reached the file, and that did not.
    pub commits: u64,
    pub failures: u64,
}

enum State {
    Open(Connection),
    Closed,
    /// There is no file: the store is for reading.
    Detached,
}

struct Failure {
    trouble: Trouble,
    retry: Monotonic,
    wait: Duration,
}

impl Shadow {
    pub fn open(path: PathBuf, file: File, now: Monotonic) -> Shadow {
        let uptime = file.life.map(|life| life.uptime);
        let (state, place) = (State::Open(file.connection), file.place);
        Shadow { path, state, place, failure: None, flushed: now, uptime, commits: 0, failures: 0 }
    }

    pub fn closed(path: PathBuf, reason: &str, now: Monotonic) -> Shadow {
        let trouble = working_in_memory(&path, reason);
        let failure = Some(Failure { trouble, retry: now.after(FIRST_WAIT), wait: FIRST_WAIT });
        Shadow { path, state: State::Closed, place: None, failure, flushed: now, uptime: None, commits: 0, failures: 1 }
    }

    pub fn detached(path: PathBuf, now: Monotonic) -> Shadow {
        let state = State::Detached;
        Shadow { path, state, place: None, failure: None, flushed: now, uptime: None, commits: 0, failures: 0 }
    }

    pub fn trouble(&self) -> Option<&Trouble> {
        self.failure.as_ref().map(|failure| &failure.trouble)
    }

    /// When to try again.
    pub fn retry_at(&self) -> Option<Monotonic> {
        self.failure.as_ref().map(|failure| failure.retry)
    }

    fn put(&mut self, file: File) {
        self.place = file.place;
        self.state = State::Open(file.connection);
    }

    /// Notes a failure; whether there is news in it.
    fn failed(&mut self, reason: &str, now: Monotonic) -> (Trouble, bool) {
        let trouble = working_in_memory(&self.path, reason);
        let (news, wait) = match &self.failure {
            Some(known) => (known.trouble != trouble, known.wait.saturating_mul(2).min(LONGEST_WAIT)),
            None => (true, FIRST_WAIT),
        };
        self.failures += 1;
        self.failure = Some(Failure { trouble: trouble.clone(), retry: now.after(wait), wait });
        // A file system that comes back read-write is only noticed by opening again.
        self.state = State::Closed;
        (trouble, news)
    }
}

fn working_in_memory(path: &std::path::Path, reason: &str) -> Trouble {
    Trouble(format!(
        "{}: {reason}. glacic keeps its flows in memory and tries again; they are lost if it is stopped before that",
        path.display()
    ))
}

impl Store {
    /// Writes everything, counters included.
    pub fn flush(&mut self, now: Now) -> std::result::Result<(), Trouble> {
        // Also after a failure: the next attempt is due when the shadow says so, and writes everything anyway.
        self.shadow.flushed = now.mono;
        self.commit(true, now)
    }

    /// Writes what is due in one transaction: everything, or what does not wait for the flush interval.
    pub(super) fn commit(&mut self, everything: bool, now: Now) -> std::result::Result<(), Trouble> {
        let troubled = self.shadow.failure.is_some();
        match self.try_commit(everything || troubled, now) {
            Ok(()) => {
                if troubled {
                    self.shadow.failure = None;
                    self.news.push(Reply::Recovered);
                }
                Ok(())
            }
            Err(reason) => {
                self.due.doubt();
                let (trouble, news) = self.shadow.failed(&reason, now.mono);
                if news {
                    self.news.push(Reply::Trouble(trouble.clone()));
                }
                Err(trouble)
            }
        }
    }

    fn try_commit(&mut self, everything: bool, now: Now) -> std::result::Result<(), String> {
        match self.shadow.state {
            State::Detached => return Ok(()),
            // Deleted or replaced under our hands: what is written to it now would be lost at the next start.
            State::Open(_) if Place::of(&self.shadow.path) != self.shadow.place => self.reopen()?,
            State::Open(_) => {}
            State::Closed => self.reopen()?,
        }
        match self.write(everything, now) {
            Ok(()) => Ok(()),
            Err(fault) => match file::judge(&fault) {
                Fault::Unreachable(reason) => Err(reason),
                Fault::Unfit(reason) => {
                    self.replace(&reason)?;
                    self.write(true, now).map_err(|fault| fault.to_string())
                }
            },
        }
    }

    fn reopen(&mut self) -> std::result::Result<(), String> {
        self.shadow.state = State::Closed;
        let file = match file::open(&self.shadow.path) {
            Ok(file) => file,
            Err(Fault::Unreachable(reason)) => return Err(reason),
            Err(Fault::Unfit(reason)) => return self.replace(&reason),
        };
        let ours = file.life.filter(|life| life.identity == self.life.identity);
        match (file.life, ours, self.shadow.place) {
            (None, ..) => self.everything_is_new().map_err(|fault| fault.to_string())?,
            (Some(_), None, Some(place)) if file.place.is_some_and(|found| !found.is_beside(place)) => {
                return Err(
                    "another file system was mounted there, with a database: restart glacic to use it".to_owned()
                );
            }
            (Some(_), _, Some(place)) if file.place != Some(place) => {
                drop(file);
                return self.replace("was put in the place of the one in use");
            }
            (_, Some(life), _) => self.shadow.uptime = Some(life.uptime),
            // Two lives cannot be merged: their numbers mean different flows.
            (Some(_), None, _) => {
                return Err("it could not be read at start, and now it can: restart glacic to use it".to_owned());
            }
        }
        self.shadow.put(file);
        Ok(())
    }

    /// Moves a file that is damaged out of the way, and starts a new one.
    fn replace(&mut self, reason: &str) -> std::result::Result<(), String> {
        // Closed first: what SQLite has in memory must not reach the file under its new name.
        self.shadow.state = State::Closed;
        let aside = file::move_aside(&self.shadow.path)
            .map_err(|fault| format!("it {reason} and cannot be moved aside ({fault})"))?;
        log::error!("{} {reason}; it was moved to {}", self.shadow.path.display(), aside.display());
        self.news.push(Reply::MovedAside(aside));
        let file = file::open(&self.shadow.path).map_err(|fault| match fault {
            Fault::Unreachable(reason) | Fault::Unfit(reason) => reason,
        })?;
        self.everything_is_new().map_err(|fault| fault.to_string())?;
        self.shadow.put(file);
        Ok(())
    }

    fn everything_is_new(&mut self) -> Result<()> {
        self.due.forget();
        self.shadow.uptime = None;
        for (table, rows) in [
            ("flows", &mut self.due.flows),
            ("devices", &mut self.due.devices),
            ("destinations", &mut self.due.destinations),
        ] {
            let mut statement = self.tables.prepare(&format!("SELECT id FROM {table}"))?;
            let ids = statement.query_map([], |row| row.get(0))?;
            for id in ids {
                rows.mark(id?, Kind::New);
            }
        }
        self.due.meta.extend(self.meta.keys().cloned());
        Ok(())
    }

    fn write(&mut self, everything: bool, now: Now) -> Result<()> {
        let State::Open(file) = &self.shadow.state else { return Ok(()) };
        let uptime = self.life.seconds(self.opened, now.mono);
        let hour_passed = self.shadow.uptime.is_none_or(|known| uptime / 3600 > known / 3600);
        let lives = everything || hour_passed || self.due.deleted;
        let transaction = file.unchecked_transaction()?;
        let (tables, due) = (&self.tables, &self.due);
        for (id, kind) in due.devices.each(everything) {
            if kind == Kind::Gone { devices::erase(file, id) } else { devices::write(tables, file, id) }?;
        }
        for (id, kind) in due.destinations.each(everything) {
            if kind == Kind::Gone { destinations::erase(file, id) } else { destinations::write(tables, file, id) }?;
        }
        for (id, kind) in due.flows.each(everything) {
            if kind == Kind::Gone { flows::erase(file, id) } else { flows::write(tables, file, id) }?;
        }
        for key in &due.meta {
            meta::write(&self.meta, file, key)?;
        }
        if lives {
            Life { uptime, next_id: i64::from(self.next_id), ..self.life }.write(file)?;
        }
        transaction.commit()?;
        self.shadow.commits += 1;
        if everything || self.due.meta_presses {
            self.spare.follow(&self.meta);
        }
        self.due.written(everything);
        if lives {
            self.shadow.uptime = Some(uptime);
        }
        Ok(())
    }
}
