//! A token bucket: so many at once, refilled steadily.

use crate::flow::{Monotonic, Rate};

/// The bucket as one moment: when it will be full again (the generic cell rate algorithm, ITU-T I.371 annex A). It has
/// no fractions to lose, whatever the rate and however often it is asked.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    full_at: Monotonic,
}

impl Bucket {
    /// A full bucket.
    pub fn full(now: Monotonic) -> Bucket {
        Bucket { full_at: now }
    }

    /// Takes one token, if there is one.
    pub fn take(&mut self, rate: Rate, now: Monotonic) -> bool {
        let one = rate.per / rate.count.max(1);
        let full_at = self.full_at.max(now).after(one);
        let taken = rate.count > 0 && full_at.since(now) <= rate.per;
        if taken {
            self.full_at = full_at;
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const RATE: Rate = Rate { count: 10, per: Duration::from_secs(60) };

    #[test]
    fn gives_a_burst_and_then_a_trickle() {
        let start = Monotonic::from_secs(100);
        let mut bucket = Bucket::full(start);
        assert_eq!((0..20).filter(|_| bucket.take(RATE, start)).count(), 10);
        assert!(!bucket.take(RATE, Monotonic::from_secs(105)));
        assert!(bucket.take(RATE, Monotonic::from_secs(106)));
        assert!(!bucket.take(RATE, Monotonic::from_secs(106)));
    }

    #[test]
    fn small_steps_add_up() {
        let mut bucket = Bucket::full(Monotonic::default());
        while bucket.take(RATE, Monotonic::default()) {}
        let given = (1..=60_000).filter(|n| bucket.take(RATE, Monotonic { millis: n * 10 })).count();
        assert_eq!(given, 100, "600 seconds at ten a minute");
    }

    #[test]
    fn never_holds_more_than_the_burst() {
        let mut bucket = Bucket::full(Monotonic::default());
        let later = Monotonic::from_secs(1_000_000);
        assert_eq!((0..100).filter(|_| bucket.take(RATE, later)).count(), 10);
    }
}
