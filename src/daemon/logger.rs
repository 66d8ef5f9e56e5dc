//! Where log lines go: standard error, which procd hands to logd, or the system log itself.
//!
//! The thread that gives verdicts logs too, so writing must never wait: a line that cannot be written at once is
//! dropped and counted, and the count is told with the next line that can. (This is why the `syslog` crate is not used:
//! it writes blockingly under a lock.)

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicU32, Ordering};

use log::{Level, LevelFilter, Log, Metadata, Record};

/// Where to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    Stderr,
    /// `/dev/log`, in the format of RFC 3164 as logd and syslogd read it.
    Syslog,
}

/// The longest line, in bytes: an atomic write to a pipe is at least 4,096 on Linux, a datagram of logd 1,024.
const LONGEST: usize = 1000;

struct Logger {
    syslog: Option<UnixDatagram>,
    dropped: AtomicU32,
}

/// Begins logging at `level`. A system log that is not there is named and standard error used instead.
pub fn start(target: Target, level: LevelFilter) {
    let syslog = match target {
        Target::Stderr => None,
        Target::Syslog => match connect() {
            Ok(socket) => Some(socket),
            Err(error) => {
                eprintln!("glacic: cannot reach the system log at /dev/log ({error}); logging to standard error");
                None
            }
        },
    };
    if log::set_boxed_logger(Box::new(Logger { syslog, dropped: AtomicU32::new(0) })).is_ok() {
        log::set_max_level(level);
    }
}

fn connect() -> std::io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect("/dev/log")?;
    socket.set_nonblocking(true)?;
    Ok(socket)
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

impl Logger {
    fn write(&self, level: Level, line: &str) -> bool {
        match &self.syslog {
            Some(socket) => {
                // Facility daemon (3); severities of RFC 3164.
                let severity = match level {
                    Level::Error => 3,
                    Level::Warn => 4,
                    Level::Info => 6,
                    Level::Debug | Level::Trace => 7,
                };
                let datagram = format!("<{}>glacic[{}]: {line}", 3 * 8 + severity, std::process::id());
                socket.send(datagram.as_bytes()).is_ok()
            }
            None => {
                let stderr = std::io::stderr();
                if !writable(stderr.as_raw_fd()) {
                    return false;
                }
                stderr
                    .lock()
                    .write_all(format!("glacic: {}: {line}\n", level.as_str().to_lowercase()).as_bytes())
                    .is_ok()
            }
        }
    }
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
        if !self.enabled(record.metadata()) {
            return;
        }
        let mut line = bounded(record.args().to_string());
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            let _ = write!(line, " ({dropped} lines before this one could not be written)");
        }
        if !self.write(record.level(), &line) {
            self.dropped.fetch_add(dropped.saturating_add(1), Ordering::Relaxed);
        }
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_line_of_bounded_length() {
        assert_eq!(bounded("a\nb\u{1b}[31m".to_owned()), "a b [31m");
        let long = bounded("ä".repeat(2000));
        assert!(long.len() <= LONGEST && long.chars().all(|c| c == 'ä'));
    }
}
