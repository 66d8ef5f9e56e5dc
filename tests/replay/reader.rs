//! Every format, byte order and fault the reader knows.

use std::io::{self, Read};

use glacic::intercept::pcap::{Error, Fault, Link, MAX_PACKET, Reader};

use crate::writer::{Ng, Order, classic};

const ORDERS: [Order; 2] = [Order::Little, Order::Big];
const ETHERNET: u16 = 1;
const RESOLUTION: u16 = 9;

/// A frame, kept: time, link, bytes.
type Kept = (Option<u64>, Link, Vec<u8>);

/// What was read, the error that ended it, and where the capture was cut off.
fn read(bytes: &[u8]) -> (Vec<Kept>, Option<Error>, Option<u64>) {
    let mut reader = match Reader::open(bytes) {
        Ok(reader) => reader,
        Err(error) => return (Vec::new(), Some(error), None),
    };
    let (mut frames, mut fault) = (Vec::new(), None);
    while let Some(frame) = reader.next() {
        match frame {
            Ok(frame) => frames.push((frame.time, frame.link, frame.bytes.to_vec())),
            Err(error) => fault = Some(error),
        }
    }
    assert!(reader.next().is_none());
    (frames, fault, reader.truncated())
}

fn whole(bytes: &[u8]) -> Vec<Kept> {
    let (frames, fault, truncated) = read(bytes);
    assert!(fault.is_none() && truncated.is_none(), "{fault:?} {truncated:?}");
    frames
}

/// The error of a capture that has to have one, and how many frames came before it.
fn fault(bytes: &[u8]) -> (usize, u64, Fault) {
    let (frames, fault, _) = read(bytes);
    let error = fault.expect("a fault");
    (frames.len(), error.offset, error.fault)
}

#[test]
fn classic_in_both_orders_and_both_clocks() {
    let packets = [(1_700_000_000_123_456, vec![1, 2, 3]), (1_700_000_001_000_000, vec![])];
    for order in ORDERS {
        for nanos in [false, true] {
            let frames = whole(&classic(order, nanos, 101, &packets));
            let expected = packets.clone().map(|(time, bytes)| (Some(time), Link::Raw, bytes));
            assert_eq!(frames, expected, "{order:?} {nanos}");
        }
    }
}

#[test]
fn link_types_are_told_apart_and_unknown_ones_read() {
    for (number, link) in [
        (1, Link::Ethernet),
        (101, Link::Raw),
        (113, Link::Cooked),
        (228, Link::Ipv4),
        (229, Link::Ipv6),
        (276, Link::Cooked2),
        (127, Link::Other(127)),
        // The upper half says that there is a check sequence of four bytes.
        (0x4400_0001, Link::Ethernet),
    ] {
        assert_eq!(whole(&classic(Order::Big, false, number, &[(0, vec![0])]))[0].1, link);
    }
}

#[test]
fn ng_reads_every_kind_of_packet_block() {
    for order in ORDERS {
        let mut ng = Ng::new(order);
        ng.interface(ETHERNET, 0, &[]);
        ng.block(0x0bad_beef, &[7; 21]);
        ng.enhanced(0, 1_700_000_000_123_456, &[1, 2, 3]);
        ng.obsolete(0, 5, &[4]);
        ng.simple(2, &[5, 6]);
        let expected = [
            (Some(1_700_000_000_123_456), Link::Ethernet, vec![1, 2, 3]),
            (Some(5), Link::Ethernet, vec![4]),
            (None, Link::Ethernet, vec![5, 6]),
        ];
        assert_eq!(whole(&ng.bytes), expected, "{order:?}");
    }
}

#[test]
fn ng_interfaces_have_their_own_link_and_clock() {
    let mut ng = Ng::new(Order::Little);
    ng.interface(ETHERNET, 0, &[(2, b"br-lan"), (RESOLUTION, &[9])]);
    ng.interface(276, 0, &[(RESOLUTION, &[0x8a])]);
    ng.interface(101, 0, &[(RESOLUTION, &[3]), (14, &100i64.to_le_bytes())]);
    ng.enhanced(0, 1_999, &[1]);
    ng.enhanced(1, 1_536, &[2]); // 1.5 s in units of 1/1024 s
    ng.enhanced(2, 2, &[3]);
    let expected = [
        (Some(1), Link::Ethernet, vec![1]),
        (Some(1_500_000), Link::Cooked2, vec![2]),
        (Some(100_002_000), Link::Raw, vec![3]),
    ];
    assert_eq!(whole(&ng.bytes), expected);
}

#[test]
fn ng_a_time_that_cannot_be_is_none() {
    let mut ng = Ng::new(Order::Big);
    ng.interface(ETHERNET, 0, &[(RESOLUTION, &[0])]);
    ng.interface(ETHERNET, 0, &[(14, &(-1i64).to_be_bytes())]);
    ng.interface(ETHERNET, 0, &[(RESOLUTION, &[127])]);
    ng.interface(ETHERNET, 0, &[(RESOLUTION, &[255])]);
    for interface in 0..4 {
        ng.enhanced(interface, if interface == 1 { 0 } else { u64::MAX }, &[]);
    }
    let times: Vec<_> = whole(&ng.bytes).into_iter().map(|(time, ..)| time).collect();
    assert_eq!(times, [None, None, Some(0), Some(0)]);
}

#[test]
fn ng_sections_begin_afresh_in_their_own_order() {
    let mut ng = Ng::new(Order::Little);
    ng.interface(ETHERNET, 0, &[]);
    ng.enhanced(0, 1, &[1]);
    ng.section(Order::Big);
    ng.interface(101, 0, &[]);
    ng.enhanced(0, 2, &[2]);
    let good = whole(&ng.bytes);
    assert_eq!(good, [(Some(1), Link::Ethernet, vec![1]), (Some(2), Link::Raw, vec![2])]);

    let start = ng.bytes.len() as u64;
    ng.enhanced(1, 3, &[3]);
    assert!(matches!(fault(&ng.bytes), (2, at, Fault::Interface(1)) if at == start));
}

#[test]
fn ng_a_simple_packet_is_as_long_as_the_snapshot() {
    let mut ng = Ng::new(Order::Little);
    ng.interface(ETHERNET, 2, &[]);
    ng.simple(1500, &[1, 2]);
    assert_eq!(whole(&ng.bytes)[0].2, [1, 2]);
}

#[test]
fn a_capture_cut_off_anywhere_yields_what_was_whole() {
    let packets = [(1, vec![1; 5]), (2, vec![2; 6])];
    let mut ng = Ng::new(Order::Little);
    ng.interface(ETHERNET, 0, &[]);
    let head = ng.bytes.len();
    ng.enhanced(0, 1, &[1; 5]);
    let first = ng.bytes.len();
    ng.enhanced(0, 2, &[2; 6]);
    for (bytes, head, first) in [(classic(Order::Big, false, 1, &packets), 24, 24 + 21), (ng.bytes, head, first)] {
        for end in head..bytes.len() {
            let (frames, fault, truncated) = read(&bytes[..end]);
            assert!(fault.is_none(), "{end} {fault:?}");
            assert_eq!(frames.len(), usize::from(end >= first), "{end}");
            let at_a_border = end == head || end == first;
            let expected = if end >= first { first } else { head } as u64;
            assert_eq!(truncated, (!at_a_border).then_some(expected), "{end}");
        }
    }
}

#[test]
fn a_capture_cut_off_in_its_head_is_none() {
    let bytes = classic(Order::Little, false, 1, &[]);
    for end in 0..4 {
        assert!(matches!(fault(&bytes[..end]), (0, 0, Fault::NoCapture(None))));
    }
    for end in 4..24 {
        assert!(matches!(fault(&bytes[..end]), (0, _, Fault::Truncated)), "{end}");
    }
    let bytes = Ng::new(Order::Big).bytes;
    for end in 4..bytes.len() {
        assert!(matches!(fault(&bytes[..end]), (0, _, Fault::Truncated)), "{end}");
    }
}

#[test]
fn what_is_no_capture_is_named() {
    assert_eq!(Reader::open(&b"GIF89a"[..]).unwrap_err().to_string(), "is no capture: neither pcap nor pcapng");
    let compressed = Reader::open(&[0x1f, 0x8b, 8, 0][..]).unwrap_err().to_string();
    assert_eq!(compressed, "is compressed: unpack it with gunzip first");
}

#[test]
fn a_packet_too_long_is_refused_with_its_place() {
    let mut bytes = classic(Order::Little, false, 1, &[(1, vec![9; 3])]);
    let place = bytes.len() as u64;
    bytes.extend([0; 8]);
    bytes.extend((MAX_PACKET + 1).to_le_bytes());
    bytes.extend([0; 4]);
    assert!(matches!(fault(&bytes), (1, at, Fault::TooLong(length)) if at == place && length == MAX_PACKET + 1));

    let mut ng = Ng::new(Order::Big);
    ng.interface(ETHERNET, 0, &[]);
    ng.enhanced(0, 1, &vec![0; MAX_PACKET as usize]);
    assert_eq!(whole(&ng.bytes)[0].2.len(), MAX_PACKET as usize);
    ng.enhanced(0, 1, &vec![0; MAX_PACKET as usize + 1]);
    assert!(matches!(fault(&ng.bytes), (1, _, Fault::TooLong(_))));
}

#[test]
fn a_block_of_another_kind_may_be_of_any_length() {
    let mut ng = Ng::new(Order::Little);
    ng.interface(ETHERNET, 0, &[]);
    ng.block(10, &vec![0; 4 * MAX_PACKET as usize]);
    ng.enhanced(0, 1, &[1]);
    assert_eq!(whole(&ng.bytes).len(), 1);
}

#[test]
fn impossible_blocks_are_refused() {
    // A block of 11 bytes, one of 13, and a packet block that has no room for its own fields, or for its packet.
    let with = |kind: u32, length: u32, body: &[u8]| {
        let mut ng = Ng::new(Order::Little);
        ng.interface(ETHERNET, 0, &[]);
        let start = ng.bytes.len() as u64;
        ng.bytes.extend([kind.to_le_bytes(), length.to_le_bytes()].concat());
        ng.bytes.extend(body);
        ng.bytes.extend([0; 64]);
        match fault(&ng.bytes) {
            (0, at, Fault::BlockLength(found)) => assert_eq!((at, found), (start, length)),
            other => panic!("{other:?}"),
        }
    };
    with(99, 11, &[]);
    with(99, 13, &[]);
    with(6, 0, &[]);
    with(6, 28, &[]);
    with(6, 32, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
    with(1, 16, &[]);
}

#[test]
fn a_block_whose_lengths_differ_is_refused() {
    let mut ng = Ng::new(Order::Little);
    ng.interface(ETHERNET, 0, &[]);
    let end = ng.bytes.len() - 4;
    ng.bytes[end] = 24;
    assert!(matches!(fault(&ng.bytes), (0, at, Fault::BlockEnd { begin: 20, end: 24 }) if at == end as u64));
}

#[test]
fn versions_and_byte_orders_that_are_unknown_are_refused() {
    let mut bytes = classic(Order::Little, false, 1, &[]);
    bytes[4] = 3;
    assert!(matches!(fault(&bytes), (0, 4, Fault::Version { major: 3, minor: 4 })));
    let mut ng = Ng::new(Order::Big).bytes;
    ng[13] = 2;
    assert!(matches!(fault(&ng), (0, 0, Fault::Version { major: 2, minor: 0 })));
    ng[8] = 0;
    assert!(matches!(fault(&ng), (0, 0, Fault::ByteOrder([0, 0x2b, 0x3c, 0x4d]))));
}

#[test]
fn interfaces_are_bounded() {
    let mut ng = Ng::new(Order::Little);
    for _ in 0..4096 {
        ng.interface(ETHERNET, 0, &[]);
    }
    ng.enhanced(4095, 1, &[1]);
    assert_eq!(whole(&ng.bytes).len(), 1);
    ng.interface(ETHERNET, 0, &[]);
    assert!(matches!(fault(&ng.bytes), (1, _, Fault::TooManyInterfaces)));
}

#[test]
fn a_source_that_trickles_or_fails_is_read_as_far_as_it_goes() {
    /// One byte a read, interrupted in between, then an error.
    struct Trickle<'a>(&'a [u8], bool);
    impl Read for Trickle<'_> {
        fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let Some((first, rest)) = self.0.split_first() else { return Err(io::Error::other("unplugged")) };
            self.0 = rest;
            space[0] = *first;
            Ok(1)
        }
    }
    let bytes = classic(Order::Little, false, 1, &[(1, vec![1, 2, 3])]);
    let mut reader = Reader::open(Trickle(&bytes, false)).unwrap();
    assert_eq!(reader.next().unwrap().unwrap().bytes, [1, 2, 3]);
    let error = reader.next().unwrap().unwrap_err();
    assert_eq!(error.to_string(), format!("reading failed: unplugged (at byte {})", bytes.len()));
    assert!(reader.next().is_none());
}
