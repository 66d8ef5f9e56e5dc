//! Opening: from a file, from a copy of one that cannot be written, or from nothing.
//!
//! | at the path | flows | the owner's word |
//! |---|---|---|
//! | nothing | none | none: whoever removed it wants to begin anew |
//! | a database of ours | its own | its own |
//! | one that is damaged or foreign (it is moved aside), that was never written to, or that cannot be read | none | the spare copy's |
//!
//! A new file is written at once: from then on it has a life, and says by itself what was known when it was made.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::{fs, io};

use rusqlite::{Connection, Result};

use super::book::logged;
use super::due::Due;
use super::file::{self, Copy, Fault, File};
use super::life::Life;
use super::shadow::Shadow;
use super::spare::Spare;
use super::{Limits, Opened, Store, Trouble, destinations, devices, flows, meta, schema, value};
use crate::control::protocol::FlowCounts;
use crate::engine::limit::Bucket;
use crate::flow::{FlowId, Now};

/// Rows of a file that are brought into memory, for each flow that the limit allows: it may have been lowered, and
/// no decision of the owner is left out because of that.
const ROWS_PER_FLOW: usize = 4;

/// Opens the database at `path`. Never fails: a file that is damaged or not glacic's is moved aside, a missing
/// directory is made, and where nothing can be written the store works in memory and says so.
pub fn open(path: &Path, limits: Limits, now: Now) -> Opened {
    let was_there = !matches!(fs::symlink_metadata(path), Err(fault) if fault.kind() == io::ErrorKind::NotFound);
    let mut moved_aside = None;
    let mut opened = load(path, limits);
    if let Err(Fault::Unfit(reason)) = &opened {
        match file::move_aside(path) {
            Ok(aside) => {
                log::error!("{} {reason}; it was moved to {}", path.display(), aside.display());
                moved_aside = Some(aside);
                opened = load(path, limits);
            }
            Err(fault) => {
                opened = Err(Fault::Unreachable(format!("it {reason} and cannot be moved aside ({fault})")));
            }
        }
    }
    let (loaded, shadow) = match opened {
        Ok((file, loaded)) => (loaded, Shadow::open(path.to_owned(), file, now.mono)),
        Err(Fault::Unreachable(reason) | Fault::Unfit(reason)) => {
            // What cannot be written can perhaps be read.
            let loaded = Copy::of(path).and_then(|copy| Loaded::from(&copy.file, limits));
            (loaded.unwrap_or_else(|_| Loaded::nothing()), Shadow::closed(path.to_owned(), &reason, now.mono))
        }
    };
    let (skipped, lived) = (loaded.skipped, loaded.lived);
    let mut store = loaded.into_store(shadow, Spare::of(path), limits, now);
    if was_there && !lived {
        store.meta = store.spare.kept();
        store.due.meta.extend(store.meta.keys().cloned());
    }
    if !lived && store.shadow.trouble().is_none() {
        // What fails is in the shadow's trouble.
        let _ = store.flush(now);
    }
    let trouble = store.shadow.trouble().cloned();
    logged(store.retire(now));
    logged(store.make_room(limits.max_flows));
    store.due.note(now.mono);
    // Nobody knows these flows yet: there is nobody to tell that they are gone.
    store.news.clear();
    Opened {
        next_id: FlowId(store.next_id),
        counts: store.counts,
        meta: store.meta.clone(),
        store,
        skipped,
        unread: was_there && !lived && trouble.is_some() && moved_aside.is_none(),
        moved_aside,
        trouble,
    }
}

fn load(path: &Path, limits: Limits) -> std::result::Result<(File, Loaded), Fault> {
    let file = file::open(path)?;
    let loaded = Loaded::from(&file, limits)?;
    Ok((file, loaded))
}

/// Reads the database at `path` for a look while no daemon runs. The file itself is not touched: a copy is opened.
pub fn read_copy(path: &Path, now: Now) -> std::result::Result<Store, Trouble> {
    let limits =
        Limits { max_flows: usize::MAX, retention: std::time::Duration::MAX, flush_interval: std::time::Duration::MAX };
    let loaded = Copy::of(path).and_then(|copy| Loaded::from(&copy.file, limits)).map_err(|fault| match fault {
        Fault::Unfit(reason) => Trouble(format!("{} {reason}", path.display())),
        Fault::Unreachable(reason) => Trouble(format!("{}: {reason}", path.display())),
    })?;
    Ok(loaded.into_store(Shadow::detached(PathBuf::from(path), now.mono), Spare::of(path), limits, now))
}

/// What came out of a file.
struct Loaded {
    tables: Connection,
    life: Life,
    /// Whether the life is the file's.
    lived: bool,
    meta: BTreeMap<String, String>,
    skipped: u32,
}

impl Loaded {
    fn nothing() -> Loaded {
        let tables = schema::in_memory().expect("SQLite makes tables in memory unless there is none left");
        Loaded { tables, life: Life::new(), lived: false, meta: BTreeMap::new(), skipped: 0 }
    }

    fn from(file: &File, limits: Limits) -> std::result::Result<Loaded, Fault> {
        let mut loaded = Loaded::nothing();
        loaded.lived = file.life.is_some();
        loaded.life = file.life.unwrap_or(loaded.life);
        let most = limits.max_flows.saturating_mul(ROWS_PER_FLOW);
        loaded.fill(&file.connection, most).map_err(|fault| file::judge(&fault))?;
        Ok(loaded)
    }

    fn fill(&mut self, file: &Connection, most: usize) -> Result<()> {
        let together = self.tables.unchecked_transaction()?;
        self.skipped += devices::load(file, &self.tables, most)?;
        self.skipped += destinations::load(file, &self.tables, most)?;
        self.skipped += flows::load(file, &self.tables, most)?;
        // An age that lies ahead would keep a flow for ever.
        self.tables.execute("UPDATE flows SET aged = min(aged, ?1)", [self.life.uptime / 3600])?;
        together.commit()?;
        let (kept, skipped) = meta::read(file)?;
        self.meta = kept;
        self.skipped += skipped;
        Ok(())
    }

    fn into_store(self, shadow: Shadow, spare: Spare, limits: Limits, now: Now) -> Store {
        let Loaded { tables, life, meta, .. } = self;
        let highest = |table: &str| -> i64 {
            logged(tables.query_row(&format!("SELECT ifnull(max(id), 0) FROM {table}"), [], |row| row.get(0)))
                .unwrap_or(0)
        };
        let due = Due { last_device: highest("devices"), last_destination: highest("destinations"), ..Due::default() };
        let next_id = life.next_id.max(highest("flows") + 1).min(value::IDS.end);
        let counts = logged(count(&tables)).unwrap_or_default();
        Store {
            tables,
            due,
            shadow,
            limits,
            counts,
            meta,
            life,
            opened: now.mono,
            next_id: u32::try_from(next_id).unwrap_or(u32::MAX),
            oldest: VecDeque::new(),
            spare,
            evictions: Bucket::full(now.mono),
            news: Vec::new(),
        }
    }
}

fn count(tables: &Connection) -> Result<FlowCounts> {
    tables.query_row(
        "SELECT count(*) FILTER (WHERE standing >> 2 = 1), count(*) FILTER (WHERE standing >> 2 = 0),
                count(*) FILTER (WHERE standing >> 2 = 2) FROM flows",
        [],
        |row| {
            let number = |column| row.get::<_, i64>(column).map(|count| count.unsigned_abs());
            Ok(FlowCounts { allowed: number(0)?, pending: number(1)?, denied: number(2)? })
        },
    )
}
