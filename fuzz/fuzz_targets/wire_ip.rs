//! Any bytes have facts or a reason why not, and a capture length changes no fact.

#![no_main]

use glacic::wire::{Stage, facts};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(whole) = facts(bytes) else { return };
    if whole.stage == Stage::LaterFragment {
        assert_eq!((whole.source_port, whole.port), (0, 0));
    }
    // Shorter by one, and shorter by half.
    for end in [bytes.len() - 1, bytes.len() / 2] {
        if let Ok(part) = facts(&bytes[..end]) {
            assert_eq!(part, whole);
        }
    }
});
