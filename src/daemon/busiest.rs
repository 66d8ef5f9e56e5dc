//! Who was most active, in a table of fixed size.
//!
//! Whoever invents addresses or ports by the thousand must neither make it grow nor push others out: a newcomer to a full
//! table takes the least place only after as much was told of newcomers as is counted there. So what invented names can
//! take is one place of all, again and again, while whoever is really active stays.

/// Places. Ten are shown.
const PLACES: usize = 64;

/// What is counted of one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub connections: u32,
    pub dropped: u32,
}

impl Tally {
    fn sum(self) -> u32 {
        self.connections.saturating_add(self.dropped)
    }

    fn plus(self, other: Tally) -> Tally {
        Tally {
            connections: self.connections.saturating_add(other.connections),
            dropped: self.dropped.saturating_add(other.dropped),
        }
    }
}

struct Place<K> {
    who: K,
    /// Of this half of the time, and of the half before it.
    now: Tally,
    before: Tally,
}

impl<K> Place<K> {
    fn tally(&self) -> Tally {
        self.now.plus(self.before)
    }
}

/// The table.
pub struct Busiest<K> {
    places: Vec<Place<K>>,
    /// What was told of newcomers since one of them got a place.
    knocks: u32,
}

impl<K: Copy + Eq> Busiest<K> {
    pub fn new() -> Busiest<K> {
        Busiest { places: Vec::with_capacity(PLACES), knocks: 0 }
    }

    pub fn add(&mut self, who: K, tally: Tally) {
        if let Some(place) = self.places.iter_mut().find(|place| place.who == who) {
            place.now = place.now.plus(tally);
            return;
        }
        let newcomer = Place { who, now: tally, before: Tally::default() };
        if self.places.len() < PLACES {
            return self.places.push(newcomer);
        }
        self.knocks = self.knocks.saturating_add(tally.sum());
        if let Some(least) = self.places.iter_mut().min_by_key(|place| place.tally().sum())
            && self.knocks >= least.tally().sum()
        {
            *least = newcomer;
            self.knocks = 0;
        }
    }

    /// Half of the time is over: what was counted before it is forgotten.
    pub fn age(&mut self) {
        for place in &mut self.places {
            place.before = std::mem::take(&mut place.now);
        }
        self.places.retain(|place| place.before != Tally::default());
        self.knocks = 0;
    }

    /// The most active ones, the first of them first.
    pub fn top(&self, most: usize) -> impl Iterator<Item = (K, Tally)> + use<K> {
        let mut all: Vec<(K, Tally)> = self.places.iter().map(|place| (place.who, place.tally())).collect();
        all.sort_by_key(|(_, tally)| std::cmp::Reverse(tally.sum()));
        all.into_iter().take(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(connections: u32) -> Tally {
        Tally { connections, dropped: 0 }
    }

    #[test]
    fn the_most_active_come_first() {
        let mut table = Busiest::new();
        for who in 0..20 {
            table.add(who, tally(who));
            table.add(who, Tally { connections: 0, dropped: 1 });
        }
        let top: Vec<u32> = table.top(3).map(|(who, _)| who).collect();
        assert_eq!(top, [19, 18, 17]);
        assert_eq!(table.top(1).next(), Some((19, Tally { connections: 19, dropped: 1 })));
    }

    #[test]
    fn invented_names_neither_grow_it_nor_push_others_out() {
        let mut table = Busiest::new();
        (0..63).for_each(|who| table.add(who, tally(5)));
        (1000..u64::from(crate::effort::times(1_000_000, 10_000))).for_each(|forged| table.add(forged, tally(1)));
        assert_eq!(table.places.len(), PLACES);
        assert!((0..63).all(|who| table.places.iter().any(|place| place.who == who)));
        assert!(table.top(10).all(|(who, _)| who < 63), "what was invented is shown nowhere");
        assert_eq!(table.places.capacity(), PLACES);
    }

    #[test]
    fn a_newcomer_takes_a_place_only_when_as_much_was_told_of_newcomers() {
        let mut table = Busiest::new();
        (0..64).for_each(|who| table.add(who, tally(100)));
        (1000..1099).for_each(|forged| table.add(forged, tally(1)));
        assert!(table.places.iter().all(|place| place.who < 64));
        table.add(2000, tally(1));
        assert_eq!(table.places.iter().filter(|place| place.who < 64).count(), 63);
    }

    #[test]
    fn a_full_table_takes_in_who_becomes_active() {
        let mut table = Busiest::new();
        (0..64).for_each(|who| table.add(who, tally(100)));
        (0..200).for_each(|_| table.add(9999, tally(1)));
        assert!(table.places.iter().any(|place| place.who == 9999));
    }

    #[test]
    fn what_is_old_makes_room() {
        let mut table = Busiest::new();
        table.add(1, tally(7));
        table.age();
        table.add(2, tally(1));
        assert_eq!(table.top(10).map(|(who, _)| who).collect::<Vec<_>>(), [1, 2]);
        table.age();
        assert_eq!(table.top(10).map(|(who, _)| who).collect::<Vec<_>>(), [2]);
    }
}
