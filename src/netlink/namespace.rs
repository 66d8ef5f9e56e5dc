//! For tests: network namespaces of their own, each a thread, gone when it is dropped. They need root.

use std::net::UdpSocket;
use std::os::fd::{AsFd, AsRawFd};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

type Job = Box<dyn FnOnce() + Send>;

/// A thread in a network namespace of its own, with the loopback interface up.
pub(crate) struct Namespace {
    jobs: mpsc::Sender<Job>,
    /// The thread's number: `ip link set … netns` takes it.
    pub thread: libc::c_long,
}

impl Namespace {
    /// `None`, said on standard error, where that is not permitted.
    pub fn new() -> Option<Namespace> {
        let (jobs, inbox) = mpsc::channel::<Job>();
        let (ready, started) = mpsc::channel();
        thread::spawn(move || {
            // SAFETY: neither call touches memory; the namespace is this thread's alone.
            let (failed, thread) = unsafe { (libc::unshare(libc::CLONE_NEWNET) != 0, libc::syscall(libc::SYS_gettid)) };
            let _ = ready.send((!failed).then_some(thread));
            inbox.into_iter().for_each(|job| job());
        });
        let Some(thread) = started.recv().unwrap() else {
            eprintln!("skipped: network namespaces need root");
            return None;
        };
        let namespace = Namespace { jobs, thread };
        namespace.run(|| run("ip link set lo up"));
        Some(namespace)
    }

    /// Two namespaces and a cable: a router (10.9.0.1, fd09::1, interface `lan0`) and its client (10.9.0.2, fd09::2,
    /// 02:00:00:00:00:02, interface `eth0`).
    pub fn router_and_client() -> Option<(Namespace, Namespace)> {
        let (router, client) = (Namespace::new()?, Namespace::new()?);
        let thread = client.thread;
        router.run(move || {
            run(&format!("ip link add lan0 address 02:00:00:00:00:01 type veth peer name eth0 address 02:00:00:00:00:02 netns {thread}"));
            run("ip addr add 10.9.0.1/24 dev lan0");
            run("ip addr add fd09::1/64 dev lan0 nodad");
            run("ip link set lan0 up");
        });
        client.run(|| {
            run("ip addr add 10.9.0.2/24 dev eth0");
            run("ip addr add fd09::2/64 dev eth0 nodad");
            run("ip link set eth0 up");
        });
        Some((router, client))
    }

    /// Runs `job` inside, and passes on its result or its panic.
    pub fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (reply, result) = mpsc::channel();
        let job = move || drop(reply.send(catch_unwind(AssertUnwindSafe(job))));
        self.jobs.send(Box::new(job)).unwrap();
        result.recv().unwrap().unwrap_or_else(|panic| resume_unwind(panic))
    }
}

/// Runs a command of words without spaces in them, which must succeed; gives what it printed.
pub(crate) fn run(command: &str) -> String {
    let mut words = command.split_whitespace();
    let output = Command::new(words.next().unwrap()).args(words).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Loads an nft script.
pub(crate) fn nft(script: &str) {
    let output = Command::new("nft").arg(script).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Waits until `source` has something to read; nothing in five seconds is a failure.
pub(crate) fn wait_readable(source: &impl AsFd) {
    let mut poll = libc::pollfd { fd: source.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one element is passed and one is said to be there.
    assert_eq!(unsafe { libc::poll(&mut poll, 1, 5_000) }, 1, "nothing came");
}

/// A socket that gives up after five seconds.
pub(crate) fn udp(address: &str) -> UdpSocket {
    let socket = UdpSocket::bind(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket
}

/// Takes CAP_NET_ADMIN from this thread for good.
pub(crate) fn give_up_net_admin() {
    let header = [0x2008_0522u32, 0];
    let mut sets = [0u32; 6];
    // SAFETY: the header is of version 3, whose data are two triples of 32-bit sets.
    let done = unsafe {
        libc::syscall(libc::SYS_capget, header.as_ptr(), sets.as_mut_ptr()) == 0 && {
            sets[0] &= !(1 << 12);
            libc::syscall(libc::SYS_capset, header.as_ptr(), sets.as_ptr()) == 0
        }
    };
    assert!(done);
}
