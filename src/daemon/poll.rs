//! Waiting for several descriptors at once, and being woken by other threads.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// What a descriptor is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interest {
    pub read: bool,
    pub write: bool,
}

impl Interest {
    pub const READ: Interest = Interest { read: true, write: false };
}

/// What is waited for in one turn of the loop: descriptors, each with a name of the caller's.
pub struct PollSet<T> {
    fds: Vec<libc::pollfd>,
    names: Vec<T>,
}

impl<T: Copy> PollSet<T> {
    pub fn new() -> PollSet<T> {
        PollSet { fds: Vec::new(), names: Vec::new() }
    }

    pub fn clear(&mut self) {
        self.fds.clear();
        self.names.clear();
    }

    /// Waits for `fd`. Where nothing is to be waited for, not even its end is noticed.
    pub fn add(&mut self, name: T, fd: BorrowedFd<'_>, interest: Interest) {
        let events = match interest {
            Interest { read: false, write: false } => return,
            Interest { read: true, write: false } => libc::POLLIN,
            Interest { read: false, write: true } => libc::POLLOUT,
            Interest { read: true, write: true } => libc::POLLIN | libc::POLLOUT,
        };
        self.fds.push(libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 });
        self.names.push(name);
    }

    /// Waits until something is ready or `timeout` has passed. An interruption counts as nothing ready.
    pub fn wait(&mut self, timeout: Duration) -> io::Result<()> {
        // Rounded up: a timeout of less than a millisecond must not become a busy loop.
        let millis = i32::try_from(timeout.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
        let count = libc::nfds_t::try_from(self.fds.len()).unwrap_or(0);
        // SAFETY: the pointer and the count describe `fds`, which the kernel changes only during the call.
        let ready = unsafe { libc::poll(self.fds.as_mut_ptr(), count, millis) };
        if ready >= 0 {
            return Ok(());
        }
        self.fds.iter_mut().for_each(|fd| fd.revents = 0);
        match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            error => Err(error),
        }
    }

    /// The names of what is ready, hung up or broken.
    pub fn ready(&self) -> impl Iterator<Item = T> + '_ {
        self.fds.iter().zip(&self.names).filter(|(fd, _)| fd.revents != 0).map(|(_, name)| *name)
    }
}

/// The end of a wake-up line that the loop waits on.
pub struct Alarm {
    stream: UnixStream,
}

/// The end that other threads pull. Cheap to clone, never blocks.
pub struct Waker {
    stream: UnixStream,
}

/// A wake-up line.
pub fn alarm() -> io::Result<(Alarm, Waker)> {
    let (near, far) = UnixStream::pair()?;
    near.set_nonblocking(true)?;
    far.set_nonblocking(true)?;
    Ok((Alarm { stream: near }, Waker { stream: far }))
}

impl Alarm {
    /// Takes in all wake-ups so far.
    pub fn clear(&mut self) {
        let mut buffer = [0; 64];
        while matches!(self.stream.read(&mut buffer), Ok(read) if read == buffer.len()) {}
    }
}

impl AsFd for Alarm {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Waker {
    pub fn wake(&self) {
        // A full line means that a wake-up is already on its way.
        let _ = (&self.stream).write(&[1]);
    }

    pub fn try_clone(&self) -> io::Result<Waker> {
        Ok(Waker { stream: self.stream.try_clone()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_up_ends_the_wait_and_is_gone_once_cleared() {
        let (mut alarm, waker) = alarm().unwrap();
        let mut set = PollSet::new();
        set.add("alarm", alarm.as_fd(), Interest::READ);
        for _ in 0..10_000 {
            waker.wake();
        }
        set.wait(Duration::from_secs(10)).unwrap();
        assert_eq!(set.ready().collect::<Vec<_>>(), ["alarm"]);
        alarm.clear();
        set.wait(Duration::ZERO).unwrap();
        assert_eq!(set.ready().count(), 0);
    }
}
