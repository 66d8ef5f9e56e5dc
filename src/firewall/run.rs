//! Runs a program to its end, but not longer than it may take, nor longer than somebody wants to wait.
//!
//! Input and output are files in memory: a program that writes more than is read, or reads less than is written, holds
//! nobody up.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
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
    /// Nobody waits for it any more.
    Hurried,
    /// Somebody else killed it: the kernel, when memory ends.
    Killed,
}

/// How long a program may take.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    pub timeout: Duration,
    pub hurry: &'a Hurry,
    /// Whether it ends when it is not waited for any more, or when this process ends.
    pub tethered: bool,
}

/// The other end of a [`Spur`]: says when to wait no longer. The default waits.
#[derive(Debug, Clone, Default)]
pub struct Hurry(Option<Arc<UnixStream>>);

/// Tells whoever waits for a program not to, as soon as it is dropped, and from then on.
#[derive(Debug)]
pub struct Spur {
    _stream: UnixStream,
}

impl Hurry {
    pub fn new() -> io::Result<(Spur, Hurry)> {
        let (near, far) = UnixStream::pair()?;
        Ok((Spur { _stream: near }, Hurry(Some(Arc::new(far)))))
    }
}

/// What came first: what was waited for, or one of the terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    End,
    Timeout,
    Hurry,
}

/// Runs `program` with `input` on its standard input.
pub fn run(program: &Path, arguments: &[&str], input: &str, terms: Terms<'_>) -> Result<Ended, Trouble> {
    let (mut stdin, stdout, stderr) = (memory()?, memory()?, memory()?);
    stdin.write_all(input.as_bytes())?;
    stdin.seek(SeekFrom::Start(0))?;
    let mut command = Command::new(program);
    if terms.tethered {
        tether(&mut command);
    }
    let mut child = unblocked(&mut command)
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C")
        .stdin(Stdio::from(stdin))
        .stdout(Stdio::from(stdout.try_clone()?))
        .stderr(Stdio::from(stderr.try_clone()?))
        .spawn()?;
    let first = wait(&child, terms);
    if matches!(first, Ok(First::Hurry)) && !terms.tethered {
        // It goes on alone; init collects it.
        return Err(Trouble::Hurried);
    }
    if !matches!(first, Ok(First::End)) {
        // It may have ended by itself meanwhile; either way it is collected below.
        let _ = child.kill();
    }
    let status = child.wait()?;
    match first? {
        First::End => {}
        First::Timeout => return Err(Trouble::Timeout),
        First::Hurry => return Err(Trouble::Hurried),
    }
    if status.signal() == Some(libc::SIGKILL) {
        return Err(Trouble::Killed);
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

/// Has a program end when the thread that starts it does, however that ends: what it would do later, nobody would undo.
fn tether(command: &mut Command) {
    let parent = std::process::id();
    let tether = move || {
        // SAFETY: neither takes a pointer; both are safe after a fork.
        let tethered = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) == 0 };
        // SAFETY: as above.
        let alone = u32::try_from(unsafe { libc::getppid() }) != Ok(parent);
        if tethered && !alone { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::ESRCH)) }
    };
    // SAFETY: between fork and exec it allocates nothing and takes no lock.
    unsafe { command.pre_exec(tether) };
}

/// Waits for the child's end, as long as the terms have it.
fn wait(child: &Child, Terms { timeout, hurry, .. }: Terms<'_>) -> io::Result<First> {
    // SAFETY: pidfd_open takes a process id and flags; the child has not been waited for, so the id is its own.
    let number = unsafe { libc::syscall(libc::SYS_pidfd_open, child.id() as libc::pid_t, 0) };
    let Ok(number @ 0..) = i32::try_from(number) else { return Err(io::Error::last_os_error()) };
    // SAFETY: the kernel has just made this descriptor for us.
    let pidfd = unsafe { OwnedFd::from_raw_fd(number) };
    readable(pidfd.as_fd(), timeout, hurry)
}

/// Waits until there is something to read, or an end; or for less.
pub fn readable(fd: BorrowedFd<'_>, timeout: Duration, hurry: &Hurry) -> io::Result<First> {
    let ready = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // A negative descriptor is left out.
    let mut poll = [ready(fd.as_raw_fd()), ready(hurry.0.as_ref().map_or(-1, |stream| stream.as_raw_fd()))];
    let millis = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    loop {
        // SAFETY: two pollfds, which live as long as the call.
        match unsafe { libc::poll(poll.as_mut_ptr(), 2, millis) } {
            0 => return Ok(First::Timeout),
            1.. => return Ok(if poll[0].revents != 0 { First::End } else { First::Hurry }),
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

    fn run(program: &Path, arguments: &[&str], input: &str, timeout: Duration) -> Result<Ended, Trouble> {
        super::run(program, arguments, input, Terms { timeout, hurry: &Hurry::default(), tethered: true })
    }

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
    fn a_program_that_somebody_killed_is_told_from_one_that_refused() {
        let trouble = run(Path::new("/bin/sh"), &["-c", "kill -9 $$"], "", MINUTE);
        assert!(matches!(trouble, Err(Trouble::Killed)), "{trouble:?}");
    }

    #[test]
    fn what_nobody_waits_for_any_more_is_ended() {
        let (spur, hurry) = Hurry::new().unwrap();
        let waiting = std::thread::spawn(move || {
            let terms = Terms { timeout: MINUTE, hurry: &hurry, tethered: true };
            super::run(Path::new("/bin/sleep"), &["1000"], "", terms)
        });
        drop(spur);
        assert!(matches!(waiting.join().unwrap(), Err(Trouble::Hurried)));
    }

    #[test]
    fn what_is_tethered_ends_with_whoever_started_it() {
        use std::os::unix::process::ExitStatusExt;
        let start = || {
            let mut command = Command::new("/bin/sleep");
            tether(&mut command);
            command.arg("60").spawn().unwrap()
        };
        let mut child = std::thread::spawn(start).join().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
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
