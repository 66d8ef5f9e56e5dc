//! What has to change in the sets, from what changed in decisions: pure.

use std::collections::BTreeMap;

use crate::flow::{DeviceMode, Mac};

use super::elements::{Element, Place, answer, of_device, of_key};
use super::message::Change;
use super::set::Answer;

/// What to take out of the sets and what to put in, also in place of another answer. Both become valid in one transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delta {
    pub remove: Vec<Place>,
    pub put: Vec<Element>,
}

impl Delta {
    /// What a group of changes comes to. A flow that changes twice ends as its last change says.
    pub fn of_changes(changes: &[Change]) -> Delta {
        let mut ends: BTreeMap<Place, [Option<Answer>; 2]> = BTreeMap::new();
        for change in changes {
            let Some(place) = of_key(&change.key) else { continue };
            let (before, after) = (change.before.and_then(answer), change.after.and_then(answer));
            ends.entry(place).or_insert([before, after])[1] = after;
        }
        let mut delta = Delta::default();
        for (place, [before, after]) in ends {
            match after {
                _ if before == after => (),
                None => delta.remove.push(place),
                Some(_) => delta.put.push(Element { place, answer: after }),
            }
        }
        delta
    }

    /// What a device's change of mode comes to.
    pub fn of_device(mac: Mac, before: DeviceMode, after: DeviceMode) -> Delta {
        let (before, after) = (of_device(mac, before), of_device(mac, after));
        let mut delta = Delta::default();
        if let Some(element) = before
            && after.is_none_or(|after| after.place != element.place)
        {
            delta.remove.push(element.place);
        }
        delta.put.extend(after.filter(|_| after != before));
        delta
    }

    /// What makes `wanted` out of `present`; both are sorted.
    pub fn between(present: &[Element], wanted: &[Element]) -> Delta {
        let unwanted = |place: &Place| wanted.binary_search_by_key(place, |element| element.place).is_err();
        Delta {
            remove: present.iter().map(|element| element.place).filter(unwanted).collect(),
            put: wanted.iter().filter(|element| present.binary_search(element).is_err()).copied().collect(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.put.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::elements::of_flow;
    use super::*;
    use crate::flow::{Key, Port, Protocol, State};

    const MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);

    fn flow(port: u16) -> Key {
        Key::service(MAC, Protocol::TCP, Port::Number(port))
    }

    fn element(port: u16, state: State) -> Element {
        of_flow(&flow(port), state).unwrap()
    }

    #[test]
    fn a_reversed_decision_is_put_in_place_of_the_other() {
        let change = |before, after| Change { key: flow(443), before, after };
        let delta = Delta::of_changes(&[change(Some(State::Allowed), Some(State::Denied))]);
        assert_eq!(delta, Delta { remove: Vec::new(), put: vec![element(443, State::Denied)] });
        let delta = Delta::of_device(MAC, DeviceMode::Trust, DeviceMode::Block);
        assert_eq!(delta.put, of_device(MAC, DeviceMode::Block).into_iter().collect::<Vec<_>>());
        assert!(delta.remove.is_empty());
        let delta = Delta::of_device(MAC, DeviceMode::Learn, DeviceMode::Block);
        assert_eq!(delta.remove, [of_device(MAC, DeviceMode::Learn).unwrap().place]);
        assert_eq!(Delta::of_device(MAC, DeviceMode::Trust, DeviceMode::Trust), Delta::default());
    }

    #[test]
    fn changes_that_undo_each_other_come_to_nothing() {
        let change = |before, after| Change { key: flow(443), before, after };
        let there_and_back = [change(None, Some(State::Allowed)), change(Some(State::Allowed), None)];
        assert!(Delta::of_changes(&there_and_back).is_empty());
        let away_and_back = [change(Some(State::Allowed), None), change(None, Some(State::Allowed))];
        assert!(Delta::of_changes(&away_and_back).is_empty());
        assert!(Delta::of_changes(&[change(None, Some(State::Pending))]).is_empty());
        let undecided = [change(Some(State::Allowed), Some(State::Denied)), change(Some(State::Denied), None)];
        assert_eq!(Delta::of_changes(&undecided).remove, [element(443, State::Denied).place]);
    }

    #[test]
    fn stale_elements_go_and_missing_ones_come() {
        let allowed = |port| element(port, State::Allowed);
        let present = [allowed(1), allowed(2), allowed(4)];
        let wanted = [allowed(2), allowed(3), element(4, State::Denied)];
        let delta = Delta::between(&present, &wanted);
        assert_eq!(delta, Delta { remove: vec![allowed(1).place], put: vec![allowed(3), element(4, State::Denied)] });
    }
}
