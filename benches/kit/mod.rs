//! What the benches share: the home network of the tests, a blaster of datagrams, readers on threads of their own, and
//! the way ratios are printed. Linux only, and root: networks are namespaces of their own and die with the bench.

#![allow(dead_code, reason = "every bench uses its own part of the kit")]

pub mod bare;
#[path = "../../tests/kit/host.rs"]
pub mod host;
#[path = "../../tests/kit/network.rs"]
pub mod network;
pub mod reader;
pub mod report;
#[path = "../../tests/kit/sys.rs"]
pub mod sys;
pub mod traffic;

use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

pub use host::Host;
pub use network::Network;

/// Whether the bench only has to show that it runs.
pub fn quick() -> bool {
    std::env::args().any(|argument| argument == "--quick")
}

/// Whether this part of a bench was asked for by its name, or none was.
pub fn wants(part: &str) -> bool {
    let mut named = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).peekable();
    named.peek().is_none() || named.any(|name| name == part)
}

/// Takes precedence over what else the machine does, where that is permitted: threads inherit it.
pub fn take_precedence() {
    // SAFETY: takes no pointers.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -20) };
}

/// `full` rounds, or two where the bench only has to show that it runs.
pub fn rounds(full: usize) -> usize {
    if quick() { 2 } else { full }
}

/// The first and the last processor this process may use: one for whoever sends, one for whoever reads.
pub fn processors() -> (usize, usize) {
    // SAFETY: zeroes are an empty set, and the call stays within it.
    let set = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::sched_getaffinity(libc::getpid(), size_of::<libc::cpu_set_t>(), &mut set);
        set
    };
    // SAFETY: the number is within the set.
    let mut usable = (0..libc::CPU_SETSIZE as usize).filter(|cpu| unsafe { libc::CPU_ISSET(*cpu, &set) });
    let first = usable.next().unwrap_or(0);
    (first, usable.next_back().unwrap_or(first))
}

/// Ties the calling thread to a processor, so that rounds differ in what they measure and not in where they ran.
pub fn pin(cpu: usize) {
    // SAFETY: zeroes are an empty set, the number is within it, and the call only reads it.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set);
    }
}

/// Lets every other thread go before the calling one.
pub fn give_way() {
    let none = libc::sched_param { sched_priority: 0 };
    // SAFETY: the call reads one structure.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &none) };
}

/// Processor time the calling thread has used.
pub fn thread_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes one timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Waits until there is something to read; `false` if nothing came in time.
pub fn wait_readable(source: &impl AsFd, milliseconds: libc::c_int) -> bool {
    let mut poll = libc::pollfd { fd: source.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one element is passed and one is said to be there.
    unsafe { libc::poll(&mut poll, 1, milliseconds) > 0 }
}
