//! The readers in C, compiled by the system's compiler when a bench first needs them.

use std::ffi::{CStr, CString};
use std::process::Command;
use std::sync::OnceLock;

use super::reader::Control;

type Queue = unsafe extern "C" fn(u16, u32, u32, *const Control) -> libc::c_int;
type Log = unsafe extern "C" fn(u16, u32, *const Control) -> libc::c_int;

struct Bare {
    queue: Queue,
    log: Log,
}

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/kit/bare.c");

fn bare() -> &'static Bare {
    static BARE: OnceLock<Bare> = OnceLock::new();
    BARE.get_or_init(|| {
        // Benches may run side by side: each has a file of its own.
        let library = format!("{}/bare-{}.so", env!("CARGO_TARGET_TMPDIR"), std::process::id());
        let built = Command::new("cc").args(["-O2", "-Wall", "-shared", "-fPIC", "-o", &library, SOURCE]).status();
        assert!(built.is_ok_and(|status| status.success()), "cc cannot compile {SOURCE}");
        let name = CString::new(library.as_str()).expect("a path without zeroes");
        // SAFETY: the name ends with a zero.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW) };
        assert!(!handle.is_null(), "cannot load {library}");
        let _ = std::fs::remove_file(&library);
        let find = |name: &CStr| {
            // SAFETY: the library is loaded and never unloaded; the name ends with a zero.
            let symbol = unsafe { libc::dlsym(handle, name.as_ptr()) };
            assert!(!symbol.is_null(), "{name:?} is missing");
            symbol
        };
        // SAFETY: these are the functions' types in the source.
        unsafe {
            Bare {
                queue: std::mem::transmute::<*mut libc::c_void, Queue>(find(c"bare_queue")),
                log: std::mem::transmute::<*mut libc::c_void, Log>(find(c"bare_log")),
            }
        }
    })
}

/// Accepts everything that comes to a queue until it is told to stop.
pub fn queue(number: u16, range: u32, length: u32, control: &Control) {
    // SAFETY: the function touches nothing but `control`, by atomic operations, and returns before this does.
    let error = unsafe { (bare().queue)(number, range, length, control) };
    assert_eq!(error, 0, "the reader of the queue in C failed");
}

/// Counts the records of a log group until it is told to stop.
pub fn log(group: u16, range: u32, control: &Control) {
    // SAFETY: as above.
    let error = unsafe { (bare().log)(group, range, control) };
    assert_eq!(error, 0, "the reader of the log in C failed");
}

/// Compiles the readers now, so that no round waits for it.
pub fn prepare() {
    bare();
}
