//! The last events, for those who ask now and then instead of listening all the time. Bounded, in memory, lost at restart.

use std::collections::VecDeque;

use crate::control::protocol::{Event, EventList, EventPage, Numbered};

/// Events that are kept.
pub const KEPT: usize = 256;

/// The events that were told, the oldest first.
#[derive(Default)]
pub struct Chronicle {
    events: VecDeque<Event>,
    /// The number of the last one; the first has number 1.
    last: u64,
}

impl Chronicle {
    pub fn add(&mut self, event: Event) {
        if self.events.len() >= KEPT {
            self.events.pop_front();
        }
        self.events.push_back(event);
        self.last += 1;
    }

    /// The events after a number, the oldest first; without one the last events.
    pub fn page(&self, asked: &EventList) -> EventPage {
        let limit = match asked.limit {
            0 => EventList::DEFAULT_LIMIT,
            limit => usize::try_from(limit).unwrap_or(usize::MAX),
        };
        let before = self.last - self.events.len() as u64;
        // A number that was never given is one of a daemon before this one.
        let after = asked.after.filter(|after| *after <= self.last);
        let skip = match (asked.after, after) {
            (None, _) => self.events.len().saturating_sub(limit),
            (Some(_), after) => usize::try_from(after.unwrap_or(0).saturating_sub(before)).unwrap_or(usize::MAX),
        };
        let numbered = (before + 1..).zip(&self.events).skip(skip).take(limit);
        EventPage {
            events: numbered.map(|(seq, event)| Numbered { seq, event: event.clone() }).collect(),
            last: self.last,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::protocol::What;
    use crate::flow::Wall;

    fn after(count: i64) -> Chronicle {
        let mut chronicle = Chronicle::default();
        (1..=count).for_each(|n| chronicle.add(Event { time: Wall { seconds: n }, what: What::ConfigReloaded }));
        chronicle
    }

    /// The first and last number, how many, and the last of all.
    fn page(chronicle: &Chronicle, after: Option<u64>, limit: u32) -> (Option<u64>, Option<u64>, usize, u64) {
        let page = chronicle.page(&EventList { after, limit });
        assert!(page.events.iter().all(|numbered| numbered.event.time.seconds as u64 == numbered.seq));
        let number = |numbered: &Numbered| numbered.seq;
        (page.events.first().map(number), page.events.last().map(number), page.events.len(), page.last)
    }

    #[test]
    fn whoever_asks_again_gets_what_is_new() {
        let chronicle = after(10);
        assert_eq!(page(&chronicle, Some(7), 0), (Some(8), Some(10), 3, 10));
        assert_eq!(page(&chronicle, Some(10), 0), (None, None, 0, 10));
        assert_eq!(page(&chronicle, Some(0), 4), (Some(1), Some(4), 4, 10), "page by page, the oldest first");
    }

    #[test]
    fn the_last_ones_are_shown_to_who_knows_none() {
        assert_eq!(page(&after(10), None, 4), (Some(7), Some(10), 4, 10));
        assert_eq!(page(&after(0), None, 4), (None, None, 0, 0));
    }

    #[test]
    fn only_so_many_are_kept() {
        let chronicle = after(1000);
        assert_eq!(page(&chronicle, Some(1), 10_000), (Some(745), Some(1000), KEPT, 1000));
        assert_eq!(page(&chronicle, Some(900), 10_000), (Some(901), Some(1000), 100, 1000));
    }

    #[test]
    fn a_number_of_an_earlier_daemon_is_no_number() {
        assert_eq!(page(&after(3), Some(500), 0), (Some(1), Some(3), 3, 3));
    }
}
