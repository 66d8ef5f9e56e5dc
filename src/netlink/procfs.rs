//! What `/proc` shows of netfilter, and of ourselves.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use super::{Cause, Error};

/// Bit of CAP_NET_ADMIN (linux/capability.h).
const CAP_NET_ADMIN: u32 = 12;

/// Files of `/proc/net/netfilter` that only root may open, opened while this was root.
static KEPT: OnceLock<Vec<(&str, File)>> = OnceLock::new();

/// Opens what will have to be read when this process is no longer allowed to open it. A module that is loaded later has
/// no file yet: its counts stay unknown.
pub fn keep_open() {
    KEPT.get_or_init(|| {
        let open = |name: &'static str| Some((name, File::open(path(name)).ok()?));
        [super::nfqueue::MODULE, super::nflog::MODULE].into_iter().filter_map(open).collect()
    });
}

fn path(file: &str) -> String {
    format!("/proc/thread-self/net/netfilter/{file}")
}

/// A file of `/proc/net/netfilter`, as this thread's network namespace has it.
pub(super) fn netfilter(file: &str) -> io::Result<String> {
    match fs::read_to_string(path(file)) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let kept = KEPT.get().into_iter().flatten().find(|(name, _)| *name == file);
            kept.map_or(Err(error), |(_, kept)| whole(kept))
        }
        read => read,
    }
}

/// Everything in a file, from its beginning, whoever else is reading it.
fn whole(file: &File) -> io::Result<String> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        let at = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        match file.read_at(&mut part, at)? {
            0 => return Ok(String::from_utf8_lossy(&bytes).into_owned()),
            read => bytes.extend_from_slice(part.get(..read).unwrap_or_default()),
        }
    }
}

/// Why binding `number` failed. Queues and logs look alike: both show a number and its reader's port first.
pub(super) fn explain_bind(error: Error, module: &'static str, number: u16) -> Error {
    let shown = netfilter(module);
    let cause = match (error.errno, &shown) {
        (libc::EPERM | libc::EBUSY, Ok(text)) if may_administer() => match reader(text, number) {
            Some(port) => Cause::SecondReader { port },
            None => error.cause,
        },
        (libc::EINVAL, Err(missing)) if missing.kind() == io::ErrorKind::NotFound => Cause::MissingModule(module),
        _ => error.cause,
    };
    error.with_cause(cause)
}

/// Whether this thread has CAP_NET_ADMIN in effect; assumed where it cannot be read.
fn may_administer() -> bool {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    effective(&status).is_none_or(|capabilities| capabilities >> CAP_NET_ADMIN & 1 == 1)
}

fn effective(status: &str) -> Option<u64> {
    let text = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(text.trim(), 16).ok()
}

/// The port that reads `number`.
fn reader(shown: &str, number: u16) -> Option<u32> {
    shown.lines().map(numbers).find_map(|row| match *row {
        [shown, port, ..] if shown == u64::from(number) => u32::try_from(port).ok(),
        _ => None,
    })
}

/// A row of numbers, up to the first thing that is none.
pub(super) fn numbers(line: &str) -> Vec<u64> {
    line.split_whitespace().map_while(|word| word.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_reader_of_a_number() {
        let shown =
            "    5   4242     0 2   512     0     0        0  1\n  100 31337     0 2   512     0     0        0  1\n";
        assert_eq!(reader(shown, 100), Some(31337));
        assert_eq!(reader(shown, 10), None);
    }

    #[test]
    fn a_module_is_missing_where_its_file_is() {
        let cause = |errno, module| explain_bind(Error::new("bind", errno), module, 1).cause;
        assert_eq!(cause(libc::EINVAL, "nfnetlink_absent"), Cause::MissingModule("nfnetlink_absent"));
        assert_eq!(cause(libc::ENOMEM, "nfnetlink_absent"), Cause::Overflow);
    }

    #[test]
    fn reads_effective_capabilities() {
        assert_eq!(effective("Name:\tx\nCapEff:\t000001ffffffffff\n"), Some(0x1ff_ffff_ffff));
        assert_eq!(effective("Name:\tx\n"), None);
    }
}
