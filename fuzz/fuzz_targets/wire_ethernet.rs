//! Any bytes as an Ethernet frame and as a cooked packet of either version.

#![no_main]

use glacic::wire::cooked::Cooked;
use glacic::wire::ethernet::Ethernet;
use glacic::wire::facts;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(frame) = Ethernet::new_checked(bytes) {
        let _ = (frame.source(), frame.destination(), frame.ip().map(facts));
    }
    for cooked in [Cooked::new_checked_v1(bytes), Cooked::new_checked_v2(bytes)].into_iter().flatten() {
        let _ = (cooked.source(), cooked.ip().map(facts));
    }
});
