//! Ethernet frames by hand: whatever a device might forge, down to its MAC address.

use std::net::{Ipv4Addr, Ipv6Addr};

use glacic::flow::Mac;

use super::network::{ROUTER_MAC, SERVER_V4, SERVER_V6};

/// TCP flags, RFC 9293 section 3.1.
pub const ACK: u8 = 0x10;
pub const RST: u8 = 0x04;
pub const SYN: u8 = 0x02;
pub const FIN: u8 = 0x01;

/// The Internet checksum, RFC 1071.
pub fn checksum(bytes: &[u8]) -> u16 {
    let mut sum = 0u32;
    for pair in bytes.chunks(2) {
        let low = pair.get(1).copied().unwrap_or(0);
        sum += u32::from(u16::from_be_bytes([pair[0], low]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// A frame to the router with an IPv4 packet for the server.
pub fn ipv4(mac: Mac, source: Ipv4Addr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(34 + payload.len());
    frame.extend(ROUTER_MAC.0);
    frame.extend(mac.0);
    frame.extend([0x08, 0x00]);
    let total = (20 + payload.len()) as u16;
    let mut header = [0u8; 20];
    header[0] = 0x45;
    header[2..4].copy_from_slice(&total.to_be_bytes());
    header[8] = 64;
    header[9] = protocol;
    header[12..16].copy_from_slice(&source.octets());
    header[16..20].copy_from_slice(&SERVER_V4.octets());
    let sum = checksum(&header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    frame.extend(header);
    frame.extend(payload);
    frame
}

/// A datagram; its checksum is left out, as RFC 768 allows.
pub fn udp(mac: Mac, source: Ipv4Addr, source_port: u16, port: u16, number: u64) -> Vec<u8> {
    let mut payload = Vec::with_capacity(16);
    payload.extend(source_port.to_be_bytes());
    payload.extend(port.to_be_bytes());
    payload.extend(16u16.to_be_bytes());
    payload.extend([0, 0]);
    payload.extend(number.to_be_bytes());
    ipv4(mac, source, 17, &payload)
}

/// A TCP segment without payload.
pub fn tcp(mac: Mac, source: Ipv4Addr, source_port: u16, port: u16, flags: u8) -> Vec<u8> {
    let mut pseudo = Vec::with_capacity(12);
    pseudo.extend(source.octets());
    pseudo.extend(SERVER_V4.octets());
    pseudo.extend([0, 6, 0, 20]);
    ipv4(mac, source, 6, &segment(pseudo, (source_port, port), flags, &[]))
}

/// A TCP segment with its checksum; `pseudo` is what of the packet around it is summed too.
fn segment(pseudo: Vec<u8>, (source_port, port): (u16, u16), flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut segment = Vec::with_capacity(20 + payload.len());
    segment.extend(source_port.to_be_bytes());
    segment.extend(port.to_be_bytes());
    segment.extend(1000u32.to_be_bytes());
    segment.extend(2000u32.to_be_bytes());
    segment.extend([0x50, flags]);
    segment.extend(1024u16.to_be_bytes());
    segment.extend([0, 0, 0, 0]);
    segment.extend(payload);
    let mut summed = pseudo;
    summed.extend(&segment);
    let sum = checksum(&summed);
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    segment
}

/// A frame to the router with an IPv6 packet for the server.
pub fn ipv6(mac: Mac, source: Ipv6Addr, next: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(54 + payload.len());
    frame.extend(ROUTER_MAC.0);
    frame.extend(mac.0);
    frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
    frame.extend((payload.len() as u16).to_be_bytes());
    frame.extend([next, 64]);
    frame.extend(source.octets());
    frame.extend(SERVER_V6.octets());
    frame.extend(payload);
    frame
}

/// A TCP segment for an IPv6 packet, from source port 5555.
pub fn tcp6(source: Ipv6Addr, port: u16, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut pseudo = Vec::with_capacity(40);
    pseudo.extend(source.octets());
    pseudo.extend(SERVER_V6.octets());
    pseudo.extend((20 + payload.len() as u32).to_be_bytes());
    pseudo.extend([0, 0, 0, 6]);
    segment(pseudo, (5555, port), flags, payload)
}

/// The same behind 512 bytes of destination options that whoever gets them is to skip: more than is copied of a packet.
pub fn behind_options(segment: &[u8]) -> Vec<u8> {
    let mut header = vec![6, 63];
    for _ in 0..2 {
        header.extend([0x1e, 253]);
        header.extend([0; 253]);
    }
    header.extend(segment);
    header
}
