//! What the rules of the table have dropped, as a count that only grows: rules are replaced by every change of plan, and their
//! counters begin anew.

/// Chains whose counters are of packets that went no further.
pub const CHAINS: [&str; 2] = ["deny", "refuse"];

/// The count, and how far the rules that are loaded have been read.
#[derive(Debug, Default)]
pub struct Drops {
    total: u64,
    last: Option<u64>,
}

impl Drops {
    /// Takes in what the rules show. The first time they were somebody else's to count: rules outlive a daemon.
    pub fn read(&mut self, shown: u64) {
        if let Some(last) = self.last {
            // Less than before: somebody reset the counters.
            self.total = self.total.saturating_add(shown.checked_sub(last).unwrap_or(shown));
        }
        self.last = Some(shown);
    }

    /// The rules have been replaced.
    pub fn begin(&mut self) {
        self.last = Some(0);
    }

    pub fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_grows_through_every_change_of_rules() {
        let mut drops = Drops::default();
        drops.read(100);
        assert_eq!(drops.total(), 0, "of a daemon before this one");
        drops.read(103);
        drops.begin();
        drops.read(5);
        assert_eq!(drops.total(), 8);
        drops.read(2);
        assert_eq!(drops.total(), 10, "reset by somebody");
    }

    #[test]
    fn the_first_rules_count_from_nothing() {
        let mut drops = Drops::default();
        drops.begin();
        drops.read(4);
        assert_eq!(drops.total(), 4);
    }
}
