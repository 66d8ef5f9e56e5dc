//! From a capture's bytes to the connections that devices opened in it.

use std::fs::File;

use glacic::flow::Monotonic;
use glacic::intercept::pcap::{Fault, Reader};
use glacic::intercept::replay::Tracker;
use glacic::wire::facts;

use crate::captures::{folder, homes};
use crate::packets::OPENINGS;

type Opening = ([u8; 6], String, u16);

/// What a capture's packets open, and what ended it.
fn openings(capture: &str) -> (Vec<Opening>, Option<Fault>, Option<u64>) {
    let mut reader = Reader::open(File::open(folder().join(capture)).unwrap()).unwrap();
    let (mut tracker, mut opened, mut fault) = (Tracker::new(), Vec::new(), None);
    while let Some(frame) = reader.next() {
        let frame = match frame {
            Ok(frame) => frame,
            Err(error) => {
                fault = Some(error.fault);
                continue;
            }
        };
        let Some((Some(mac), ip)) = frame.network() else { continue };
        let facts = facts(ip).unwrap();
        if tracker.opens(mac, &facts, Monotonic { millis: frame.time.unwrap() / 1000 }) {
            opened.push((mac.0, facts.protocol.to_string(), facts.port));
        }
    }
    (opened, fault, reader.truncated())
}

fn expected() -> Vec<Opening> {
    OPENINGS.iter().map(|(mac, protocol, port)| (*mac, (*protocol).to_owned(), *port)).collect()
}

#[test]
fn every_way_of_capturing_shows_the_same_connections() {
    for (name, _) in homes() {
        let (opened, fault, truncated) = openings(name);
        assert_eq!(opened, expected(), "{name}");
        assert!(fault.is_none() && truncated.is_none(), "{name}");
    }
}

#[test]
fn without_hardware_addresses_nobody_opens_anything() {
    assert_eq!(openings("raw.pcap").0, []);
    let mut reader = Reader::open(File::open(folder().join("raw.pcap")).unwrap()).unwrap();
    let frame = reader.next().unwrap().unwrap();
    let (mac, ip) = frame.network().unwrap();
    assert_eq!((mac, facts(ip).unwrap().port), (None, 53));
}

#[test]
fn a_capture_cut_off_shows_what_came_before() {
    let (opened, fault, truncated) = openings("truncated.pcap");
    assert_eq!(opened, expected()[..OPENINGS.len() - 1]);
    assert!(fault.is_none());
    assert!(truncated.is_some());
}

#[test]
fn a_hostile_capture_shows_what_came_before_and_its_fault() {
    let (opened, fault, _) = openings("hostile-length.pcap");
    assert_eq!(opened, expected());
    assert!(matches!(fault, Some(Fault::TooLong(u32::MAX))));
    let (opened, fault, _) = openings("hostile-length.pcapng");
    assert_eq!(opened, []);
    assert!(matches!(fault, Some(Fault::TooLong(0xf0f0_f0f0))));
}
