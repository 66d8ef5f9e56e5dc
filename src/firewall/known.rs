//! The elements that are in the kernel as far as we put them there, and how far their counters have been read.

use std::collections::HashMap;

use super::elements::{Element, Place};
use super::message::SetSizes;
use super::set::{Answer, Set};

/// Some 20 bytes an element.
#[derive(Debug, Default)]
pub struct Known {
    elements: HashMap<Place, Entry>,
    sizes: [u32; Set::ALL.len()],
}

#[derive(Debug)]
struct Entry {
    answer: Option<Answer>,
    /// The last reading of its counter.
    reading: u32,
}

impl Known {
    /// An element that has just been put in: its counter begins at 0. One that was there and said the same goes on counting.
    pub fn put(&mut self, element: Element) {
        self.insert(element, 0);
    }

    /// An element that was found, and what its counter showed then.
    pub fn insert(&mut self, Element { place, answer }: Element, reading: u32) {
        if self.elements.get(&place).is_some_and(|entry| entry.answer == answer) {
            return;
        }
        if self.elements.insert(place, Entry { answer, reading }).is_none() {
            self.sizes[place.set as usize] += 1;
        }
    }

    pub fn remove(&mut self, place: &Place) {
        if self.elements.remove(place).is_some() {
            self.sizes[place.set as usize] -= 1;
        }
    }

    /// Whether something else is said there.
    pub fn contradicts(&self, element: &Element) -> bool {
        self.elements.get(&element.place).is_some_and(|entry| entry.answer != element.answer)
    }

    /// Whether what is there is denied.
    pub fn denies(&self, place: &Place) -> bool {
        self.elements.get(place).is_some_and(|entry| entry.answer == Some(Answer::Deny))
    }

    /// Whether what is there is allowed.
    pub fn allows(&self, place: &Place) -> bool {
        self.elements.get(place).is_some_and(|entry| entry.answer == Some(Answer::Allow))
    }

    /// The last reading of an element's counter.
    pub fn last(&self, element: &Element) -> Option<u32> {
        self.elements.get(&element.place).filter(|entry| entry.answer == element.answer).map(|entry| entry.reading)
    }

    /// Connections that began since the last reading; none of an element nobody knows.
    pub fn began(&mut self, place: &Place, reading: u32) -> u32 {
        let Some(entry) = self.elements.get_mut(place) else { return 0 };
        // A counter that went back began anew: somebody reset it.
        reading.checked_sub(std::mem::replace(&mut entry.reading, reading)).unwrap_or(reading)
    }

    /// All of them, sorted.
    pub fn elements(&self) -> Vec<Element> {
        let element = |(place, entry): (&Place, &Entry)| Element { place: *place, answer: entry.answer };
        let mut elements: Vec<Element> = self.elements.iter().map(element).collect();
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
        said(port, State::Allowed)
    }

    fn said(port: u16, state: State) -> Element {
        of_flow(&Key::service(Mac([2, 0, 0, 0, 0, 1]), Protocol::TCP, Port::Number(port)), state).unwrap()
    }

    #[test]
    fn sizes_follow_what_comes_and_goes() {
        let mut known = Known::default();
        known.put(element(1));
        known.put(element(1));
        known.put(element(2));
        known.put(said(1, State::Denied));
        known.remove(&element(2).place);
        known.remove(&element(3).place);
        assert_eq!(known.sizes()["flows"], 1);
        assert_eq!(known.sizes()["flows_proto"], 0);
        assert_eq!(known.elements(), [said(1, State::Denied)]);
    }

    #[test]
    fn a_connection_is_counted_once() {
        let mut known = Known::default();
        let place = element(1).place;
        known.insert(element(1), 5);
        assert_eq!(known.began(&place, 7), 2);
        assert_eq!(known.began(&place, 7), 0);
        assert_eq!(known.began(&place, 3), 3, "reset");
        assert_eq!(known.began(&element(2).place, 9), 0, "not ours");
        known.put(element(1));
        assert_eq!(known.began(&place, 4), 1, "putting it in again changes nothing");
        assert!(known.contradicts(&said(1, State::Denied)) && !known.contradicts(&element(1)));
        known.put(said(1, State::Denied));
        assert_eq!(known.began(&place, 4), 4, "another answer counts anew");
    }

    #[test]
    fn every_set_has_its_place() {
        for (place, set) in Set::ALL.into_iter().enumerate() {
            assert_eq!(set as usize, place);
        }
    }
}
