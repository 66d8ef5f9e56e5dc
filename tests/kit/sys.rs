//! The system calls that the standard library has no words for. All `unsafe` of the kit is here.

use std::io;
use std::mem::{size_of, zeroed};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::process::Command;
use std::time::Duration;

fn checked(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn sized(result: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// Puts the calling thread into a network namespace of its own.
pub fn unshare_network() -> io::Result<()> {
    // SAFETY: takes no pointers; changes the calling thread alone.
    checked(unsafe { libc::unshare(libc::CLONE_NEWNET) }).map(drop)
}

/// Puts the calling thread into the network namespace that `namespace` is open on.
pub fn enter_network(namespace: RawFd) -> io::Result<()> {
    // SAFETY: takes no pointers; changes the calling thread alone.
    checked(unsafe { libc::setns(namespace, libc::CLONE_NEWNET) }).map(drop)
}

/// Has the kernel kill the child when the thread that spawns it ends, however it ends.
pub fn die_with_parent(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    // SAFETY: prctl is async-signal-safe and takes no pointers here.
    unsafe {
        command.pre_exec(|| checked(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL)).map(drop));
    }
}

/// Sends a signal to a process of ours.
pub fn signal(pid: u32, signal: libc::c_int) -> io::Result<()> {
    let pid = libc::pid_t::try_from(pid).map_err(io::Error::other)?;
    assert!(pid > 1, "signals go to one child only");
    // SAFETY: takes no pointers.
    checked(unsafe { libc::kill(pid, signal) }).map(drop)
}

/// A non-blocking socket.
pub fn socket(family: libc::c_int, kind: libc::c_int, protocol: libc::c_int) -> io::Result<OwnedFd> {
    let flags = kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: takes no pointers.
    let fd = checked(unsafe { libc::socket(family, flags, protocol) })?;
    // SAFETY: the descriptor is new and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sets a socket option that is a number.
pub fn set_option(socket: &OwnedFd, level: libc::c_int, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
    set_option_bytes(socket, level, name, &value.to_ne_bytes())
}

/// Ties a socket to an interface, as `SO_BINDTODEVICE` does.
pub fn bind_to_device(socket: &OwnedFd, device: &str) -> io::Result<()> {
    set_option_bytes(socket, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, device.as_bytes())
}

fn set_option_bytes(socket: &OwnedFd, level: libc::c_int, name: libc::c_int, value: &[u8]) -> io::Result<()> {
    let length = value.len() as libc::socklen_t;
    // SAFETY: the pointer and the length describe `value`, which outlives the call.
    checked(unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, value.as_ptr().cast(), length) }).map(drop)
}

/// An address in the kernel's form.
struct Address {
    storage: libc::sockaddr_storage,
    length: libc::socklen_t,
}

impl Address {
    fn new(address: SocketAddr) -> Address {
        // SAFETY: sockaddr_storage is plain data for which zeroes are valid.
        let mut storage: libc::sockaddr_storage = unsafe { zeroed() };
        let target = (&raw mut storage).cast::<u8>();
        let length = match address {
            SocketAddr::V4(v4) => {
                let inner = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: v4.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(v4.ip().octets()) },
                    sin_zero: [0; 8],
                };
                // SAFETY: storage is large enough and aligned for every address family.
                unsafe { target.cast::<libc::sockaddr_in>().write(inner) };
                size_of::<libc::sockaddr_in>()
            }
            SocketAddr::V6(v6) => {
                let inner = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: v6.port().to_be(),
                    sin6_flowinfo: 0,
                    sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                    sin6_scope_id: v6.scope_id(),
                };
                // SAFETY: storage is large enough and aligned for every address family.
                unsafe { target.cast::<libc::sockaddr_in6>().write(inner) };
                size_of::<libc::sockaddr_in6>()
            }
        };
        Address { storage, length: length as libc::socklen_t }
    }

    fn pointer(&self) -> *const libc::sockaddr {
        (&raw const self.storage).cast()
    }
}

pub fn bind(socket: &OwnedFd, address: SocketAddr) -> io::Result<()> {
    let address = Address::new(address);
    // SAFETY: pointer and length describe `address`, which outlives the call.
    checked(unsafe { libc::bind(socket.as_raw_fd(), address.pointer(), address.length) }).map(drop)
}

/// Begins a connection; the socket becomes writable when it stands.
pub fn connect(socket: &OwnedFd, address: SocketAddr) -> io::Result<()> {
    let address = Address::new(address);
    // SAFETY: pointer and length describe `address`, which outlives the call.
    match checked(unsafe { libc::connect(socket.as_raw_fd(), address.pointer(), address.length) }) {
        Err(fault) if fault.raw_os_error() == Some(libc::EINPROGRESS) => Ok(()),
        other => other.map(drop),
    }
}

/// Lets a bound socket take connections.
pub fn listen(socket: &OwnedFd) -> io::Result<()> {
    // SAFETY: takes no pointers.
    checked(unsafe { libc::listen(socket.as_raw_fd(), 16) }).map(drop)
}

/// Whether a socket has a peer: its connection stands.
pub fn has_peer(socket: &OwnedFd) -> bool {
    // SAFETY: sockaddr_storage is plain data for which zeroes are valid.
    let mut storage: libc::sockaddr_storage = unsafe { zeroed() };
    let mut length = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    // SAFETY: pointer and length describe `storage`.
    unsafe { libc::getpeername(socket.as_raw_fd(), (&raw mut storage).cast(), &raw mut length) == 0 }
}

pub fn send_to(socket: &OwnedFd, bytes: &[u8], address: SocketAddr) -> io::Result<()> {
    let address = Address::new(address);
    // SAFETY: both pointers come with their lengths and outlive the call.
    sized(unsafe {
        libc::sendto(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), 0, address.pointer(), address.length)
    })
    .map(drop)
}

/// Receives one message without waiting, with the address it came from where that is an Internet address.
pub fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> io::Result<Option<(usize, Option<SocketAddr>)>> {
    // SAFETY: sockaddr_storage is plain data for which zeroes are valid.
    let mut storage: libc::sockaddr_storage = unsafe { zeroed() };
    let mut length = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    // SAFETY: every pointer comes with its length and outlives the call.
    let got = sized(unsafe {
        libc::recvfrom(
            socket.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            libc::MSG_DONTWAIT,
            (&raw mut storage).cast(),
            &raw mut length,
        )
    });
    match got {
        Ok(size) => Ok(Some((size, from_storage(&storage)))),
        Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(fault) => Err(fault),
    }
}

fn from_storage(storage: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match libc::c_int::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says that the storage holds this form.
            let inner = unsafe { &*(&raw const *storage).cast::<libc::sockaddr_in>() };
            Some(SocketAddr::from((inner.sin_addr.s_addr.to_ne_bytes(), u16::from_be(inner.sin_port))))
        }
        libc::AF_INET6 => {
            // SAFETY: the family says that the storage holds this form.
            let inner = unsafe { &*(&raw const *storage).cast::<libc::sockaddr_in6>() };
            Some(SocketAddr::from((inner.sin6_addr.s6_addr, u16::from_be(inner.sin6_port))))
        }
        _ => None,
    }
}

/// How a connection attempt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    Waiting,
    /// It stands; so many segments (with nothing sent yet: SYNs) had to be repeated.
    Connected {
        repeated: u32,
    },
    Refused,
}

/// Looks at a connection attempt without waiting.
pub fn attempt(socket: &OwnedFd) -> io::Result<Attempt> {
    // SAFETY: tcp_info is plain data for which zeroes are valid.
    let mut info: libc::tcp_info = unsafe { zeroed() };
    let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
    // SAFETY: pointer and length describe `info`.
    checked(unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO, (&raw mut info).cast(), &raw mut length)
    })?;
    // States of include/net/tcp_states.h: the socket leaves SYN_SENT for ESTABLISHED, or for CLOSE when refused.
    Ok(match info.tcpi_state {
        2 => Attempt::Waiting,
        7 => Attempt::Refused,
        _ => Attempt::Connected { repeated: info.tcpi_total_retrans },
    })
}

/// A packet socket that sends whole Ethernet frames through one interface of the calling thread's namespace.
pub fn frame_socket(device: &str) -> io::Result<OwnedFd> {
    packet_socket(device, libc::SOCK_RAW, 0)
}

/// A packet socket that records what arrives at one interface, from the network header on.
pub fn capture_socket(device: &str) -> io::Result<OwnedFd> {
    packet_socket(device, libc::SOCK_DGRAM, libc::ETH_P_ALL as u16)
}

fn packet_socket(device: &str, kind: libc::c_int, ethertype: u16) -> io::Result<OwnedFd> {
    let name = std::ffi::CString::new(device).map_err(io::Error::other)?;
    // SAFETY: `name` is a terminated string that outlives the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    if index == 0 {
        return Err(io::Error::last_os_error());
    }
    let socket = socket(libc::AF_PACKET, kind, 0)?;
    // SAFETY: sockaddr_ll is plain data for which zeroes are valid.
    let mut address: libc::sockaddr_ll = unsafe { zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = ethertype.to_be();
    address.sll_ifindex = index as libc::c_int;
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: pointer and length describe `address`.
    checked(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) })?;
    Ok(socket)
}

/// Sends a frame, waiting for room in the device's queue.
pub fn send_frame(socket: &OwnedFd, frame: &[u8]) -> io::Result<()> {
    loop {
        // SAFETY: pointer and length describe `frame`.
        match sized(unsafe { libc::send(socket.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) }) {
            Ok(_) => return Ok(()),
            Err(fault) if matches!(fault.raw_os_error(), Some(libc::ENOBUFS | libc::EAGAIN)) => {
                std::thread::sleep(Duration::from_micros(200));
            }
            Err(fault) => return Err(fault),
        }
    }
}

/// Whether the test runs as root.
pub fn is_root() -> bool {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::geteuid() == 0 }
}
