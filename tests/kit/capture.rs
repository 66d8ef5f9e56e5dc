//! What passes an interface: every packet that arrives at a host, whatever its protocol.

use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::Mutex;

use super::Host;
use super::sys;
use super::wait::{POSITIVE, within};

/// The packets that arrived at one interface, from the IP header on.
pub struct Capture {
    socket: OwnedFd,
    packets: Mutex<Vec<Vec<u8>>>,
}

/// A packet's addresses, protocol and transport header on.
#[derive(Debug)]
pub struct Captured<'a> {
    pub source: IpAddr,
    pub protocol: u8,
    pub transport: &'a [u8],
}

impl Captured<'_> {
    /// Source and destination port, for protocols that begin with them.
    pub fn ports(&self) -> Option<(u16, u16)> {
        let [s0, s1, d0, d1] = self.transport.first_chunk()?;
        Some((u16::from_be_bytes([*s0, *s1]), u16::from_be_bytes([*d0, *d1])))
    }
}

impl Capture {
    pub fn new(host: &Host, interface: &str) -> Capture {
        let socket = host
            .run(|| sys::capture_socket(interface))
            .unwrap_or_else(|fault| panic!("{} cannot capture at {interface}: {fault}", host.name));
        // Root of a user namespace may not have it; tests that count little do without.
        let _ = sys::set_option(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, 8 << 20);
        Capture { socket, packets: Mutex::default() }
    }

    /// How many packets so far are of the kind asked for.
    pub fn count(&self, wanted: impl Fn(&Captured<'_>) -> bool) -> usize {
        let mut packets = self.packets.lock().expect("no other reader panicked");
        let mut buffer = [0; 2048];
        while let Ok(Some((size, _))) = sys::receive(&self.socket, &mut buffer) {
            packets.push(buffer[..size].to_vec());
        }
        packets.iter().filter_map(|packet| read(packet)).filter(wanted).count()
    }

    /// Waits until one of the kind asked for has come.
    pub fn gets(&self, wanted: impl Fn(&Captured<'_>) -> bool) -> bool {
        within(POSITIVE, || (self.count(&wanted) > 0).then_some(())).is_some()
    }
}

/// Test packets have no IPv6 extension headers.
fn read(packet: &[u8]) -> Option<Captured<'_>> {
    match packet.first()? >> 4 {
        4 => {
            let header = usize::from(packet.first()? & 0x0f) * 4;
            let source: [u8; 4] = *packet.get(12..)?.first_chunk()?;
            Some(Captured { source: source.into(), protocol: *packet.get(9)?, transport: packet.get(header..)? })
        }
        6 => {
            let source: [u8; 16] = *packet.get(8..)?.first_chunk()?;
            Some(Captured { source: source.into(), protocol: *packet.get(6)?, transport: packet.get(40..)? })
        }
        _ => None,
    }
}
