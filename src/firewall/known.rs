//! The elements that are in the kernel as far as we put them there, and how far their counters have been read.

use std::collections::HashMap;

use super::elements::Element;
use super::message::SetSizes;
use super::set::Set;

/// Some 20 bytes an element.
#[derive(Debug, Default)]
pub struct Known {
    /// The last reading of each element's counter.
    readings: HashMap<Element, u32>,
    sizes: [u32; Set::ALL.len()],
}

impl Known {
    /// An element that has just been put in: its counter begins at 0. One that was there goes on counting.
    pub fn put(&mut self, element: Element) {
        self.insert(element, 0);
    }

    /// An element that was found, and what its counter showed then.
    pub fn insert(&mut self, element: Element, reading: u32) {
        if let std::collections::hash_map::Entry::Vacant(place) = self.readings.entry(element) {
            place.insert(reading);
            self.sizes[element.set as usize] += 1;
        }
    }

    pub fn remove(&mut self, element: &Element) {
        if self.readings.remove(element).is_some() {
            self.sizes[element.set as usize] -= 1;
        }
    }

    pub fn last(&self, element: &Element) -> Option<u32> {
        self.readings.get(element).copied()
    }

    /// Connections that began since the last reading; none of an element nobody knows.
    pub fn began(&mut self, element: &Element, reading: u32) -> u32 {
        let Some(last) = self.readings.get_mut(element) else { return 0 };
        // A counter that went back began anew: somebody reset it.
        reading.checked_sub(std::mem::replace(last, reading)).unwrap_or(reading)
    }

    /// All of them, sorted.
    pub fn elements(&self) -> Vec<Element> {
        let mut elements: Vec<Element> = self.readings.keys().copied().collect();
        elements.sort_unstable();
        elements
    }

    pub fn sizes(&self) -> SetSizes {
        Set::ALL.iter().map(|set| (set.name(), self.sizes[*set as usize])).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::elements::of_flow;
    use super::*;
    use crate::flow::{Key, Mac, Port, Protocol, State};

    fn element(port: u16) -> Element {
        let key = Key::service(Mac([2, 0, 0, 0, 0, 1]), Protocol::TCP, Port::Number(port));
        of_flow(&key, State::Allowed).unwrap()
    }

    #[test]
    fn sizes_follow_what_comes_and_goes() {
        let mut known = Known::default();
        known.put(element(1));
        known.put(element(1));
        known.put(element(2));
        known.remove(&element(2));
        known.remove(&element(3));
        assert_eq!(known.sizes()["allowed"], 1);
        assert_eq!(known.sizes()["denied"], 0);
    }

    #[test]
    fn a_connection_is_counted_once() {
        let mut known = Known::default();
        known.insert(element(1), 5);
        assert_eq!(known.began(&element(1), 7), 2);
        assert_eq!(known.began(&element(1), 7), 0);
        assert_eq!(known.began(&element(1), 3), 3, "reset");
        assert_eq!(known.began(&element(2), 9), 0, "not ours");
        known.put(element(1));
        assert_eq!(known.began(&element(1), 4), 1, "putting it in again changes nothing");
    }

    #[test]
    fn every_set_has_its_place() {
        for (place, set) in Set::ALL.into_iter().enumerate() {
            assert_eq!(set as usize, place);
        }
    }
}
