//! What a device does: datagrams, connections, pings, any protocol, and frames that no honest device would send.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;

use super::network::{Family, Network, Station};
use super::sys::{self, Attempt};
use super::wait::{POSITIVE, within};

/// A datagram socket of one device.
pub struct Udp(OwnedFd);

impl Udp {
    /// Sends a datagram that carries `number`. A refusal that an earlier datagram met is not this one's.
    pub fn send(&self, to: SocketAddr, number: u64) {
        for _ in 0..2 {
            match sys::send_to(&self.0, &number.to_be_bytes(), to) {
                Ok(()) => return,
                Err(fault) if fault.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(fault) => panic!("cannot send a datagram to {to}: {fault}"),
            }
        }
    }

    /// Sends datagrams of so many bytes, all of zeroes, and hands them to the kernel as one packet.
    pub fn send_segmented(&self, to: SocketAddr, bytes: u16, segments: usize) {
        // UDP_SEGMENT of linux/udp.h.
        sys::set_option(&self.0, libc::SOL_UDP, 103, bytes.into()).expect("the kernel can segment datagrams");
        sys::send_to(&self.0, &vec![0; usize::from(bytes) * segments], to)
            .unwrap_or_else(|fault| panic!("cannot send {segments} datagrams to {to}: {fault}"));
    }
}

/// An SCTP association, as it is being set up.
pub struct Sctp(OwnedFd);

impl Sctp {
    pub fn stands_now(&self) -> bool {
        sys::has_peer(&self.0)
    }

    /// Waits until it stands.
    pub fn stands(&self) -> bool {
        within(POSITIVE, || self.stands_now().then_some(())).is_some()
    }
}

/// A connection attempt of one device.
pub struct Tcp(OwnedFd);

impl Tcp {
    /// How it stands now.
    pub fn state(&self) -> Attempt {
        sys::attempt(&self.0).expect("the kernel tells about a TCP socket")
    }

    /// Waits until it stands, and says how many SYNs had to be repeated; `None` if it is refused or stays without answer.
    pub fn connected(&self) -> Option<u32> {
        match within(POSITIVE, || match self.state() {
            Attempt::Waiting => None,
            decided => Some(decided),
        }) {
            Some(Attempt::Connected { repeated }) => Some(repeated),
            _ => None,
        }
    }

    /// Whether it stands, and its first SYN was the one that arrived.
    pub fn first_arrived(&self) -> bool {
        self.state() == (Attempt::Connected { repeated: 0 })
    }

    /// The connection as a blocking stream.
    pub fn into_stream(self) -> TcpStream {
        let stream = TcpStream::from(self.0);
        stream.set_nonblocking(false).expect("a stream can be made to wait");
        stream.set_read_timeout(Some(POSITIVE)).expect("a stream takes a time limit");
        stream.set_write_timeout(Some(POSITIVE)).expect("a stream takes a time limit");
        stream
    }
}

/// Sends a payload over a connection and reads it back from an echoing peer.
pub fn echoes(stream: &mut TcpStream, payload: &[u8]) -> bool {
    let mut back = vec![0; payload.len()];
    stream.write_all(payload).and_then(|()| stream.read_exact(&mut back)).is_ok() && back == payload
}

impl Network {
    /// A socket of a device, tied to its interface and address.
    fn socket_of(&self, station: Station, to: IpAddr, kind: libc::c_int, protocol: libc::c_int) -> OwnedFd {
        let (family, source) = match to {
            IpAddr::V4(_) => (libc::AF_INET, station.address(Family::V4)),
            IpAddr::V6(_) => (libc::AF_INET6, station.address(Family::V6)),
        };
        self.lan
            .run(|| {
                let socket = sys::socket(family, kind, protocol)?;
                sys::bind_to_device(&socket, &station.interface())?;
                sys::bind(&socket, SocketAddr::new(source, 0))?;
                Ok::<_, io::Error>(socket)
            })
            .unwrap_or_else(|fault| panic!("no socket for device {}: {fault}", station.number))
    }

    /// A datagram socket with a source port of its own: its first datagram begins a new connection.
    pub fn udp(&self, station: Station, family: Family) -> Udp {
        Udp(self.socket_of(station, family.server(), libc::SOCK_DGRAM, 0))
    }

    /// Sends the first datagram of a new connection.
    pub fn send_udp(&self, station: Station, to: SocketAddr, number: u64) {
        Udp(self.socket_of(station, to.ip(), libc::SOCK_DGRAM, 0)).send(to, number);
    }

    /// Begins a connection; its SYN is on the way when this returns.
    pub fn connect(&self, station: Station, to: SocketAddr) -> Tcp {
        let socket = self.socket_of(station, to.ip(), libc::SOCK_STREAM, 0);
        // A refusal may be there at once: `state` tells it.
        let _ = sys::connect(&socket, to);
        Tcp(socket)
    }

    /// Begins an SCTP association, as a program with one at a time does.
    pub fn sctp(&self, station: Station, to: SocketAddr) -> Sctp {
        let socket = self.socket_of(station, to.ip(), libc::SOCK_STREAM, libc::IPPROTO_SCTP);
        let _ = sys::connect(&socket, to);
        Sctp(socket)
    }

    /// A server of SCTP for both families; the kernel completes what it takes by itself.
    pub fn sctp_server(&self, port: u16) -> OwnedFd {
        let made = self.server.run(|| {
            let socket = sys::socket(libc::AF_INET6, libc::SOCK_STREAM, libc::IPPROTO_SCTP)?;
            sys::bind(&socket, SocketAddr::new(std::net::Ipv6Addr::UNSPECIFIED.into(), port))?;
            sys::listen(&socket)?;
            Ok::<_, io::Error>(socket)
        });
        made.unwrap_or_else(|fault| panic!("the server cannot listen at sctp {port}: {fault}"))
    }

    /// Sends one echo request with the given identifier.
    pub fn ping(&self, station: Station, to: IpAddr, identifier: u16, number: u16) {
        let [i0, i1] = identifier.to_be_bytes();
        let [n0, n1] = number.to_be_bytes();
        let (protocol, kind) = match to {
            IpAddr::V4(_) => (libc::IPPROTO_ICMP, 8),
            IpAddr::V6(_) => (libc::IPPROTO_ICMPV6, 128),
        };
        let mut message = [kind, 0, 0, 0, i0, i1, n0, n1];
        if to.is_ipv4() {
            // The kernel fills in the checksum of ICMPv6 only.
            let [c0, c1] = super::frames::checksum(&message).to_be_bytes();
            message[2] = c0;
            message[3] = c1;
        }
        self.send_ip(station, to, protocol, &message);
    }

    /// Sends one packet of any protocol, from the transport header on.
    pub fn send_ip(&self, station: Station, to: IpAddr, protocol: libc::c_int, message: &[u8]) {
        let socket = self.socket_of(station, to, libc::SOCK_RAW, protocol);
        sys::send_to(&socket, message, SocketAddr::new(to, 0))
            .unwrap_or_else(|fault| panic!("cannot send protocol {protocol} to {to}: {fault}"));
    }

    /// A sender of whole frames at a device's interface.
    pub fn frames(&self, station: Station) -> Frames {
        let interface = station.interface();
        Frames(self.lan.run(|| sys::frame_socket(&interface)).expect("root may open a packet socket"))
    }
}

/// Sends whole Ethernet frames, forged or not.
pub struct Frames(OwnedFd);

impl Frames {
    pub fn send(&self, frame: &[u8]) {
        sys::send_frame(&self.0, frame).expect("an interface that is up takes frames");
    }
}
