//! The thread for what the event loop must not do itself: reading files, and asking fw4 for its zones.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, SyncSender};
use std::thread;

use super::names::{ETHERS, LEASES, ethers, leases};
use super::poll::Waker;
use crate::config::{self, Settings};
use crate::firewall::{Guarded, Tools, zones};
use crate::flow::Mac;

/// The largest file of names that is read, in bytes.
const MAX_NAMES: u64 = 1024 * 1024;

/// What can be asked of the thread.
#[derive(Debug)]
pub enum Task {
    /// Read the configuration again.
    Reload,
    /// Look up again which interfaces are guarded: one has come or gone.
    Resolve(Box<Settings>),
    /// Read the names of devices; these, the owner's own, come first.
    Names(Vec<(Mac, String)>),
}

/// What it found.
#[derive(Debug)]
pub enum News {
    Config(Box<Resolved>),
    /// The configuration cannot be used; one line a problem.
    Refused(String),
    Names(Vec<(Mac, String)>),
}

/// Settings, and what they mean on this router.
#[derive(Debug, Clone)]
pub struct Resolved {
    pub settings: Settings,
    pub guarded: Vec<Guarded>,
    /// What is unwise about the settings, or cannot be guarded.
    pub warnings: Vec<String>,
}

/// The way to the thread. Dropping it ends the thread after the task at hand.
pub struct Background {
    tasks: SyncSender<Task>,
}

impl Background {
    pub fn start(config: PathBuf, tools: Tools, news: SyncSender<News>, waker: Waker) -> std::io::Result<Background> {
        // More than eight tasks at once are the same ones again.
        let (tasks, inbox) = mpsc::sync_channel(8);
        thread::Builder::new().name("background".to_owned()).stack_size(256 * 1024).spawn(move || {
            for task in inbox {
                let found = match task {
                    Task::Reload => read_config(&config, &tools),
                    Task::Resolve(settings) => News::Config(Box::new(resolve(*settings, Vec::new(), &tools))),
                    Task::Names(own) => News::Names(names(own)),
                };
                if news.send(found).is_err() {
                    return;
                }
                waker.wake();
            }
        })?;
        Ok(Background { tasks })
    }

    /// Hands over a task; one that does not fit is one that is waiting already.
    pub fn ask(&self, task: Task) {
        let _ = self.tasks.try_send(task);
    }
}

/// Reads the configuration and finds out what it means here.
pub fn read_config(path: &Path, tools: &Tools) -> News {
    let outcome = match config::load(path) {
        Ok(outcome) => outcome,
        Err(error) => return News::Refused(format!("{}: {error}", path.display())),
    };
    let lines: Vec<String> = outcome.lines().collect();
    match outcome.settings {
        Some(settings) => News::Config(Box::new(resolve(settings, lines, tools))),
        None => News::Refused(lines.join("\n")),
    }
}

fn resolve(settings: Settings, mut warnings: Vec<String>, tools: &Tools) -> Resolved {
    let found = zones::resolve(&settings, tools);
    warnings.extend(found.warnings);
    Resolved { settings, guarded: found.guarded, warnings }
}

/// Names from all sources; of several for one device the first counts: the owner's, /etc/ethers, the lease.
fn names(own: Vec<(Mac, String)>) -> Vec<(Mac, String)> {
    let mut names: BTreeMap<Mac, String> = BTreeMap::new();
    let leased = text(LEASES);
    let etched = text(ETHERS);
    for (mac, name) in own.into_iter().chain(ethers(&etched)).chain(leases(&leased)) {
        names.entry(mac).or_insert(name);
    }
    names.into_iter().collect()
}

/// A file's text as far as it is text; a file that is not there has none.
fn text(path: &str) -> String {
    let mut bytes = Vec::new();
    match File::open(path).and_then(|file| file.take(MAX_NAMES).read_to_end(&mut bytes)) {
        Ok(_) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => String::new(),
    }
}
