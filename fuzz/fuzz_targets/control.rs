//! Any line is a request or an error of two kinds; a request says itself again in the same words.
#![no_main]

use glacic::control::protocol::{Code, Request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(line) = std::str::from_utf8(data) else { return };
    match Request::parse(line) {
        Ok(request) => assert_eq!(Request::parse(&request.to_line()).as_ref(), Ok(&request)),
        Err(error) => {
            assert!(matches!(error.code, Code::InvalidRequest | Code::InvalidParams | Code::UnknownMethod));
            assert!(!error.message.is_empty());
        }
    }
});
