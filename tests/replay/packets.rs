//! A minute in a small home: what two devices, their router and the Internet send each other on the LAN.

use etherparse::{
    EtherType, Ethernet2Header, IcmpEchoHeader, Icmpv6Type, IpFragOffset, IpHeaders, IpNumber, Ipv4Extensions,
    Ipv4Header, PacketBuilder, PacketBuilderStep, VlanId,
};

use crate::writer::Packet;

pub const CAMERA: [u8; 6] = [0xb8, 0x27, 0xeb, 0, 0, 0x01];
pub const PHONE: [u8; 6] = [0xb8, 0x27, 0xeb, 0, 0, 0x02];
pub const ROUTER: [u8; 6] = [0x02, 0, 0, 0, 0, 0xfe];

const CAMERA4: [u8; 4] = [192, 168, 1, 11];
const ROUTER4: [u8; 4] = [192, 168, 1, 1];
const SERVER4: [u8; 4] = [203, 0, 113, 80];
const PHONE6: [u8; 16] = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x12];
const SERVER6: [u8; 16] = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80];

/// What the home's packets open, in order: sender, protocol, port.
pub const OPENINGS: &[([u8; 6], &str, u16)] = &[
    (CAMERA, "udp", 53),
    (CAMERA, "tcp", 443),
    (CAMERA, "icmp", 8),
    (PHONE, "tcp", 443),
    (PHONE, "icmpv6", 128),
    (CAMERA, "udp", 123),
    (CAMERA, "udp", 9000),
    (CAMERA, "gre", 0),
    (CAMERA, "udp", 53),
];

fn frame(from: [u8; 6], to: [u8; 6]) -> PacketBuilderStep<Ethernet2Header> {
    PacketBuilder::ethernet2(from, to)
}

/// `$builder` with `$payload`, as bytes.
macro_rules! bytes {
    ($builder:expr, $payload:expr) => {{
        let mut bytes = Vec::new();
        $builder.write(&mut bytes, $payload).unwrap();
        bytes
    }};
}

/// An IPv4 fragment of a datagram to port 9000.
fn fragment(offset: u16, more: bool, payload: &[u8]) -> Vec<u8> {
    let mut header = Ipv4Header::new(0, 64, IpNumber::UDP, CAMERA4, SERVER4).unwrap();
    (header.dont_fragment, header.more_fragments, header.identification) = (false, more, 7);
    header.fragment_offset = IpFragOffset::try_new(offset).unwrap();
    let mut bytes = Vec::new();
    let builder = frame(CAMERA, ROUTER).ip(IpHeaders::Ipv4(header, Ipv4Extensions::default()));
    builder.write(&mut bytes, IpNumber::UDP, payload).unwrap();
    bytes
}

/// The home's packets, a second apart but for the last, which comes ten minutes later.
pub fn home() -> Vec<Packet> {
    let camera = || frame(CAMERA, ROUTER).ipv4(CAMERA4, SERVER4, 64);
    let to_camera = || frame(ROUTER, CAMERA).ipv4(SERVER4, CAMERA4, 60);
    let phone = || frame(PHONE, ROUTER).ipv6(PHONE6, SERVER6, 64);
    let to_phone = || frame(ROUTER, PHONE).ipv6(SERVER6, PHONE6, 60);
    let ping = IcmpEchoHeader { id: 1, seq: 1 };
    let query = || bytes!(frame(CAMERA, ROUTER).ipv4(CAMERA4, ROUTER4, 64).udp(40000, 53), b"query");
    let last = query();
    let packets = vec![
        // A name is asked for; the answer opens nothing, nor does asking again at once.
        query(),
        bytes!(frame(ROUTER, CAMERA).ipv4(ROUTER4, CAMERA4, 64).udp(53, 40000), b"answer"),
        query(),
        // A connection: SYN, SYN again, SYN/ACK, ACK, data.
        bytes!(camera().tcp(50000, 443, 1, 64000).syn(), &[]),
        bytes!(camera().tcp(50000, 443, 1, 64000).syn(), &[]),
        bytes!(to_camera().tcp(443, 50000, 9, 64000).syn().ack(2), &[]),
        bytes!(camera().tcp(50000, 443, 2, 64000).ack(10), &[]),
        bytes!(to_camera().tcp(443, 50000, 10, 64000).ack(2).psh(), b"hello"),
        // A ping and its answer; an error about something else.
        bytes!(camera().icmpv4_echo_request(1, 1), b"ping"),
        bytes!(to_camera().icmpv4_echo_reply(1, 1), b"ping"),
        bytes!(to_camera().icmpv4_raw(3, 1, [0; 4]), &[0x45; 28]),
        // The same over IPv6, with the neighbourhood chattering in between.
        bytes!(phone().tcp(50001, 443, 1, 64000).syn(), &[]),
        bytes!(phone().icmpv6_raw(135, 0, [0; 4]), &[0; 16]),
        bytes!(to_phone().icmpv6_raw(136, 0, [0; 4]), &[0; 16]),
        bytes!(to_phone().icmpv6_raw(134, 0, [0; 4]), &[0; 8]),
        bytes!(phone().icmpv6_raw(143, 0, [0; 4]), &[0; 20]),
        bytes!(to_phone().tcp(443, 50001, 1, 64000).syn().ack(2), &[]),
        bytes!(phone().icmpv6(Icmpv6Type::EchoRequest(ping)), b"ping"),
        bytes!(to_phone().icmpv6(Icmpv6Type::EchoReply(ping)), b"ping"),
        // Behind a VLAN tag.
        bytes!(
            frame(CAMERA, ROUTER).single_vlan(VlanId::try_new(7).unwrap()).ipv4(CAMERA4, SERVER4, 64).udp(40001, 123),
            &[0; 48]
        ),
        // A TCP connection that was under way when the capture began.
        bytes!(camera().tcp(50002, 8883, 77, 64000).ack(5).psh(), b"telemetry"),
        // A datagram in two fragments.
        fragment(0, true, &[&[0x9c, 0x40, 0x23, 0x28, 0, 24, 0, 0][..], &[1; 8]].concat()),
        fragment(2, false, &[2; 8]),
        // A protocol without ports, and something that is no IP.
        {
            let mut bytes = Vec::new();
            camera().write(&mut bytes, IpNumber::GRE, &[0, 0, 8, 0]).unwrap();
            bytes
        },
        {
            let mut bytes = CAMERA.repeat(2);
            bytes.extend(EtherType::ARP.0.to_be_bytes());
            bytes.extend([0; 28]);
            bytes
        },
        // From a group address, which no device has.
        bytes!(frame([0x01, 0, 0x5e, 0, 0, 1], ROUTER).ipv4(CAMERA4, SERVER4, 64).udp(1, 7), &[]),
    ];
    let start = 1_800_000_000_000_000;
    let mut packets: Vec<Packet> =
        packets.into_iter().enumerate().map(|(at, bytes)| (start + at as u64 * 1_000_000, bytes)).collect();
    packets.push((start + 600_000_000, last));
    packets
}

/// The same packets as `tcpdump -i any` shows them, in version 1 or 2.
pub fn cooked(version: u8, packets: &[Packet]) -> Vec<Packet> {
    let cook = |bytes: &[u8]| {
        let (source, kind, rest) = (&bytes[6..12], &bytes[12..14], &bytes[14..]);
        match version {
            1 => [&[0, 0, 0, 1, 0, 6], source, &[0, 0], kind, rest].concat(),
            _ => [kind, &[0, 0, 0, 0, 0, 3, 0, 1, 0, 6], source, &[0, 0], rest].concat(),
        }
    };
    packets.iter().map(|(time, bytes)| (*time, cook(bytes))).collect()
}

/// The same packets without their link header: those that are IP.
pub fn raw(packets: &[Packet]) -> Vec<Packet> {
    let ip = |bytes: &[u8]| match bytes[12..14] {
        [0x08, 0x00] | [0x86, 0xdd] => Some(bytes[14..].to_vec()),
        _ => None,
    };
    packets.iter().filter_map(|(time, bytes)| Some((*time, ip(bytes)?))).collect()
}
