//! Datagrams, as many as a processor can send or as many as are asked for, and what arrives of them.

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use super::network::SERVER_V4;
use super::{Network, pin, processors};

/// Messages a system call sends.
const BATCH: usize = 64;
/// As many messages as the largest number of ports that is compared.
const MANY: usize = 20_000;
const PAYLOAD: &[u8] = &[0x55; 18];

/// Takes everything away that arrives at the server, so that nobody answers that a port is closed.
pub fn sink(network: &Network) {
    network.server.nft(
        "table inet sink { chain prerouting { type filter hook prerouting priority raw; policy accept; meta l4proto udp drop\n }\n }",
    );
}

/// Packets that have reached the server's interface.
pub fn arrived(network: &Network) -> u64 {
    let text = network.server.proc_net("dev").expect("/proc/net/dev can be read");
    let line = text.lines().find_map(|line| line.trim().strip_prefix("eth0:")).expect("the server has an eth0");
    line.split_whitespace().nth(1).and_then(|packets| packets.parse().ok()).expect("received packets")
}

/// A socket of the network's first device.
pub fn device_socket(network: &Network) -> UdpSocket {
    network.lan.run(|| UdpSocket::bind((network.station(0).v4(), 4000)).expect("the device can send"))
}

pub fn send(socket: &UdpSocket, port: u16) {
    // Where a full queue refuses a packet on its way out, it is lost like any other.
    let _ = socket.send_to(PAYLOAD, (SERVER_V4, port));
}

/// A batch of messages that can be sent again and again.
pub struct Blaster<'a> {
    socket: &'a UdpSocket,
    messages: Vec<libc::mmsghdr>,
    next: usize,
    /// What the messages point to.
    _addresses: Vec<libc::sockaddr_in>,
    _payload: Box<libc::iovec>,
}

impl<'a> Blaster<'a> {
    /// `count` messages, which go to the server's `ports` in turn. To compare different numbers of ports, let `count` be the
    /// same: it is what the sender has to read.
    pub fn new(socket: &'a UdpSocket, ports: &[u16], count: usize) -> Blaster<'a> {
        let address = |port: &u16| sockaddr(SocketAddr::from((SERVER_V4, *port)));
        let count = count.next_multiple_of(BATCH);
        let mut addresses: Vec<libc::sockaddr_in> = ports.iter().cycle().take(count).map(address).collect();
        let mut payload =
            Box::new(libc::iovec { iov_base: PAYLOAD.as_ptr().cast_mut().cast(), iov_len: PAYLOAD.len() });
        let message = |number: usize| {
            // SAFETY: all zeroes are a valid mmsghdr.
            let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
            message.msg_hdr.msg_name = (&raw mut addresses[number]).cast();
            message.msg_hdr.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            message.msg_hdr.msg_iov = &raw mut *payload;
            message.msg_hdr.msg_iovlen = 1;
            message
        };
        let messages = (0..count).map(message).collect();
        Blaster { socket, messages, next: 0, _addresses: addresses, _payload: payload }
    }

    /// Sends 64 packets with one call, and says how many left.
    pub fn send(&mut self) -> usize {
        let some = &mut self.messages[self.next..][..BATCH];
        // SAFETY: every message points to an address and a buffer that live as long as this.
        let sent = unsafe { libc::sendmmsg(self.socket.as_raw_fd(), some.as_mut_ptr(), BATCH as libc::c_uint, 0) };
        self.next = (self.next + BATCH) % self.messages.len();
        usize::try_from(sent).unwrap_or(0)
    }
}

/// Sends for a while and says how many it sent.
/// At full speed, or at `rate` packets a second: then in bursts of 64, as far as the machine keeps up.
pub fn blast(socket: &UdpSocket, ports: &[u16], rate: Option<f64>, length: Duration) -> usize {
    let mut blaster = Blaster::new(socket, ports, BATCH);
    let (begun, mut sent) = (Instant::now(), 0);
    while begun.elapsed() < length {
        if let Some(rate) = rate {
            let due = Duration::from_secs_f64(sent as f64 / rate);
            // Pauses last longer than they should: what is missed meanwhile follows at once.
            if let Some(pause) = due.checked_sub(begun.elapsed()) {
                std::thread::sleep(pause);
            }
        }
        sent += blaster.send();
    }
    sent
}

/// Nanoseconds a packet takes all the way to the sink: the median of many calls, so that what else the machine did meanwhile
/// does not count. The sender's own processor does all the work of a packet before its call returns; if packets did not
/// arrive, something else is measured and this fails.
pub fn cost(network: &Network, ports: &[u16], calls: usize) -> f64 {
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            pin(processors().0);
            let socket = device_socket(network);
            let mut blaster = Blaster::new(&socket, ports, MANY);
            let before = arrived(network);
            let mut sent = 0;
            let call = |_| {
                let begun = Instant::now();
                sent += blaster.send();
                begun.elapsed().as_nanos() as f64 / BATCH as f64
            };
            let times = (0..calls).map(call).collect();
            let arrived = arrived(network) - before;
            assert!(arrived as f64 >= 0.98 * sent as f64, "only {arrived} of {sent} packets arrived");
            super::report::median(times)
        });
        sender.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Blasts from a processor of its own and says how many packets a second `count` grew by meanwhile, the first tenth left out.
pub fn rate(socket: &UdpSocket, ports: &[u16], length: Duration, count: impl Fn() -> u64) -> f64 {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            pin(processors().0);
            blast(socket, ports, None, length + length / 5);
        });
        std::thread::sleep(length / 10);
        let (before, begun) = (count(), Instant::now());
        std::thread::sleep(length);
        (count() - before) as f64 / begun.elapsed().as_secs_f64()
    })
}

fn sockaddr(address: SocketAddr) -> libc::sockaddr_in {
    let SocketAddr::V4(v4) = address else { unreachable!("the benches send IPv4") };
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: v4.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(v4.ip().octets()) },
        sin_zero: [0; 8],
    }
}
