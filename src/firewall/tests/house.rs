//! A house to test in: a router (the namespace of the test), a client behind `br-lan` and a server behind `wan0`, each in
//! a network namespace of its own.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::flow::Mac;

use super::support::must;

/// How long a test waits for what must happen. It never waits for what must not.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub const CLIENT: Mac = Mac([2, 0, 0, 0, 0, 2]);
pub const SERVER: &str = "198.51.100.2";

type Job = Box<dyn FnOnce() + Send>;

/// A thread in a network namespace of its own.
pub struct Space {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    path: String,
}

impl Space {
    fn new() -> Space {
        let (jobs, inbox) = mpsc::channel::<Job>();
        let (tell, told) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            // SAFETY: takes no pointers; changes the namespace of this thread alone.
            assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWNET) }, 0);
            // SAFETY: takes nothing and cannot fail.
            let thread = unsafe { libc::gettid() };
            tell.send(format!("/proc/{}/task/{thread}/ns/net", std::process::id())).unwrap();
            inbox.into_iter().for_each(|job| job());
        });
        Space { jobs: Some(jobs), thread: Some(thread), path: told.recv().unwrap() }
    }

    /// Does something inside.
    pub fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (tell, told) = mpsc::channel();
        self.jobs.as_ref().unwrap().send(Box::new(move || tell.send(job()).unwrap())).unwrap();
        told.recv().unwrap()
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        self.jobs = None;
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

pub struct House {
    pub client: Space,
    pub server: Space,
}

impl House {
    /// Builds it around the namespace of the calling thread, which becomes the router.
    pub fn new() -> House {
        let house = House { client: Space::new(), server: Space::new() };
        let ip = |line: String| drop(must("ip", &line.split(' ').collect::<Vec<_>>(), ""));
        ip("link set lo up".to_owned());
        for (space, name, subnet, subnet6, mac) in [
            (&house.client, "br-lan", "192.168.1", "fd00:1:", CLIENT),
            (&house.server, "wan0", "198.51.100", "fd00:2:", Mac([2, 0, 0, 0, 0, 9])),
        ] {
            ip(format!("link add {name} type veth peer name eth0 address {mac} netns {}", space.path));
            ip(format!("addr add {subnet}.1/24 dev {name}"));
            ip(format!("addr add {subnet6}:1/64 dev {name} nodad"));
            ip(format!("link set {name} up"));
            space.run(move || {
                let ip = |line: String| drop(must("ip", &line.split(' ').collect::<Vec<_>>(), ""));
                ip(format!("addr add {subnet}.2/24 dev eth0"));
                ip(format!("addr add {subnet6}:2/64 dev eth0 nodad"));
                ip("link set eth0 up".to_owned());
                ip(format!("route add default via {subnet}.1"));
                ip(format!("route add default via {subnet6}:1"));
            });
        }
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
        std::fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1").unwrap();
        house
    }

    /// A socket of the client, which speaks to this port of the server.
    pub fn ask(&self, port: u16) -> UdpSocket {
        self.client.run(move || {
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            socket.connect((SERVER, port)).unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            socket
        })
    }

    /// A socket of the server. One that was just closed may live on for a moment, in a program that another test is
    /// starting (between fork and exec it has everything that this process had open): then its port is waited for.
    pub fn listen(&self, port: u16) -> UdpSocket {
        self.server.run(move || {
            let mut bound = None;
            let mut bind = || {
                bound = match UdpSocket::bind(("0.0.0.0", port)) {
                    Err(error) if error.kind() == ErrorKind::AddrInUse => None,
                    other => Some(other.unwrap()),
                };
                bound.is_some()
            };
            until(&mut bind, &format!("udp/{port} stays in use"));
            let socket = bound.unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            socket
        })
    }

    /// Sends the first datagram of a flow, which must arrive.
    pub fn arrives(&self, port: u16) {
        let server = self.listen(port);
        self.ask(port).send(b"hello").unwrap();
        let got = server.recv(&mut [0; 16]);
        assert_eq!(got.ok(), Some(5), "udp/{port} did not arrive");
    }

    /// Sends the first datagram of a flow, which the rule with this comment must drop.
    pub fn is_dropped_by(&self, port: u16, table: &str, comment: &str) {
        let before = counted(table, comment);
        self.ask(port).send(b"hello").unwrap();
        until(|| counted(table, comment) > before, &format!("udp/{port} was not dropped by {comment:?}"));
    }
}

/// Packets counted by all rules of a table with this comment.
pub fn counted(table: &str, comment: &str) -> u64 {
    let listing = must("nft", &["list", "table", "inet", table], "");
    let comment = format!("comment \"{comment}\"");
    let counts = listing.lines().filter(|line| line.contains(&comment)).filter_map(|line| {
        let (_, rest) = line.split_once("counter packets ")?;
        rest.split(' ').next()?.parse::<u64>().ok()
    });
    counts.sum()
}

/// Waits for what must become true.
pub fn until(mut happened: impl FnMut() -> bool, otherwise: &str) {
    let end = Instant::now() + PATIENCE;
    while !happened() {
        assert!(Instant::now() < end, "{otherwise}");
        std::thread::yield_now();
    }
}
