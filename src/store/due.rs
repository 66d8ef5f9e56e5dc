//! What the file does not know yet, by the numbers of rows. Bounded by the rows there are, in memory and in the file.

use std::collections::{BTreeMap, BTreeSet};

use crate::flow::Monotonic;

/// How a row differs from the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// In its counters and times: may wait for the flush interval.
    Counted,
    Changed,
    /// The file has no such row.
    New,
    /// The file has a row that is no more.
    Gone,
}

/// What is due of one table.
#[derive(Debug, Default)]
pub struct Rows {
    kinds: BTreeMap<i64, Kind>,
    /// Of these, how many do not wait for the flush interval.
    pressing: usize,
}

impl Rows {
    pub fn mark(&mut self, id: i64, kind: Kind) {
        let before = self.kinds.get(&id).copied();
        let after = match (before, kind) {
            (Some(Kind::New), Kind::Gone) => None,
            (Some(Kind::New), _) => Some(Kind::New),
            (Some(Kind::Gone), _) => Some(if kind == Kind::Gone { Kind::Gone } else { Kind::Changed }),
            (Some(Kind::Changed), Kind::Counted) => Some(Kind::Changed),
            (_, kind) => Some(kind),
        };
        match after {
            Some(kind) => self.kinds.insert(id, kind),
            None => self.kinds.remove(&id),
        };
        let presses = |kind: Option<Kind>| usize::from(kind.is_some_and(|kind| kind != Kind::Counted));
        self.pressing = (self.pressing + presses(after)).saturating_sub(presses(before));
    }

    /// What to write: everything, or what does not wait.
    pub fn each(&self, everything: bool) -> impl Iterator<Item = (i64, Kind)> {
        let kinds = self.kinds.iter().map(|(id, kind)| (*id, *kind));
        kinds.filter(move |(_, kind)| everything || *kind != Kind::Counted)
    }

    /// What [`Rows::each`] showed is in the file.
    fn written(&mut self, everything: bool) {
        self.kinds.retain(|_, kind| !everything && *kind == Kind::Counted);
        self.pressing = 0;
    }

    /// A commit failed, and may still have happened: of no row is it known that the file lacks it.
    fn doubt(&mut self) {
        for kind in self.kinds.values_mut().filter(|kind| **kind == Kind::New) {
            *kind = Kind::Changed;
        }
    }

    pub fn presses(&self) -> bool {
        self.pressing > 0
    }
}

/// What is due of all tables.
#[derive(Debug, Default)]
pub struct Due {
    pub flows: Rows,
    pub devices: Rows,
    pub destinations: Rows,
    pub meta: BTreeSet<String>,
    /// Whether something in `meta` does not wait.
    pub meta_presses: bool,
    /// Whether a flow was deleted: its number must not be given again after a restart.
    pub deleted: bool,
    /// When the first change came that does not wait.
    pub since: Option<Monotonic>,
    /// The highest numbers given so far: they are not given twice while glacic runs, so that a number in
    /// a failed transaction means the same row in the next.
    pub last_device: i64,
    pub last_destination: i64,
}

impl Due {
    pub fn next_device(&mut self) -> i64 {
        self.last_device += 1;
        self.last_device
    }

    pub fn next_destination(&mut self) -> i64 {
        self.last_destination += 1;
        self.last_destination
    }

    pub fn presses(&self) -> bool {
        self.meta_presses || [&self.flows, &self.devices, &self.destinations].iter().any(|rows| rows.presses())
    }

    /// Starts the wait, where something began to press.
    pub fn note(&mut self, now: Monotonic) {
        if self.since.is_none() && self.presses() {
            self.since = Some(now);
        }
    }

    pub fn written(&mut self, everything: bool) {
        for rows in [&mut self.flows, &mut self.devices, &mut self.destinations] {
            rows.written(everything);
        }
        self.meta.clear();
        self.meta_presses = false;
        self.deleted = false;
        self.since = None;
    }

    /// The file is a new one: nothing is in it.
    pub fn forget(&mut self) {
        *self = Due { last_device: self.last_device, last_destination: self.last_destination, ..Due::default() };
    }

    pub fn doubt(&mut self) {
        for rows in [&mut self.flows, &mut self.devices, &mut self.destinations] {
            rows.doubt();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(marks: &[Kind]) -> (Vec<(i64, Kind)>, bool) {
        let mut rows = Rows::default();
        for kind in marks {
            rows.mark(7, *kind);
        }
        (rows.each(true).collect(), rows.presses())
    }

    #[test]
    fn a_row_is_due_once() {
        use Kind::*;
        assert_eq!(due(&[Counted]), (vec![(7, Counted)], false));
        assert_eq!(due(&[Counted, Changed, Counted]), (vec![(7, Changed)], true));
        assert_eq!(due(&[New, Changed, Counted]), (vec![(7, New)], true));
        assert_eq!(due(&[Changed, Gone]), (vec![(7, Gone)], true));
        assert_eq!(due(&[Gone, New]), (vec![(7, Changed)], true));
    }

    #[test]
    fn what_came_and_went_is_not_due() {
        assert_eq!(due(&[Kind::New, Kind::Counted, Kind::Gone]), (vec![], false));
    }

    #[test]
    fn after_a_failed_commit_what_went_is_erased_all_the_same() {
        let mut rows = Rows::default();
        rows.mark(7, Kind::New);
        rows.doubt();
        rows.mark(7, Kind::Gone);
        assert_eq!(rows.each(false).collect::<Vec<_>>(), [(7, Kind::Gone)]);
    }

    #[test]
    fn counters_stay_due_when_only_the_rest_is_written() {
        let mut rows = Rows::default();
        rows.mark(1, Kind::Counted);
        rows.mark(2, Kind::New);
        assert_eq!(rows.each(false).collect::<Vec<_>>(), [(2, Kind::New)]);
        rows.written(false);
        assert_eq!(rows.each(true).collect::<Vec<_>>(), [(1, Kind::Counted)]);
        rows.written(true);
        assert_eq!(rows.each(true).count(), 0);
    }
}
