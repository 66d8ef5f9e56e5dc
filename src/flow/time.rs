use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Time since boot, suspended or not: what every limit and expiry counts in. Never jumps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Monotonic {
    /// Milliseconds since boot.
    pub millis: u64,
}

impl Monotonic {
    pub const fn from_secs(seconds: u64) -> Monotonic {
        Monotonic { millis: seconds.saturating_mul(1000) }
    }

    /// Time from `earlier` to here; zero if that lies ahead.
    pub const fn since(self, earlier: Monotonic) -> Duration {
        Duration::from_millis(self.millis.saturating_sub(earlier.millis))
    }

    /// The moment `span` later.
    pub fn after(self, span: Duration) -> Monotonic {
        let span = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        Monotonic { millis: self.millis.saturating_add(span) }
    }
}

/// Wall-clock time in seconds since 1970. Routers boot without a clock: a time before [`Wall::PLAUSIBLE`] was
/// taken before the clock was set, is kept as it is (so that order survives) and mended when the clock is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Wall {
    /// Seconds since 1970-01-01 00:00 UTC.
    pub seconds: i64,
}

impl Wall {
    /// 2026-01-01 00:00 UTC: no clock of a router that runs glacic rightly shows an earlier time.
    pub const PLAUSIBLE: Wall = Wall { seconds: 1_767_225_600 };

    /// Whether the clock had been set when this time was taken.
    pub const fn is_set(self) -> bool {
        self.seconds >= Wall::PLAUSIBLE.seconds
    }
}

/// The two clocks, read once a batch and passed to whoever needs the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    pub mono: Monotonic,
    pub wall: Wall,
}

/// So many in a span, for example ten a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub count: u32,
    pub per: Duration,
}
