//! Where log lines go: the system log, or standard error, which procd hands to the system log without their levels.
//!
//! The thread that gives verdicts logs too, so writing must never wait: a line that cannot be written at once, or that
//! comes after too many, is left out and counted, and the count is told with the next line that can be written. (This is why the
//! `syslog` crate is not used: it writes blockingly under a lock.)

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use log::{Level, LevelFilter, Log, Metadata, Record};

use super::clock;
use crate::engine::limit::Bucket;
use crate::flow::{Now, Rate, Wall};

/// Where to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    Stderr,
    /// `/dev/log`, in the format of RFC 3164 as logd and syslogd read it.
    Syslog,
}

/// The socket of logd and syslogd.
const SOCKET: &str = "/dev/log";

/// The longest line, in bytes: an atomic write to a pipe is at least 4,096 on Linux, a datagram of logd 1,024.
const LONGEST: usize = 1000;

/// Lines that reach the system log: a burst, and as many in a minute. It is 16 KiB of memory on most routers.
const RATE: Rate = Rate { count: 200, per: Duration::from_secs(60) };

/// Facility `daemon` (3), RFC 3164 section 4.1.1.
const FACILITY: u8 = 3 * 8;

/// The system log. Each line finds it anew, by its name: logd may have been started again.
struct Syslog {
    path: PathBuf,
    socket: UnixDatagram,
    left: Mutex<Bucket>,
}

struct Logger {
    syslog: Option<Syslog>,
    left_out: AtomicU32,
}

/// Begins logging at `level`.
pub fn start(target: Target, level: LevelFilter) {
    let logger = Logger::new(match target {
        Target::Stderr => None,
        Target::Syslog => Some(Path::new(SOCKET)),
    });
    if log::set_boxed_logger(Box::new(logger)).is_ok() {
        log::set_max_level(level);
    }
}

/// Cuts a line to the longest there is, between characters, and takes out what could end it early.
fn bounded(mut line: String) -> String {
    if line.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|end| line.is_char_boundary(*end)).unwrap_or(0);
        line.truncate(end);
    }
    if line.contains(|c: char| c.is_control()) {
        line = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    }
    line
}

/// A line as RFC 3164 has it. The time is UTC, as musl's own syslog() sends it. It must not be left out, though logd has its own:
/// it takes 16 bytes for a time whenever the last of them is a space.
fn datagram(level: Level, line: &str, at: Wall) -> String {
    let severity = match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    };
    format!("<{}>{} glacic[{}]: {line}", FACILITY | severity, stamp(at), std::process::id())
}

/// `Nov 26 15:04:05`, the day with a space where it has one digit.
fn stamp(at: Wall) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    // Days since 1 March of the year 0: leap days are last then (days_from_civil, inverted).
    let (days, second) = (at.seconds.div_euclid(86_400), at.seconds.rem_euclid(86_400));
    let day_of_era = days.saturating_add(719_468).rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let name = usize::try_from((month + 2) % 12).ok().and_then(|month| MONTHS.get(month)).unwrap_or(&"Jan");
    format!("{name} {day:2} {:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

impl Syslog {
    fn open(path: &Path) -> std::io::Result<Syslog> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Syslog { path: path.to_owned(), socket, left: Mutex::new(Bucket::full(clock::now().mono)) })
    }

    fn may_write(&self, now: Now) -> bool {
        // A thread that panicked with it in hand has left a bucket all the same.
        self.left.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take(RATE, now.mono)
    }
}

impl Logger {
    fn new(syslog: Option<&Path>) -> Logger {
        Logger { syslog: syslog.and_then(|path| Syslog::open(path).ok()), left_out: AtomicU32::new(0) }
    }

    /// Writes a line now, or says that it was not written.
    fn write(&self, level: Level, line: &str) -> bool {
        let Some(syslog) = &self.syslog else { return to_stderr(level, line) };
        let now = clock::now();
        if !syslog.may_write(now) {
            return false;
        }
        match syslog.socket.send_to(datagram(level, line, now.wall).as_bytes(), &syslog.path) {
            Ok(_) => true,
            // It is there and full.
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => false,
            Err(_) => to_stderr(level, line),
        }
    }

    fn take(&self, level: Level, text: String) {
        let mut line = bounded(text);
        let left_out = self.left_out.swap(0, Ordering::Relaxed);
        if left_out > 0 {
            let _ = write!(line, " ({left_out} lines before this one were left out)");
        }
        if !self.write(level, &line) {
            self.left_out.fetch_add(left_out.saturating_add(1), Ordering::Relaxed);
        }
    }
}

fn to_stderr(level: Level, line: &str) -> bool {
    let stderr = std::io::stderr();
    if !writable(stderr.as_raw_fd()) {
        return false;
    }
    stderr.lock().write_all(format!("glacic: {}: {line}\n", level.as_str().to_lowercase()).as_bytes()).is_ok()
}

/// Whether a line can be written at once. For a pipe this means room for a whole page (pipe(7)).
fn writable(fd: i32) -> bool {
    let mut poll = libc::pollfd { fd, events: libc::POLLOUT, revents: 0 };
    // SAFETY: one pollfd, valid for the call.
    unsafe { libc::poll(&mut poll, 1, 0) > 0 && poll.revents & libc::POLLOUT != 0 }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.take(record.level(), record.args().to_string());
        }
    }

    fn flush(&self) {}
}

#[cfg(test)]
#[path = "logger_tests.rs"]
mod tests;
