//! From a command line to a living house, and what is said when it cannot be built.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use log::LevelFilter;

use super::activity::Record;
use super::background::{Background, read_config};
use super::chronicle::Chronicle;
use super::clock;
use super::confine;
use super::control::Control;
use super::errands::Errands;
use super::held::Lobby;
use super::house::{Due, House, QueueCounts, StoreLink, store_limits};
use super::kernel::Kernel;
use super::learning::{KEPT_AS, Learning};
use super::logger::{self, Target};
use super::names::Names;
use super::poll;
use super::replies::moved_aside;
use super::signals::Signals;
use super::sources::Sources;
use super::warnings::{Subject, Warnings};
use crate::control::protocol::{Confinement, Stats};
use crate::engine::{Engine, Policy};
use crate::firewall::{self, Tools};
use crate::flow::DeviceMode;
use crate::store;

/// How long the kernel and then the store may take when the daemon leaves: together less than procd waits (`term_timeout`
/// of the init script). Each is done in a moment; a slow flash, or a kernel in trouble, is worth the wait.
pub const STOP_KERNEL: Duration = Duration::from_secs(4);
pub const STOP_STORE: Duration = Duration::from_secs(4);

/// Reports and news that wait for the loop. A sender that finds the line full waits; the loop never does.
const LINE: usize = 64;

const LEARNS_AFRESH: &str = "learning starts afresh: what was denied or blocked by command is not any more";
const ENFORCES_NOTHING_KNOWN: &str = "nothing is decided any more; learning is off, as it was, so that nothing passes until you \
     decide (glacic learn on --for 1d learns afresh, glacic allow --pending allows what waits)";

/// What the command line says.
#[derive(Debug, Clone)]
pub struct Options {
    pub config: PathBuf,
    pub socket: PathBuf,
    /// Where includes for fw4 are published.
    pub run_dir: PathBuf,
    pub log: Target,
    pub level: LevelFilter,
    /// For kernels without nft's `queue`: packets get this mark instead, and a rule elsewhere (`iptables -m mark … -j
    /// NFQUEUE`) queues them.
    pub queue_mark: Option<u32>,
    /// Whom to become, once everything is prepared that takes root.
    pub user: Option<String>,
}

/// Why the daemon does not run.
#[derive(Debug)]
pub enum Failure {
    /// The configuration cannot be used; one line a problem.
    Config(String),
    /// `option enabled '0'`.
    Disabled(PathBuf),
    /// Another daemon runs already.
    Running(PathBuf),
    /// Something the system refused: what, and why.
    System { what: String, why: String },
    /// One of its threads has ended, which does not happen but by a fault.
    Lost(&'static str),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Config(problems) => write!(f, "the configuration cannot be used:\n{problems}"),
            Failure::Disabled(path) => write!(
                f,
                "glacic is disabled: set option enabled '1' in {} (uci set glacic.main.enabled=1; uci commit glacic)",
                path.display()
            ),
            Failure::Running(path) => {
                write!(
                    f,
                    "another glacic daemon answers at {}: stop it first, or give another --socket",
                    path.display()
                )
            }
            Failure::System { what, why } => write!(f, "{what}: {why}"),
            Failure::Lost(thread) => write!(
                f,
                "the {thread} thread has ended, which it never should: leaving, to be started anew; what the kernel has been told holds"
            ),
        }
    }
}

impl std::error::Error for Failure {}

pub(super) fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> Failure {
    move |error| Failure::System { what: what.into(), why: error.to_string() }
}

/// Runs the daemon until it is told to stop.
pub fn run(options: Options) -> Result<(), Failure> {
    logger::start(options.log, options.level);
    let mut tools = Tools { includes: options.run_dir.clone(), ..Tools::default() };
    // First of all: the process that is split off is to be small, and to have nothing that is opened below.
    match confine::steward(&tools.fw4, &options.config) {
        Ok(steward) => tools.steward = Some(steward),
        Err(trouble) => log::warn!("{trouble}"),
    }
    let resolved = read_config(&options.config, &[], &tools).map_err(Failure::Config)?;
    if !resolved.settings.enabled {
        return Err(Failure::Disabled(options.config));
    }
    fs::create_dir_all(&options.run_dir).map_err(system(format!("cannot make {}", options.run_dir.display())))?;
    let _lock = lock(&options.socket)?;
    let folders = [Some(options.run_dir.as_path()), folder(&options.socket), folder(&resolved.settings.database)];
    let folders: Vec<&Path> = folders.into_iter().flatten().collect();
    let confinement = confine::confine(options.user.as_deref(), &folders);
    let mut house = build(&options, tools, &resolved.settings, confinement)?;
    house.configure(resolved);
    log::info!("glacic {} runs", env!("CARGO_PKG_VERSION"));
    let end = house.live();
    house.leave();
    end
}

/// The folder of a file; none for one in the current folder.
fn folder(file: &Path) -> Option<&Path> {
    file.parent().filter(|folder| !folder.as_os_str().is_empty())
}

/// Holds the lock that keeps two daemons from one socket. The file stays; the lock goes with the process.
fn lock(socket: &Path) -> Result<fs::File, Failure> {
    let path = socket.with_extension("lock");
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(system(format!("cannot make {}", folder.display())))?;
    }
    // Nobody else may hold it, and a link to somewhere else is not followed.
    let file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(&path)
        .map_err(system(format!("cannot write {}", path.display())))?;
    // SAFETY: flock takes a descriptor, which `file` keeps open during the call.
    if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
        return Ok(file);
    }
    match io::Error::last_os_error() {
        error if error.kind() == io::ErrorKind::WouldBlock => Err(Failure::Running(socket.to_owned())),
        error => Err(system(format!("cannot lock {}", path.display()))(error)),
    }
}

fn build(
    options: &Options,
    tools: Tools,
    settings: &crate::config::Settings,
    confinement: Confinement,
) -> Result<House, Failure> {
    let signals = Signals::open().map_err(system("cannot listen to signals"))?;
    let (alarm, waker) = poll::alarm().map_err(system("cannot make a wake-up line"))?;
    // The socket listens from the moment it has a name: whoever may not use it must not have been let in by then.
    // SAFETY: umask only exchanges a number; no other thread runs yet that could make a file meanwhile.
    let before = unsafe { libc::umask(0o117) };
    let control = Control::open(&options.socket);
    // SAFETY: as above.
    unsafe { libc::umask(before) };
    let control = control.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => Failure::Running(options.socket.clone()),
        _ => Failure::System { what: format!("cannot open {}", options.socket.display()), why: error.to_string() },
    })?;
    let sources = Sources::new()
        .map_err(|error| Failure::System { what: "cannot speak with the kernel".to_owned(), why: error.to_string() })?;

    let now = clock::now();
    let mut warnings = Warnings::default();
    let opened = store::open(&settings.database, store_limits(settings), now);
    let learning = Learning::start(settings, opened.meta.get(KEPT_AS).map(String::as_str), now.mono);
    let mut engine = Engine::new(Policy::new(settings, learning.is_on(), false), opened.next_id, now);
    opened.store.each(|record, _zone| engine.load(record, now));
    let mut modes = BTreeMap::new();
    let mut names = Names::default();
    opened.store.each_device(|device| {
        names.give(device.mac, device.name.as_deref().unwrap_or_default());
        if device.mode != DeviceMode::Default {
            modes.insert(device.mac, device.mode);
            engine.set_device(device.mac, device.mode);
        }
    });
    let now_then = if learning.is_on() { LEARNS_AFRESH } else { ENFORCES_NOTHING_KNOWN };
    if let Some(path) = &opened.moved_aside {
        warnings.set(Subject::DatabaseMoved, vec![format!("{}, and {now_then}", moved_aside(path))]);
    } else if opened.unread {
        warnings.set(Subject::DatabaseMoved, vec![format!("nothing of the database could be read, and {now_then}")]);
    }
    if let Some(trouble) = &opened.trouble {
        warnings.set(Subject::Database, vec![trouble.to_string()]);
    }
    if !now.wall.is_set() {
        warnings.set(Subject::Clock, vec!["the clock is not set yet: times are mended when it is".to_owned()]);
    }

    warnings.set(Subject::Confinement, confinement.trouble.clone());

    let wake = |waker: &poll::Waker| waker.try_clone().map_err(system("cannot share the wake-up line"));
    let (replies_in, replies) = mpsc::sync_channel(LINE);
    let bell = wake(&waker)?;
    let handle = store::spawn(opened.store, replies_in, move || bell.wake(), clock::now)
        .map_err(system("cannot start the store's thread"))?;
    let (reports_in, reports) = mpsc::sync_channel(LINE);
    let bell = wake(&waker)?;
    let worker =
        firewall::worker::spawn(firewall::worker::Config { tools: tools.clone() }, reports_in, move || bell.wake())
            .map_err(system("cannot start the firewall's thread"))?;
    let (news_in, news) = mpsc::sync_channel(LINE);
    let background = Background::start(options.config.clone(), tools, news_in, waker)
        .map_err(system("cannot start the background thread"))?;

    Ok(House {
        settings: settings.clone(),
        guarded: Vec::new(),
        engine,
        lobby: Lobby::default(),
        sources,
        store: StoreLink {
            handle,
            replies,
            path: settings.database.clone(),
            moved_aside: opened.moved_aside,
            trouble: opened.trouble.map(|trouble| trouble.0),
            asked: None,
            lag: Duration::ZERO,
            seen: Vec::new(),
            owed: Vec::new(),
        },
        kernel: Kernel::new(worker),
        reports,
        background,
        news,
        control,
        confinement,
        lacking: Default::default(),
        errands: Errands::default(),
        learning,
        signals,
        alarm,
        warnings,
        stats: Stats::default(),
        flows: opened.counts,
        queue_counts: QueueCounts::default(),
        modes: modes.into_iter().collect(),
        names,
        without_queue: false,
        queue_mark: options.queue_mark,
        started: now.mono,
        now,
        due: Due {
            counters: now.mono.after(Duration::from_secs(60)),
            names: now.mono,
            queue: now.mono,
            look: now.mono,
            calm: None,
            drops: now.mono,
            keep: now.mono,
            keep_soon: false,
            resolve: None,
            unanswered: 0,
            sources: None,
            reload: false,
        },
        overflow_told: None,
        counted: now.mono,
        record: Record::new(now.mono),
        chronicle: Chronicle::default(),
        awaiting_ruleset: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn one_daemon_holds_the_lock_and_nobody_elses_file_is_touched() {
        let folder = std::env::temp_dir().join(format!("glacic-lock-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let socket = folder.join("control.sock");
        let held = lock(&socket).unwrap();
        assert_eq!(held.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(lock(&socket), Err(Failure::Running(_))));
        drop(held);
        assert!(lock(&socket).is_ok());

        let precious = folder.join("precious");
        fs::write(&precious, "precious").unwrap();
        symlink(&precious, folder.join("linked.lock")).unwrap();
        assert!(matches!(lock(&folder.join("linked.sock")), Err(Failure::System { .. })));
        assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
        fs::remove_dir_all(&folder).unwrap();
    }
}
