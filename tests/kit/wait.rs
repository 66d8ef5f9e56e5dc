//! How long tests wait: for what must happen by asking again and again, for what must not happen a fixed window.

use std::time::{Duration, Instant};

/// The longest wait for something that must happen, on a real machine; see [`limit`].
pub const POSITIVE: Duration = Duration::from_secs(5);

/// The window in which something must not happen. Shorter than a second, when TCP repeats its first SYN.
pub const NEGATIVE: Duration = Duration::from_millis(700);

const STEP: Duration = Duration::from_millis(10);

/// Asks until there is an answer, and says what was waited for when none comes.
#[track_caller]
pub fn eventually<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    match within(POSITIVE, ask) {
        Some(answer) => answer,
        None => panic!("not within {POSITIVE:?}: {what}"),
    }
}

/// Asks until there is an answer or the time is up; an emulated machine gets more of it.
pub fn within<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + self::limit(limit);
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(STEP);
    }
}

/// Lets the negative window pass.
pub fn settle() {
    std::thread::sleep(NEGATIVE);
}

/// A time limit that a real machine must keep, with slack where the machine is emulated.
pub fn limit(real: Duration) -> Duration {
    if super::queue::is_native() { real * 5 } else { real }
}
