//! A netlink socket: non-blocking, closed on exec, and heard in batches.

use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

use super::Error;

/// Which part of the kernel is spoken with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    Netfilter,
    Route,
}

/// What a try to receive brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// Datagrams are in the [`Batch`].
    Datagrams,
    /// Nothing is there now.
    Empty,
    /// The kernel had to drop messages (`ENOBUFS`): the buffer was full. What is in it can still be read.
    Overflow,
}

/// `SOL_NETLINK` and its options (linux/netlink.h).
const SOL_NETLINK: libc::c_int = 270;
const ADD_MEMBERSHIP: libc::c_int = 1;
const CAP_ACK: libc::c_int = 10;
const EXT_ACK: libc::c_int = 11;

/// recvmmsg with a 64-bit timeout, which every 32-bit kernel has since 5.1, also those without 32-bit time.
#[cfg(target_pointer_width = "64")]
const RECVMMSG: libc::c_long = libc::SYS_recvmmsg;
#[cfg(all(target_pointer_width = "32", any(target_arch = "mips", target_arch = "mips32r6")))]
const RECVMMSG: libc::c_long = 4417;
#[cfg(all(target_pointer_width = "32", not(any(target_arch = "mips", target_arch = "mips32r6"))))]
const RECVMMSG: libc::c_long = 417;

#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
    port: u32,
}

impl Socket {
    pub fn open(family: Family) -> Result<Socket, Error> {
        const WHAT: &str = "open a netlink socket";
        let protocol = match family {
            Family::Netfilter => libc::NETLINK_NETFILTER,
            Family::Route => libc::NETLINK_ROUTE,
        };
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: no memory is passed.
        let fd = unsafe { libc::socket(libc::AF_NETLINK, kind, protocol) };
        if fd < 0 {
            return Err(Error::last(WHAT));
        }
        // SAFETY: the descriptor is new and nobody else's.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        let mut address = any_port();
        let mut length = ADDRESS_LENGTH;
        let place = ptr::from_mut(&mut address).cast();
        // SAFETY: `place` points to an address of `length` bytes, which both calls stay within.
        let failed = unsafe {
            libc::bind(fd.as_raw_fd(), place, length) < 0 || libc::getsockname(fd.as_raw_fd(), place, &mut length) < 0
        };
        if failed {
            return Err(Error::last(WHAT));
        }
        let socket = Socket { fd, port: address.nl_pid };
        // Both are refinements of error messages: a kernel without them answers in plain numbers.
        let _ = socket.set_option(SOL_NETLINK, EXT_ACK, 1);
        let _ = socket.set_option(SOL_NETLINK, CAP_ACK, 1);
        Ok(socket)
    }

    /// The number the kernel knows this socket by.
    pub fn port(&self) -> u32 {
        self.port
    }

    /// Asks for a receive buffer of `bytes`, beyond the system's limit where permitted, and tells what was achieved.
    pub fn set_receive_buffer(&self, bytes: usize) -> usize {
        let wanted = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
        if self.set_option(libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, wanted).is_err() {
            let _ = self.set_option(libc::SOL_SOCKET, libc::SO_RCVBUF, wanted);
        }
        let mut got: libc::c_int = 0;
        let mut length = size_of_socklen::<libc::c_int>();
        let place = ptr::from_mut(&mut got).cast();
        // SAFETY: `place` points to an integer of `length` bytes.
        unsafe { libc::getsockopt(self.fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVBUF, place, &mut length) };
        // The kernel doubles the number, for its own book-keeping (socket(7)).
        usize::try_from(got).unwrap_or(0) / 2
    }

    /// Subscribes to a multicast group.
    pub fn join(&self, group: u32) -> Result<(), Error> {
        let group = libc::c_int::try_from(group).unwrap_or(libc::c_int::MAX);
        self.set_option(SOL_NETLINK, ADD_MEMBERSHIP, group)
            .map_err(|error| Error::new("subscribe to the kernel's notifications", error.raw_os_error().unwrap_or(0)))
    }

    /// Sends messages to the kernel, which works on them before this returns.
    pub fn send(&self, messages: &[u8]) -> io::Result<()> {
        let address = any_port();
        let to = ptr::from_ref(&address).cast();
        loop {
            let (start, length) = (messages.as_ptr().cast(), messages.len());
            // SAFETY: both pointers lead to as many bytes as is said, and the call only reads.
            let sent = unsafe { libc::sendto(self.fd.as_raw_fd(), start, length, 0, to, ADDRESS_LENGTH) };
            if sent >= 0 {
                return Ok(());
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }

    /// Receives as many datagrams as are there and fit the batch, which loses what it held.
    pub fn receive(&self, batch: &mut Batch) -> io::Result<Receipt> {
        batch.clear();
        let received = loop {
            match batch.fill_from(self.fd.as_raw_fd()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                other => break other,
            }
        };
        match received {
            Ok(0) => Ok(Receipt::Empty),
            Ok(_) => Ok(Receipt::Datagrams),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Receipt::Empty),
            Err(error) => match error.raw_os_error() {
                Some(libc::ENOBUFS | libc::EPIPE) => Ok(Receipt::Overflow),
                _ => Err(error),
            },
        }
    }

    /// Waits until something can be received; `false` if nothing came in time.
    pub fn wait(&self, milliseconds: u16) -> bool {
        let mut poll = libc::pollfd { fd: self.fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one element is passed and one is said to be there.
        unsafe { libc::poll(&mut poll, 1, libc::c_int::from(milliseconds)) > 0 }
    }

    fn set_option(&self, level: libc::c_int, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
        let place = ptr::from_ref(&value).cast();
        let length = size_of_socklen::<libc::c_int>();
        // SAFETY: `place` points to an integer of `length` bytes, which is only read.
        match unsafe { libc::setsockopt(self.fd.as_raw_fd(), level, option, place, length) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

const ADDRESS_LENGTH: libc::socklen_t = size_of_socklen::<libc::sockaddr_nl>();

const fn size_of_socklen<T>() -> libc::socklen_t {
    mem::size_of::<T>() as libc::socklen_t
}

/// The address of the kernel (for sending), or of whatever port is free (for binding).
fn any_port() -> libc::sockaddr_nl {
    // SAFETY: all zeroes are a valid `sockaddr_nl`.
    let mut address: libc::sockaddr_nl = unsafe { mem::zeroed() };
    address.nl_family = libc::AF_NETLINK as libc::sa_family_t;
    address
}

/// Room for up to [`Batch::MOST`] datagrams, allocated once. Pages that were never written cost no memory.
#[derive(Debug)]
pub struct Batch {
    bytes: Vec<u8>,
    slot: usize,
    lengths: Vec<usize>,
    truncated: usize,
}

impl Batch {
    pub const MOST: usize = 64;

    /// Room for `slots` datagrams of at most `slot` bytes each.
    pub fn new(slots: usize, slot: usize) -> Batch {
        let slots = slots.clamp(1, Batch::MOST);
        Batch { bytes: vec![0; slots.saturating_mul(slot)], slot, lengths: Vec::with_capacity(slots), truncated: 0 }
    }

    /// The datagrams received from the kernel.
    pub fn datagrams(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks_exact(self.slot.max(1)).zip(&self.lengths).filter_map(|(slot, length)| slot.get(..*length))
    }

    /// Datagrams that were longer than their slot: their end is lost.
    pub fn truncated(&self) -> usize {
        self.truncated
    }

    /// Whether every slot is filled: there may be more to receive.
    pub fn is_full(&self) -> bool {
        self.lengths.len().saturating_mul(self.slot) >= self.bytes.len()
    }

    pub fn clear(&mut self) {
        self.lengths.clear();
        self.truncated = 0;
    }

    fn fill_from(&mut self, fd: libc::c_int) -> io::Result<usize> {
        // SAFETY: all zeroes are valid for these plain structures of integers and null pointers.
        let (mut headers, mut senders, mut places): (
            [libc::mmsghdr; Batch::MOST],
            [libc::sockaddr_nl; Batch::MOST],
            [libc::iovec; Batch::MOST],
        ) = unsafe { mem::zeroed() };
        let slots = self.bytes.chunks_exact(self.slot.max(1)).len().min(headers.len());
        for (((header, sender), place), slot) in
            headers.iter_mut().zip(&mut senders).zip(&mut places).zip(self.bytes.chunks_exact_mut(self.slot.max(1)))
        {
            *place = libc::iovec { iov_base: slot.as_mut_ptr().cast(), iov_len: slot.len() };
            header.msg_hdr.msg_name = ptr::from_mut(sender).cast();
            header.msg_hdr.msg_namelen = ADDRESS_LENGTH;
            header.msg_hdr.msg_iov = place;
            header.msg_hdr.msg_iovlen = 1;
        }
        let received = receive_many(fd, headers.get_mut(..slots).unwrap_or_default())?;
        for ((header, sender), _) in headers.iter().zip(&senders).zip(0..received) {
            let length = usize::try_from(header.msg_len).unwrap_or(0);
            let truncated = header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0;
            self.truncated = self.truncated.saturating_add(usize::from(truncated));
            // Port 0 is the kernel. Other programs may send to this socket too: nothing they say counts.
            self.lengths.push(if sender.nl_pid == 0 { length.min(self.slot) } else { 0 });
        }
        Ok(received)
    }
}

/// recvmmsg without a timeout; one message at a time where the kernel does not have it.
fn receive_many(fd: libc::c_int, headers: &mut [libc::mmsghdr]) -> io::Result<usize> {
    let no_timeout: *const libc::c_void = ptr::null();
    // SAFETY: every header points to a name and to one buffer that outlive the call; no timeout is passed.
    let received = unsafe { libc::syscall(RECVMMSG, fd, headers.as_mut_ptr(), headers.len(), 0, no_timeout) };
    if let Ok(received) = usize::try_from(received) {
        return Ok(received);
    }
    let error = io::Error::last_os_error();
    let (Some(libc::ENOSYS), Some(header)) = (error.raw_os_error(), headers.first_mut()) else { return Err(error) };
    // SAFETY: as above.
    let length = unsafe { libc::recvmsg(fd, &mut header.msg_hdr, 0) };
    header.msg_len = libc::c_uint::try_from(length).map_err(|_| io::Error::last_os_error())?;
    Ok(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_has_a_port_and_nothing_to_say_at_first() {
        let socket = Socket::open(Family::Route).unwrap();
        assert_ne!(socket.port(), 0);
        let mut batch = Batch::new(4, 64);
        assert_eq!(socket.receive(&mut batch).unwrap(), Receipt::Empty);
        assert_eq!(batch.datagrams().count(), 0);
    }

    #[test]
    fn the_achieved_buffer_is_told() {
        let socket = Socket::open(Family::Route).unwrap();
        assert_eq!(socket.set_receive_buffer(100_000), 100_000);
    }

    #[test]
    fn what_another_program_sends_does_not_count() {
        let (socket, other) = (Socket::open(Family::Route).unwrap(), Socket::open(Family::Route).unwrap());
        let mut address = any_port();
        address.nl_pid = socket.port();
        let forged = [0u8; 16];
        // SAFETY: the pointers lead to as many bytes as is said.
        let sent = unsafe {
            let to = ptr::from_ref(&address).cast();
            libc::sendto(other.as_fd().as_raw_fd(), forged.as_ptr().cast(), forged.len(), 0, to, ADDRESS_LENGTH)
        };
        assert_eq!(sent, 16);
        let mut batch = Batch::new(4, 64);
        assert_eq!(socket.receive(&mut batch).unwrap(), Receipt::Datagrams);
        assert!(batch.datagrams().all(<[u8]>::is_empty));
    }
}
