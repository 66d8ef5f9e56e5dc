//! Any bytes are a configuration file: read, or refused with a place, never a panic.
#![no_main]

use glacic::config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = config::uci::read(data);
    let outcome = config::read(data, "fuzz");
    assert_eq!(outcome.settings.is_none(), outcome.count(config::Severity::Error) > 0);
});
