//! Packets as plans: what etherparse is to build, and what is to be read from it.

use etherparse::{
    Icmpv4Type, Icmpv6Type, IpFragOffset, IpHeaders, IpNumber, Ipv4Extensions, Ipv4Header, Ipv4Options, Ipv6Extensions,
    Ipv6FlowLabel, Ipv6FragmentHeader, Ipv6Header, Ipv6RawExtHeader, Ipv6RoutingExtensions, PacketBuilder, TcpHeader,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::flow::Protocol;
use crate::wire::{Facts, Stage};

/// A packet to build.
#[derive(Debug, Clone)]
pub struct Plan {
    ip: Ip,
    upper: Upper,
    payload: Vec<u8>,
}

#[derive(Debug, Clone)]
enum Ip {
    V4 {
        from: [u8; 4],
        to: [u8; 4],
        option_words: u8,
        fragment: (u16, bool),
    },
    V6 {
        from: [u8; 16],
        to: [u8; 16],
        hop_by_hop: bool,
        options: bool,
        routing: Option<bool>,
        fragment: Option<(u16, bool)>,
    },
}

#[derive(Debug, Clone)]
enum Upper {
    Tcp { ports: (u16, u16), flags: u8, option_words: u8 },
    Udp { ports: (u16, u16) },
    Icmp { kind: u8 },
    Icmpv6 { kind: u8 },
    Other { protocol: u8 },
}

impl Plan {
    pub fn build(&self) -> Vec<u8> {
        let builder = PacketBuilder::ip(self.ip.headers());
        let mut bytes = Vec::new();
        match self.upper {
            Upper::Tcp { ports: (from, to), flags, option_words } => {
                let mut header = TcpHeader::new(from, to, 1, 1000);
                (header.fin, header.syn, header.rst) = (flags & 1 != 0, flags & 2 != 0, flags & 4 != 0);
                (header.psh, header.ack, header.ece) = (flags & 8 != 0, flags & 16 != 0, flags & 64 != 0);
                header.set_options_raw(&vec![1; usize::from(option_words) * 4]).unwrap();
                builder.tcp_header(header).write(&mut bytes, &self.payload).unwrap();
            }
            Upper::Udp { ports: (from, to) } => builder.udp(from, to).write(&mut bytes, &self.payload).unwrap(),
            Upper::Icmp { kind } => {
                let message = Icmpv4Type::Unknown { type_u8: kind, code_u8: 0, bytes5to8: [0; 4] };
                builder.icmpv4(message).write(&mut bytes, &self.payload).unwrap();
            }
            Upper::Icmpv6 { kind } => {
                let message = Icmpv6Type::Unknown { type_u8: kind, code_u8: 0, bytes5to8: [0; 4] };
                builder.icmpv6(message).write(&mut bytes, &self.payload).unwrap();
            }
            Upper::Other { protocol } => builder.write(&mut bytes, IpNumber(protocol), &self.payload).unwrap(),
        }
        bytes
    }

    pub fn expected(&self) -> Facts {
        let (protocol, source_port, port, stage) = match self.upper {
            Upper::Tcp { ports, flags, .. } => {
                let stage = if flags & 0x17 == 0x02 { Stage::Opening } else { Stage::MidStream };
                (Protocol::TCP, ports.0, ports.1, stage)
            }
            Upper::Udp { ports } => (Protocol::UDP, ports.0, ports.1, Stage::Opening),
            Upper::Icmp { kind } => (Protocol::ICMP, 0, kind.into(), Stage::Opening),
            Upper::Icmpv6 { kind } => (Protocol::ICMPV6, 0, kind.into(), Stage::Opening),
            Upper::Other { protocol } => (Protocol(protocol), 0, 0, Stage::Opening),
        };
        let (source, destination, later) = match self.ip {
            Ip::V4 { from, to, fragment, .. } => (from.into(), to.into(), fragment.0 != 0),
            Ip::V6 { from, to, fragment, .. } => {
                (from.into(), to.into(), fragment.is_some_and(|(offset, _)| offset != 0))
            }
        };
        // Last options stand behind the fragment header: in a later fragment they are what the fragment header names.
        let last_options = matches!(self.ip, Ip::V6 { routing: Some(true), .. });
        let protocol = if later && last_options { Protocol(60) } else { protocol };
        let (source_port, port, stage) = if later { (0, 0, Stage::LaterFragment) } else { (source_port, port, stage) };
        Facts { source, destination, protocol, source_port, port, stage }
    }
}

impl Ip {
    fn headers(&self) -> IpHeaders {
        let offset = |offset| IpFragOffset::try_new(offset).unwrap();
        let raw = || Ipv6RawExtHeader::new_raw(IpNumber(0), &[1, 4, 0, 0, 0, 0]).unwrap();
        match self {
            Ip::V4 { from, to, option_words, fragment } => {
                let mut header = Ipv4Header::new(0, 64, IpNumber(0), *from, *to).unwrap();
                header.options = Ipv4Options::try_from(vec![1; usize::from(*option_words) * 4].as_slice()).unwrap();
                (header.dont_fragment, header.fragment_offset) = (false, offset(fragment.0));
                header.more_fragments = fragment.1;
                IpHeaders::Ipv4(header, Ipv4Extensions::default())
            }
            Ip::V6 { from, to, hop_by_hop, options, routing, fragment } => IpHeaders::Ipv6(
                Ipv6Header {
                    traffic_class: 0,
                    flow_label: Ipv6FlowLabel::ZERO,
                    payload_length: 0,
                    next_header: IpNumber(0),
                    hop_limit: 64,
                    source: *from,
                    destination: *to,
                },
                Ipv6Extensions {
                    hop_by_hop_options: hop_by_hop.then(raw),
                    destination_options: options.then(raw),
                    routing: routing.map(|last| Ipv6RoutingExtensions {
                        routing: raw(),
                        final_destination_options: last.then(raw),
                    }),
                    fragment: fragment.map(|(at, more)| Ipv6FragmentHeader::new(IpNumber(0), offset(at), more, 7)),
                    auth: None,
                },
            ),
        }
    }
}

pub fn plan() -> impl Strategy<Value = Plan> {
    let fragment = || prop_oneof![2 => Just((0, false)), 1 => Just((0, true)), 1 => (prop_oneof![Just(1u16), 1u16..0x1fff], any::<bool>())];
    let v4 = (any::<[u8; 4]>(), any::<[u8; 4]>(), 0u8..=10, fragment())
        .prop_map(|(from, to, option_words, fragment)| Ip::V4 { from, to, option_words, fragment });
    let v6 = (
        any::<[u8; 16]>(),
        any::<[u8; 16]>(),
        any::<bool>(),
        any::<bool>(),
        option::of(any::<bool>()),
        option::of(fragment()),
    )
        .prop_map(|(from, to, hop_by_hop, options, routing, fragment)| Ip::V6 {
            from,
            to,
            hop_by_hop,
            options,
            routing,
            fragment,
        });
    let icmp = (any::<u8>(), any::<bool>());
    (
        prop_oneof![v4, v6],
        prop_oneof![
            3 => (any::<(u16, u16)>(), any::<u8>(), 0u8..=10)
                .prop_map(|(ports, flags, option_words)| Upper::Tcp { ports, flags, option_words }),
            2 => any::<(u16, u16)>().prop_map(|ports| Upper::Udp { ports }),
            1 => icmp.prop_map(|(kind, six)| if six { Upper::Icmpv6 { kind } } else { Upper::Icmp { kind } }),
            1 => prop_oneof![Just(2), Just(4), Just(41), Just(47), Just(50), Just(59), Just(89), Just(135), Just(139), Just(140)]
                .prop_map(|protocol| Upper::Other { protocol }),
        ],
        vec(any::<u8>(), 0..64),
    )
        .prop_map(|(ip, mut upper, payload)| {
            // The builder does not write ICMP over the other version of IP.
            if let (Ip::V4 { .. }, Upper::Icmpv6 { kind }) = (&ip, &upper) {
                upper = Upper::Icmp { kind: *kind };
            } else if let (Ip::V6 { .. }, Upper::Icmp { kind }) = (&ip, &upper) {
                upper = Upper::Icmpv6 { kind: *kind };
            }
            Plan { ip, upper, payload }
        })
}

/// The bytes of a plan with some of them changed, then cut off or padded.
pub fn mutated() -> impl Strategy<Value = Vec<u8>> {
    // Half of the changes aim at the numbers that steer the reading.
    let steering =
        prop_oneof![Just(0u8), Just(6), Just(17), Just(33), Just(43), Just(44), Just(51), Just(60), Just(132), 0u8..=2];
    let change = (any::<prop::sample::Index>(), prop_oneof![any::<u8>(), steering]);
    (plan(), vec(change, 0..6), option::of(any::<prop::sample::Index>()), vec(any::<u8>(), 0..8)).prop_map(
        |(plan, changes, end, padding)| {
            let mut bytes = plan.build();
            for (at, to) in changes {
                let at = at.index(bytes.len().min(96));
                bytes[at] = to;
            }
            match end {
                Some(end) => bytes.truncate(end.index(bytes.len())),
                None => bytes.extend(padding),
            }
            bytes
        },
    )
}
