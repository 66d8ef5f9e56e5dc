//! Runs a program to its end, but not longer than it may take.
//!
//! Input and output are files in memory: a program that writes more than is read, or reads less than is written, holds
//! nobody up.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What is kept of a program's output.
const KEPT: u64 = 256 * 1024;

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    pub success: bool,
    pub stdout: String,
    pub stderr: String,
}

/// Why there is no end to tell of.
#[derive(Debug)]
pub enum Trouble {
    /// It could not be started, or not be waited for.
    Start(io::Error),
    /// It was killed because it took longer.
    Timeout,
}

/// Runs `program` with `input` on its standard input.
pub fn run(program: &Path, arguments: &[&str], input: &str, timeout: Duration) -> Result<Ended, Trouble> {
    let (mut stdin, stdout, stderr) = (memory()?, memory()?, memory()?);
    stdin.write_all(input.as_bytes())?;
    stdin.seek(SeekFrom::Start(0))?;
    let mut child = unblocked(&mut Command::new(program))
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C")
        .stdin(Stdio::from(stdin))
        .stdout(Stdio::from(stdout.try_clone()?))
        .stderr(Stdio::from(stderr.try_clone()?))
        .spawn()?;
    let ended = wait(&child, timeout);
    if !matches!(ended, Ok(true)) {
        // It may have ended by itself meanwhile; either way it is collected below.
        let _ = child.kill();
    }
    let status = child.wait()?;
    if !ended? {
        return Err(Trouble::Timeout);
    }
    Ok(Ended { success: status.success(), stdout: text(stdout)?, stderr: text(stderr)? })
}

/// Lets a program have the signals that this one blocks to read them from a descriptor: they are inherited otherwise.
pub fn unblocked(command: &mut Command) -> &mut Command {
    let unblock = || {
        // SAFETY: `none` is initialised before it is read, and outlives the calls, which are safe after a fork.
        unsafe {
            let mut none = std::mem::zeroed::<libc::sigset_t>();
            libc::sigemptyset(&mut none);
            libc::pthread_sigmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
        }
        Ok(())
    };
    // SAFETY: between fork and exec it allocates nothing and takes no lock.
    unsafe { command.pre_exec(unblock) }
}

/// Waits for the child's end; `false` if it did not come in time.
fn wait(child: &Child, timeout: Duration) -> io::Result<bool> {
    // SAFETY: pidfd_open takes a process id and flags; the child has not been waited for, so the id is its own.
    let number = unsafe { libc::syscall(libc::SYS_pidfd_open, child.id() as libc::pid_t, 0) };
    let Ok(number @ 0..) = i32::try_from(number) else { return Err(io::Error::last_os_error()) };
    // SAFETY: the kernel has just made this descriptor for us.
    let pidfd = unsafe { OwnedFd::from_raw_fd(number) };
    readable(pidfd.as_fd(), timeout)
}

/// Waits until there is something to read, or an end; `false` if it did not come in time.
pub fn readable(fd: BorrowedFd<'_>, timeout: Duration) -> io::Result<bool> {
    let mut poll = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let millis = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    loop {
        // SAFETY: one pollfd, which lives as long as the call.
        match unsafe { libc::poll(&mut poll, 1, millis) } {
            0 => return Ok(false),
            1.. => return Ok(true),
            _ => match io::Error::last_os_error() {
                // Signals are rare: the time begins anew.
                error if error.kind() == io::ErrorKind::Interrupted => continue,
                error => return Err(error),
            },
        }
    }
}

fn memory() -> io::Result<File> {
    // SAFETY: the name is a C string; the kernel copies it.
    let number = unsafe { libc::memfd_create(c"glacic".as_ptr(), libc::MFD_CLOEXEC) };
    if number < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(File::from(unsafe { OwnedFd::from_raw_fd(number) }))
}

fn text(mut file: File) -> io::Result<String> {
    file.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    file.take(KEPT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Trouble {
        Trouble::Start(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn input_goes_in_and_output_comes_out() {
        let ended = run(Path::new("/bin/sh"), &["-c", "cat; echo oops >&2; exit 3"], "hello", MINUTE).unwrap();
        assert_eq!(ended, Ended { success: false, stdout: "hello".to_owned(), stderr: "oops\n".to_owned() });
    }

    #[test]
    fn much_input_that_nobody_reads_holds_nobody_up() {
        let ended = run(Path::new("/bin/true"), &[], &"x".repeat(1 << 20), MINUTE).unwrap();
        assert!(ended.success);
    }

    #[test]
    fn what_takes_too_long_is_ended() {
        let trouble = run(Path::new("/bin/sleep"), &["100"], "", Duration::from_millis(20));
        assert!(matches!(trouble, Err(Trouble::Timeout)), "{trouble:?}");
    }

    #[test]
    fn signals_that_are_blocked_here_are_not_there() {
        // SAFETY: `set` is initialised before it is read, and outlives the calls. The mask is this thread's own.
        unsafe {
            let mut set = std::mem::zeroed::<libc::sigset_t>();
            libc::sigemptyset(&mut set);
            libc::sigaddset(&mut set, libc::SIGTERM);
            libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
        }
        let ended = run(Path::new("/bin/grep"), &["SigBlk", "/proc/self/status"], "", MINUTE).unwrap();
        assert_eq!(ended.stdout, "SigBlk:\t0000000000000000\n");
    }

    #[test]
    fn a_missing_program_is_an_error() {
        assert!(matches!(run(Path::new("/nonexistent/nft"), &[], "", MINUTE), Err(Trouble::Start(_))));
    }
}
