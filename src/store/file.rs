//! The file: opened, judged, and moved aside where it is not one of ours.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags};

use super::life::Life;
use super::schema::{self, APPLICATION_ID, LADDER};

/// Files kept that were moved aside; the oldest gives way.
const ASIDE: u32 = 3;

/// Pages of the write-ahead log before it is copied into the file, and bytes it may keep afterwards.
const LOG_PAGES: i64 = 256;

/// Copies are made in memory on most routers: a file of 20,000 flows has less than a megabyte.
const MAX_COPY: u64 = 32 << 20;

/// What SQLite puts beside a database.
const COMPANIONS: [&str; 3] = ["-journal", "-wal", "-shm"];

/// Why a file cannot be used.
#[derive(Debug)]
pub enum Fault {
    /// It is damaged, or not ours: the reason.
    Unfit(String),
    /// It cannot be reached now, whatever it holds: the reason.
    Unreachable(String),
}

/// An open file.
#[derive(Debug)]
pub struct File {
    pub connection: Connection,
    pub place: Option<Place>,
    /// `None`: it was made just now and is empty.
    pub life: Option<Life>,
}

/// Which file it is, whatever it is called: device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(u64, u64);

impl Place {
    /// Whether both are on the same file system.
    pub fn is_beside(self, other: Place) -> bool {
        self.0 == other.0
    }

    /// The place of what lies at `path` now; `None` where nothing does, or where files have no such numbers.
    pub fn of(path: &Path) -> Option<Place> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            fs::metadata(path).ok().map(|found| Place(found.dev(), found.ino()))
        }
        #[cfg(not(unix))]
        {
            let _ = path;
            None
        }
    }
}

/// Opens the file, or makes it.
pub fn open(path: &Path) -> Result<File, Fault> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent).map_err(|fault| Fault::Unreachable(fault.to_string()))?;
    }
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => return Err(Fault::Unfit("is not a file".to_owned())),
        _ => {}
    }
    // The system says why it cannot be written in words that SQLite does not pass on. What the devices of a house do is
    // for nobody else to read; SQLite gives its other files the same mode.
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|fault| Fault::Unreachable(fault.to_string()))?;
    let failed = |fault| judge(&fault);
    let connection = connect(path).map_err(failed)?;
    let life = prepare(&connection).map_err(failed)??;
    if connection.is_readonly(MAIN_DB).map_err(failed)? {
        return Err(Fault::Unreachable("the file system is read-only".to_owned()));
    }
    Ok(File { connection, life, place: Place::of(path) })
}

/// A connection with everything set that must be set first.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // Whoever else has it open does so for long: waiting would only stop the thread.
    connection.busy_timeout(Duration::ZERO)?;
    // First of all, so that the write-ahead log needs no shared memory.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "temp_store", 2)?;
    connection.pragma_update(None, "cache_size", -128)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "page_size", PAGE_SIZE)?;
    Ok(connection)
}

/// Chosen by measurement, as the journal mode: `benches/store.rs` shows that a lone decision takes 4 to 7 KB of
/// ext4 this way, 12 to 15 KB with pages of 4,096 bytes, and 10 to 26 KB with a rollback journal.
const PAGE_SIZE: i64 = 1024;

/// Judges what is in the file, takes it up the ladder, and sets how it is written.
fn prepare(file: &Connection) -> rusqlite::Result<Result<Option<Life>, Fault>> {
    let unfit = |reason: &str| Ok(Err(Fault::Unfit(reason.to_owned())));
    let number = |pragma| file.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    let empty = schema::shape(file)?.is_empty();
    if !(empty && application == 0 && version == 0) {
        if application != i64::from(APPLICATION_ID) {
            return unfit("belongs to another program");
        }
        if version > schema::version() {
            return unfit("was written by a newer version of glacic");
        }
        let verdict: String = file.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if verdict != "ok" {
            return unfit(&format!("is damaged ({verdict})"));
        }
    }
    // A decision must outlive a power cut when it is answered: the log is synchronised at every commit. Commits
    // are rare enough that learned flows need not be an exception.
    file.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    file.pragma_update(None, "synchronous", "FULL")?;
    file.pragma_update_and_check(None, "wal_autocheckpoint", LOG_PAGES, |_| Ok(()))?;
    file.pragma_update_and_check(None, "journal_size_limit", LOG_PAGES * PAGE_SIZE, |_| Ok(()))?;
    schema::climb(file, version, LADDER)?;
    if schema::shape(file)? != schema::shape(&schema::shadowless()?)? {
        return unfit("has tables that are not glacic's");
    }
    match Life::read(file)? {
        None if !empty => match holds_something(file)? {
            true => unfit("does not say whose it is"),
            false => Ok(Ok(None)),
        },
        life => Ok(Ok(life)),
    }
}

/// A file that was made and never written to, because power or the disk ended, is as good as new.
fn holds_something(file: &Connection) -> rusqlite::Result<bool> {
    file.query_row("SELECT EXISTS (SELECT 1 FROM flows) OR EXISTS (SELECT 1 FROM devices)", [], |row| row.get(0))
}

/// What an error of SQLite means for the file.
pub fn judge(fault: &rusqlite::Error) -> Fault {
    let unreachable = |reason: &str| Fault::Unreachable(reason.to_owned());
    match fault.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => Fault::Unfit("is no database".to_owned()),
        Some(ErrorCode::DatabaseCorrupt) => Fault::Unfit("is damaged".to_owned()),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => unreachable("another program has it open"),
        Some(ErrorCode::DiskFull) => unreachable("the disk is full"),
        Some(ErrorCode::ReadOnly) => unreachable("the file system is read-only"),
        _ => unreachable(&fault.to_string()),
    }
}

/// Moves a file out of the way, with what belongs to it.
pub fn move_aside(path: &Path) -> io::Result<PathBuf> {
    let numbered = |number: u32| with_suffix(path, &format!(".damaged-{number}"));
    let free = (1..=ASIDE).find(|number| fs::symlink_metadata(numbered(*number)).is_err());
    let target = match free {
        Some(number) => numbered(number),
        None => {
            remove(&numbered(1))?;
            for number in 2..=ASIDE {
                rename(&numbered(number), &numbered(number - 1))?;
            }
            numbered(ASIDE)
        }
    };
    rename(path, &target)?;
    Ok(target)
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    for companion in COMPANIONS {
        let (from, to) = (with_suffix(from, companion), with_suffix(to, companion));
        match fs::rename(&from, &to) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault),
            _ => {}
        }
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path)?.is_dir() {
        true => fs::remove_dir_all(path)?,
        false => fs::remove_file(path)?,
    }
    for companion in COMPANIONS {
        let _ = fs::remove_file(with_suffix(path, companion));
    }
    Ok(())
}

pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// A copy of the file for reading, in a directory of its own that goes with it.
pub struct Copy {
    pub file: File,
    directory: PathBuf,
}

impl Copy {
    pub fn of(path: &Path) -> Result<Copy, Fault> {
        let failed = |fault: io::Error| Fault::Unreachable(fault.to_string());
        // SQLite keeps the log beside the file that a link leads to.
        let path = &fs::canonicalize(path).map_err(failed)?;
        if fs::metadata(path).map_err(failed)?.len() > MAX_COPY {
            return Err(Fault::Unfit("is too large to be glacic's".to_owned()));
        }
        let directory = private_directory().map_err(failed)?;
        let copied = copy_into(&directory, path).map_err(failed).and_then(|copy| open(&copy));
        match copied {
            Ok(file) => Ok(Copy { file, directory }),
            Err(fault) => {
                let _ = fs::remove_dir_all(&directory);
                Err(fault)
            }
        }
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn copy_into(directory: &Path, path: &Path) -> io::Result<PathBuf> {
    let copy = directory.join("copy.db");
    fs::copy(path, &copy)?;
    // Without these a commit that was not copied into the file yet would be missing, or one half done be taken for whole.
    for companion in ["-journal", "-wal"] {
        match fs::copy(with_suffix(path, companion), with_suffix(&copy, companion)) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault),
            _ => {}
        }
    }
    Ok(copy)
}

/// A new directory that only we can enter.
fn private_directory() -> io::Result<PathBuf> {
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    for number in 0..100 {
        let directory = std::env::temp_dir().join(format!("glacic-{}-{number}", std::process::id()));
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(&directory) {
            Ok(()) => return Ok(directory),
            Err(fault) => last = fault,
        }
    }
    Err(last)
}
