//! Any bytes as a capture, read to the end, its packets followed into the tracker of connections.

#![no_main]

use glacic::flow::{Mac, Monotonic};
use glacic::intercept::pcap::{MAX_PACKET, Reader};
use glacic::intercept::replay::Tracker;
use glacic::wire::facts;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut reader) = Reader::open(bytes) else { return };
    let mut tracker = Tracker::new();
    let mut failed = false;
    while let Some(frame) = reader.next() {
        assert!(!failed, "nothing follows an error");
        let Ok(frame) = frame else {
            failed = true;
            continue;
        };
        assert!(frame.bytes.len() <= MAX_PACKET as usize);
        let at = Monotonic { millis: frame.time.unwrap_or(0) / 1000 };
        if let Some((mac, ip)) = frame.network() {
            if let Ok(facts) = facts(ip) {
                tracker.opens(mac.unwrap_or(Mac([2, 0, 0, 0, 0, 1])), &facts, at);
            }
        }
    }
    assert!(reader.next().is_none());
    assert!(reader.truncated().is_none_or(|offset| offset < bytes.len() as u64));
});
