//! The learning mode of the house: what the configuration says, what the owner has said since, and when it ends.
//!
//! Spans count in uptime: a router that was off has not learned. A word of the owner (`glacic learn off`) outlives
//! restarts, until the configuration itself is changed. The time left is kept with the counters, at `flush_interval`
//! and at every orderly stop; after a power cut learning may thus last longer by up to one interval.

use std::time::Duration;

use crate::config::Settings;
use crate::flow::Monotonic;

/// The key under which the store keeps [`Learning::keep`].
pub const KEPT_AS: &str = "learning";

/// The learning mode now, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learning {
    configured: Configured,
    on: bool,
    ends: Option<Monotonic>,
}

/// What the configuration says; a change of it overrides what was said since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Configured {
    on: bool,
    period: Option<Duration>,
}

impl Configured {
    fn of(settings: &Settings) -> Configured {
        Configured { on: settings.learning, period: settings.learning_period.filter(|_| settings.learning) }
    }

    fn begin(self, now: Monotonic) -> Learning {
        Learning { configured: self, on: self.on, ends: self.period.map(|period| now.after(period)) }
    }
}

impl Learning {
    /// The mode at start: what was kept, if the configuration is still the one it was kept under.
    pub fn start(settings: &Settings, kept: Option<&str>, now: Monotonic) -> Learning {
        let configured = Configured::of(settings);
        kept.and_then(|text| parse(text, now))
            .filter(|kept| kept.configured == configured)
            .unwrap_or_else(|| configured.begin(now))
    }

    pub fn is_on(&self) -> bool {
        self.on
    }

    /// The owner's word: this mode for good, or for a span after which the other one returns.
    pub fn set(&mut self, on: bool, span: Option<Duration>, now: Monotonic) {
        self.on = on;
        self.ends = span.map(|span| now.after(span));
    }

    /// New settings: they count if they differ from the old ones. Returns whether the mode changed.
    pub fn configure(&mut self, settings: &Settings, now: Monotonic) -> bool {
        let was = self.on;
        let configured = Configured::of(settings);
        if configured != self.configured {
            *self = configured.begin(now);
        }
        self.on != was
    }

    /// Ends the mode when its time has come. Returns whether it did.
    pub fn tick(&mut self, now: Monotonic) -> bool {
        let over = self.ends.is_some_and(|ends| ends <= now);
        if over {
            self.on = !self.on;
            self.ends = None;
        }
        over
    }

    /// When the mode changes by itself.
    pub fn ends(&self) -> Option<Monotonic> {
        self.ends
    }

    /// How long until the mode changes by itself.
    pub fn left(&self, now: Monotonic) -> Option<Duration> {
        self.ends.map(|ends| ends.since(now))
    }

    /// What to keep over a restart: learning mode and period as configured, mode now, seconds left.
    pub fn keep(&self, now: Monotonic) -> String {
        let seconds = |span: Option<Duration>| span.map_or("-".to_owned(), |span| span.as_secs().to_string());
        let Configured { on, period } = self.configured;
        format!("{} {} {} {}", u8::from(on), seconds(period), u8::from(self.on), seconds(self.left(now)))
    }
}

/// Reads what [`Learning::keep`] wrote; anything else is as if nothing had been kept.
fn parse(text: &str, now: Monotonic) -> Option<Learning> {
    let flag = |word: &str| match word {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    };
    let span = |word: &str| match word {
        "-" => Some(None),
        seconds => seconds.parse().ok().map(|seconds| Some(Duration::from_secs(seconds))),
    };
    let mut words = text.split(' ');
    let configured = Configured { on: flag(words.next()?)?, period: span(words.next()?)? };
    let on = flag(words.next()?)?;
    let left = span(words.next()?)?;
    words.next().is_none().then(|| Learning { configured, on, ends: left.map(|left| now.after(left)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Monotonic = Monotonic::from_secs(50);
    const DAY: Duration = Duration::from_secs(86_400);

    fn settings(learning: bool, learning_period: Option<Duration>) -> Settings {
        Settings { learning, learning_period, ..Settings::default() }
    }

    /// Switches off and on again, so many seconds later.
    fn reboot(learning: &Learning, settings: &Settings, at: Monotonic) -> Learning {
        Learning::start(settings, Some(&learning.keep(at)), Monotonic::from_secs(20))
    }

    #[test]
    fn follows_the_configuration_until_the_owner_says_otherwise() {
        let settings = settings(true, None);
        let mut learning = Learning::start(&settings, None, START);
        assert!(learning.is_on());
        learning.set(false, None, START);
        assert!(!reboot(&learning, &settings, START).is_on(), "a word of the owner outlives a restart");
        assert!(!learning.configure(&settings, START), "reloading the same configuration changes nothing");
    }

    #[test]
    fn a_changed_configuration_overrides_what_was_said_before() {
        let mut learning = Learning::start(&settings(true, None), None, START);
        learning.set(false, None, START);
        assert!(!learning.configure(&settings(false, None), START), "it was off already");
        assert!(learning.configure(&settings(true, None), START));
        learning.set(false, None, START);
        assert!(reboot(&learning, &settings(true, Some(DAY)), START).is_on());
    }

    #[test]
    fn a_learning_period_ends_once_and_counts_uptime_only() {
        let settings = settings(true, Some(DAY));
        let learning = Learning::start(&settings, None, START);
        let half = START.after(DAY / 2);
        let mut learning = reboot(&learning, &settings, half);
        assert_eq!(learning.left(Monotonic::from_secs(20)), Some(DAY / 2));
        assert!(!learning.tick(Monotonic::from_secs(20).after(DAY / 2 - Duration::from_secs(1))));
        assert!(learning.tick(Monotonic::from_secs(20).after(DAY / 2)));
        assert!(!learning.is_on());
        assert!(!reboot(&learning, &settings, START).is_on(), "it does not begin again with the next boot");
    }

    #[test]
    fn a_span_ends_in_the_other_mode() {
        let mut learning = Learning::start(&settings(false, None), None, START);
        learning.set(true, Some(DAY), START);
        assert!(learning.is_on() && learning.tick(START.after(DAY)) && !learning.is_on());
    }

    #[test]
    fn nonsense_in_the_database_is_as_if_nothing_was_kept() {
        for text in ["", "1", "1 - 1 - -", "2 - 1 -", "1 x 1 -", "1 - 1 99999999999999999999"] {
            assert!(Learning::start(&settings(true, None), Some(text), START).is_on(), "{text:?}");
        }
    }
}
