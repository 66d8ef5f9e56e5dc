//! The captures of this folder, each written by [`all`] and held against its file.

use std::fs;
use std::path::{Path, PathBuf};

use crate::packets::{cooked, home, raw};
use crate::writer::{Ng, Order, classic};

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/replay/captures")
}

fn ng(order: Order) -> Vec<u8> {
    let packets = home();
    let cooked = cooked(2, &packets);
    let mut ng = Ng::new(order);
    ng.interface(1, 262_144, &[(2, b"br-lan")]);
    ng.interface(276, 262_144, &[(2, b"any"), (9, &[9])]);
    ng.block(5, &[0; 12]); // Statistics, of no interest.
    for (at, ((time, bytes), (_, cooked))) in packets.iter().zip(&cooked).enumerate() {
        match at % 3 {
            0 => ng.enhanced(0, *time, bytes),
            1 => ng.enhanced(1, *time * 1000, cooked),
            _ => ng.obsolete(0, *time, bytes),
        }
        // Halfway a second section begins, as in captures joined together.
        if at == packets.len() / 2 {
            ng.section(order);
            ng.interface(1, 262_144, &[(2, b"br-lan")]);
            ng.interface(276, 262_144, &[(2, b"any"), (9, &[9])]);
        }
    }
    ng.bytes
}

/// Captures that show the home in all the ways a capture can.
pub fn homes() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("home.pcap", classic(Order::Little, false, 1, &home())),
        ("home-big-endian.pcap", classic(Order::Big, true, 1, &home())),
        ("home-cooked.pcap", classic(Order::Little, false, 113, &cooked(1, &home()))),
        ("home-cooked2.pcap", classic(Order::Big, false, 276, &cooked(2, &home()))),
        ("home.pcapng", ng(Order::Little)),
        ("home-big-endian.pcapng", ng(Order::Big)),
    ]
}

/// Captures with something the matter.
fn others() -> Vec<(&'static str, Vec<u8>)> {
    let whole = classic(Order::Little, false, 1, &home());
    let mut hostile = whole.clone();
    hostile.extend([[0; 4], [0; 4], [0xff; 4], [0xff; 4]].concat());
    let mut ng = Ng::new(Order::Little);
    ng.interface(1, 0, &[]);
    ng.bytes.extend(
        [6u32.to_le_bytes(), 0xffff_fffcu32.to_le_bytes(), [0; 4], [0; 4], [0; 4], [0xf0; 4], [0xf0; 4]].concat(),
    );
    vec![
        // No hardware addresses, so nobody's flows.
        ("raw.pcap", classic(Order::Little, false, 101, &raw(&home()))),
        // Ends inside its last record.
        ("truncated.pcap", whole[..whole.len() - 3].to_vec()),
        // A packet of four gigabytes.
        ("hostile-length.pcap", hostile),
        // A packet of 0xf0f0f0f0 bytes in a block of 0xfffffffc.
        ("hostile-length.pcapng", ng.bytes),
        ("empty.pcap", classic(Order::Little, false, 1, &[])),
    ]
}

#[test]
fn the_files_are_what_the_writer_writes() {
    for (name, bytes) in homes().into_iter().chain(others()) {
        let path = folder().join(name);
        if std::env::var_os("GLACIC_WRITE_CAPTURES").is_some() {
            fs::create_dir_all(folder()).unwrap();
            fs::write(&path, &bytes).unwrap();
        }
        let found = fs::read(&path).unwrap_or_default();
        assert!(found == bytes, "{name} is not what the writer writes: run with GLACIC_WRITE_CAPTURES=1");
    }
}
