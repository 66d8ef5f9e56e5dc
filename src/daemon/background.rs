//! The thread for what the event loop must not do itself: reading files (also the kernel's), and asking fw4 for its zones.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, SyncSender};
use std::thread::{self, JoinHandle};

use super::house::QueueCounts;
use super::names::{ETHERS, LEASES, ethers, leases};
use super::poll::Waker;
use crate::config::{self, Settings};
use crate::firewall::{Guarded, Module, Tools, modules, offload, zones};
use crate::flow::Mac;
use crate::intercept::queue::counters;
use crate::netlink::conntrack::Conntrack;
use crate::netlink::flowtables;

/// The largest file of names that is read, in bytes.
const MAX_NAMES: u64 = 1024 * 1024;

/// What can be asked of the thread.
#[derive(Debug)]
pub enum Task {
    /// Read the configuration again; this is guarded until now.
    Reload(Vec<Guarded>),
    /// Look up again which interfaces are guarded: one has come or gone.
    Resolve(Asked, Vec<Guarded>),
    /// Read what the kernel shows of these queues.
    Queues(Vec<u16>),
    /// Look what is beside glacic in this kernel.
    Look,
    /// Look what the router has of a module that the kernel lacks.
    Module(Module),
    /// Read the names of devices; these, the owner's own, come first.
    Names(Vec<(Mac, String)>),
}

/// What it found.
#[derive(Debug)]
pub enum News {
    Config(Box<Resolved>),
    /// The interfaces that are guarded now, and what cannot be.
    Guarded {
        asked: Asked,
        interfaces: Interfaces,
    },
    /// The configuration cannot be used; one line a problem.
    Refused(String),
    Names(Vec<(Mac, String)>),
    Queues(QueueCounts),
    Beside(Beside),
    /// What can be done about a module that is missing.
    Module(Module, String),
}

/// What is beside glacic in this kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// What is to be told about flow offload.
    pub offload: Option<String>,
    /// Whether connections can be ended.
    pub conntrack: bool,
}

/// What was to be guarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    zones: Vec<String>,
    interfaces: Vec<String>,
}

impl Asked {
    pub fn of(settings: &Settings) -> Asked {
        Asked { zones: settings.zones.clone(), interfaces: settings.interfaces.clone() }
    }
}

/// What of it is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interfaces {
    pub guarded: Vec<Guarded>,
    /// What cannot be guarded, and why.
    pub warnings: Vec<String>,
    /// Not everything could be found out: it is to be looked up again.
    pub unsure: bool,
}

/// Settings, and what they mean on this router.
#[derive(Debug, Clone)]
pub struct Resolved {
    pub settings: Settings,
    pub interfaces: Interfaces,
    /// What is unwise about the settings.
    pub problems: Vec<String>,
}

/// The way to the thread. Dropping it ends the thread after the task at hand.
pub struct Background {
    tasks: SyncSender<Task>,
    thread: JoinHandle<()>,
}

impl Background {
    pub fn start(config: PathBuf, tools: Tools, news: SyncSender<News>, waker: Waker) -> std::io::Result<Background> {
        let (tasks, inbox) = mpsc::sync_channel(8);
        let thread = thread::Builder::new().name("background".to_owned()).stack_size(256 * 1024).spawn(move || {
            for task in inbox {
                let found = match task {
                    Task::Reload(before) => match read_config(&config, &before, &tools) {
                        Ok(resolved) => News::Config(Box::new(resolved)),
                        Err(problems) => News::Refused(problems),
                    },
                    Task::Resolve(asked, before) => {
                        let interfaces = resolve(&asked, &before, &tools);
                        News::Guarded { asked, interfaces }
                    }
                    Task::Queues(numbers) => News::Queues(queues(&numbers)),
                    Task::Names(own) => News::Names(names(own)),
                    Task::Look => News::Beside(beside(&tools)),
                    Task::Module(module) => News::Module(module, modules::told(module, &modules::look(module))),
                };
                if news.send(found).is_err() {
                    return;
                }
                waker.wake();
            }
        })?;
        Ok(Background { tasks, thread })
    }

    /// Hands over a task; `false`: too many wait.
    pub fn ask(&self, task: Task) -> bool {
        self.tasks.try_send(task).is_ok()
    }

    /// Whether the thread is no more.
    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }
}

#[cfg(test)]
impl Background {
    /// The way to a thread that is not there: whoever holds the other end plays it.
    pub fn to_nobody() -> (Background, mpsc::Receiver<Task>) {
        let (tasks, inbox) = mpsc::sync_channel(8);
        (Background { tasks, thread: thread::spawn(|| ()) }, inbox)
    }
}

/// Reads the configuration and finds out what it means here. The error is its problems, one a line.
pub fn read_config(path: &Path, before: &[Guarded], tools: &Tools) -> Result<Resolved, String> {
    let name = path.display().to_string();
    let outcome = match &tools.steward {
        Some(steward) => steward.settings().map(|text| config::read(&text, &name)),
        None => config::load(path),
    };
    let outcome = outcome.map_err(|error| format!("{name}: {error}"))?;
    let lines: Vec<String> = outcome.lines().collect();
    let warning = |problem: &&config::Problem| problem.severity == config::Severity::Warning;
    let say = |problem: &config::Problem| {
        format!("{}:{}:{}: {}", outcome.file, problem.line, problem.column, problem.message)
    };
    let problems = outcome.problems.iter().filter(warning).map(say).collect();
    match outcome.settings {
        Some(settings) => {
            let interfaces = resolve(&Asked::of(&settings), before, tools);
            Ok(Resolved { settings, interfaces, problems })
        }
        None => Err(lines.join("\n")),
    }
}

fn resolve(asked: &Asked, before: &[Guarded], tools: &Tools) -> Interfaces {
    let zones::Found { guarded, refused, notes, unsure } = zones::find(&asked.zones, &asked.interfaces, before, tools);
    let warnings = refused.iter().map(ToString::to_string).chain(notes).collect();
    Interfaces { guarded, warnings, unsure }
}

fn beside(tools: &Tools) -> Beside {
    let flowtables = flowtables::flowtables().unwrap_or_default();
    let flowtables: Vec<offload::Found> = flowtables
        .into_iter()
        .map(|found| offload::Found {
            table: format!("{} {}", found.family.name(), found.table),
            name: found.name,
            hardware: found.hardware,
        })
        .collect();
    let missing = |error| super::lacks::missing(&error) == Some(Module::Conntrack);
    Beside {
        offload: offload::told(&tools.firewall_config().unwrap_or_default(), &flowtables),
        conntrack: !Conntrack::open().and_then(|mut conntrack| conntrack.probe()).is_err_and(missing),
    }
}

fn queues(numbers: &[u16]) -> QueueCounts {
    let mut counts = QueueCounts::default();
    for counters in numbers.iter().filter_map(|number| counters(*number)) {
        counts.dropped += u64::from(counters.queue_dropped);
        counts.user_dropped += u64::from(counters.user_dropped);
    }
    counts
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
