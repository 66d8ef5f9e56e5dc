//! What arrives: real sockets of a real host, whose buffers are read when somebody asks.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::Mutex;

use super::Host;
use super::sys;
use super::wait::{POSITIVE, within};

/// A datagram socket for both families that records the numbers it received.
pub struct UdpServer {
    socket: UdpSocket,
    seen: Mutex<Vec<(IpAddr, u64)>>,
}

impl UdpServer {
    pub fn new(host: &Host, port: u16) -> UdpServer {
        let socket = host
            .run(|| UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port)))
            .unwrap_or_else(|fault| panic!("{} cannot receive at udp {port}: {fault}", host.name));
        socket.set_nonblocking(true).expect("a socket can be made not to wait");
        UdpServer { socket, seen: Mutex::default() }
    }

    /// Who sent what, in the order of arrival.
    pub fn seen(&self) -> Vec<(IpAddr, u64)> {
        let mut seen = self.seen.lock().expect("no other reader panicked");
        let mut payload = [0; 8];
        while let Ok((_, from)) = self.socket.recv_from(&mut payload) {
            seen.push((from.ip().to_canonical(), u64::from_be_bytes(payload)));
        }
        seen.clone()
    }

    pub fn has(&self, number: u64) -> bool {
        self.seen().iter().any(|(_, seen)| *seen == number)
    }

    /// Waits until the number arrives.
    pub fn gets(&self, number: u64) -> bool {
        within(POSITIVE, || self.has(number).then_some(())).is_some()
    }

    /// Answers to an address, from this port.
    pub fn reply(&self, to: SocketAddr, number: u64) {
        self.socket.send_to(&number.to_be_bytes(), to).expect("the server can send");
    }
}

/// A listening socket for both families. The kernel completes handshakes by itself.
pub struct TcpServer {
    listener: TcpListener,
}

impl TcpServer {
    pub fn new(host: &Host, port: u16) -> TcpServer {
        let listener = host
            .run(|| TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)))
            .unwrap_or_else(|fault| panic!("{} cannot listen at tcp {port}: {fault}", host.name));
        listener.set_nonblocking(true).expect("a socket can be made not to wait");
        TcpServer { listener }
    }

    /// The next connection that stands, if one does.
    pub fn accepted(&self) -> Option<TcpStream> {
        let (stream, _) = self.listener.accept().ok()?;
        stream.set_nonblocking(false).expect("a stream can be made to wait");
        Some(stream)
    }

    /// Answers every connection with what it sends, in threads that end with their connections.
    pub fn echo(self) {
        self.listener.set_nonblocking(false).expect("a socket can be made to wait");
        std::thread::spawn(move || {
            for stream in self.listener.incoming().map_while(Result::ok) {
                std::thread::spawn(move || echo(stream));
            }
        });
    }
}

fn echo(mut stream: TcpStream) {
    let mut buffer = [0; 2048];
    while let Ok(size) = stream.read(&mut buffer) {
        if size == 0 || stream.write_all(&buffer[..size]).is_err() {
            return;
        }
    }
}

/// Echo requests that reached a host, by who sent them and with which identifier.
pub struct PingServer {
    sockets: [OwnedFd; 2],
    seen: Mutex<Vec<(IpAddr, u16, u16)>>,
}

impl PingServer {
    pub fn new(host: &Host) -> PingServer {
        let sockets = host.run(|| {
            [
                sys::socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP),
                sys::socket(libc::AF_INET6, libc::SOCK_RAW, libc::IPPROTO_ICMPV6),
            ]
            .map(|socket| socket.expect("root may open raw sockets"))
        });
        PingServer { sockets, seen: Mutex::default() }
    }

    /// Sender, identifier and sequence number of every request.
    pub fn seen(&self) -> Vec<(IpAddr, u16, u16)> {
        let mut seen = self.seen.lock().expect("no other reader panicked");
        let mut buffer = [0; 256];
        for socket in &self.sockets {
            while let Ok(Some((size, Some(from)))) = sys::receive(socket, &mut buffer) {
                // A raw IPv4 socket hands over the IP header too.
                let start = if from.is_ipv4() { usize::from(buffer[0] & 0x0f) * 4 } else { 0 };
                if let Some([8 | 128, _, _, _, i0, i1, n0, n1]) = buffer.get(start..size).and_then(|m| m.first_chunk())
                {
                    seen.push((from.ip(), u16::from_be_bytes([*i0, *i1]), u16::from_be_bytes([*n0, *n1])));
                }
            }
        }
        seen.clone()
    }

    pub fn has(&self, from: IpAddr, identifier: u16) -> bool {
        self.seen().iter().any(|(sender, id, _)| (*sender, *id) == (from, identifier))
    }

    pub fn gets(&self, from: IpAddr, identifier: u16) -> bool {
        within(POSITIVE, || self.has(from, identifier).then_some(())).is_some()
    }
}
