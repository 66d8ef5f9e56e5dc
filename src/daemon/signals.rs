//! Signals as something to read in the event loop, instead of code that interrupts it.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// What somebody wants of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// HUP: read the configuration again.
    Reload,
    /// TERM or INT: write everything and leave.
    Stop,
}

/// The signals the daemon heeds, blocked and readable. Threads started afterwards inherit the blocking; so would programs,
/// for which whoever starts them undoes it.
pub struct Signals {
    fd: OwnedFd,
}

impl Signals {
    /// Blocks HUP, TERM and INT and opens a descriptor to read them from.
    pub fn open() -> io::Result<Signals> {
        // SAFETY: `set` is initialised by sigemptyset before anything reads it, and outlives the calls.
        let fd = unsafe {
            let mut set = std::mem::zeroed::<libc::sigset_t>();
            libc::sigemptyset(&mut set);
            for signal in [libc::SIGHUP, libc::SIGTERM, libc::SIGINT] {
                libc::sigaddset(&mut set, signal);
            }
            if libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut()) != 0 {
                return Err(io::Error::last_os_error());
            }
            libc::signalfd(-1, &set, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC)
        };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: signalfd just returned this descriptor; nobody else owns it.
        Ok(Signals { fd: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    /// The next signal that has arrived.
    pub fn next(&mut self) -> Option<Signal> {
        // SAFETY: all-zero bytes are a valid `signalfd_siginfo`, a struct of integers.
        let mut info = unsafe { std::mem::zeroed::<libc::signalfd_siginfo>() };
        let size = size_of::<libc::signalfd_siginfo>();
        // SAFETY: the kernel writes at most `size` bytes into `info`.
        let read = unsafe { libc::read(self.fd.as_raw_fd(), (&raw mut info).cast(), size) };
        if usize::try_from(read) != Ok(size) {
            return None;
        }
        match i32::try_from(info.ssi_signo) {
            Ok(libc::SIGHUP) => Some(Signal::Reload),
            _ => Some(Signal::Stop),
        }
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
