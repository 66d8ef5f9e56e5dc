//! The decision table: the one place that says what becomes of a packet.
//!
//! The first row that matches decides:
//!
//! | # | device mode | flow | listed | packet | learns | verdict | the flow becomes |
//! |---|---|---|---|---|---|---|---|
//! | 1 | block | | | | | deny | – |
//! | 2 | trust | | | | | pass | – |
//! | 3 | | denied | | | | deny | – |
//! | 4 | | allowed | | | | pass | – |
//! | 5 | | undecided | baseline | | | pass | – |
//! | 6 | | undecided | ignored network | | | ignore | – |
//! | 7 | | undecided | | not opening | yes | ignore | – |
//! | 8 | | undecided | | not opening | no | refuse | – |
//! | 9 | | pending | | opening | yes | pass | – |
//! | 10 | | pending | | opening | no | refuse | – |
//! | 11 | | unknown, room to learn | | opening | yes | pass | allowed |
//! | 12 | | unknown, no room | | opening | yes | pass | pending |
//! | 13 | | unknown | | opening | no | refuse | pending |
//!
//! *learns* is the learning mode of the house, unless the device's own mode is `learn` or `enforce`. A state is
//! remembered, never a verdict: what a packet may do follows from the modes of the moment.

use crate::flow::{DeviceMode, State, Verdict};

/// Everything a decision depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Situation {
    /// The flow's state, `None` if nobody has ever seen it.
    pub known: Option<State>,
    pub house_learns: bool,
    pub device: DeviceMode,
    /// The service is on the owner's list of what everybody may do.
    pub baseline: bool,
    /// The destination is on the owner's list of networks to leave alone.
    pub ignored: bool,
    /// The packet can begin a connection.
    pub opening: bool,
    /// The device may learn one more flow.
    pub room: bool,
}

/// What follows from a [`Situation`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    pub verdict: Verdict,
    /// The state in which the flow is to be recorded as new.
    pub becomes: Option<State>,
}

impl Situation {
    /// Whether a new flow of this device is allowed on first use.
    pub fn learns(&self) -> bool {
        learns(self.house_learns, self.device)
    }
}

/// Whether a device of this mode learns in a house that does or does not.
pub fn learns(house: bool, device: DeviceMode) -> bool {
    match device {
        DeviceMode::Learn => true,
        DeviceMode::Enforce => false,
        DeviceMode::Default | DeviceMode::Trust | DeviceMode::Block => house,
    }
}

/// The table above.
pub fn decide(situation: &Situation) -> Outcome {
    let learns = situation.learns();
    let only = |verdict| Outcome { verdict, becomes: None };
    match (situation.device, situation.known) {
        (DeviceMode::Block, _) => return only(Verdict::Deny),
        (DeviceMode::Trust, _) => return only(Verdict::Pass),
        (_, Some(State::Denied)) => return only(Verdict::Deny),
        (_, Some(State::Allowed)) => return only(Verdict::Pass),
        (_, Some(State::Pending) | None) => {}
    }
    if situation.baseline {
        return only(Verdict::Pass);
    }
    if situation.ignored {
        return only(Verdict::Ignore);
    }
    if !situation.opening {
        return only(if learns { Verdict::Ignore } else { Verdict::Refuse });
    }
    let verdict = if learns { Verdict::Pass } else { Verdict::Refuse };
    let becomes = match situation.known {
        Some(_) => None,
        None if learns && situation.room => Some(State::Allowed),
        None => Some(State::Pending),
    };
    Outcome { verdict, becomes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DeviceMode::*;
    use State::*;

    const UNKNOWN: Situation = Situation {
        known: None,
        house_learns: true,
        device: Default,
        baseline: false,
        ignored: false,
        opening: true,
        room: true,
    };

    fn every_situation() -> impl Iterator<Item = Situation> {
        let known = [None, Some(Pending), Some(Allowed), Some(Denied)];
        let modes = [Default, Learn, Enforce, Trust, Block];
        known.into_iter().flat_map(move |known| {
            modes.into_iter().flat_map(move |device| {
                (0..32u8).map(move |bits| Situation {
                    known,
                    device,
                    house_learns: bits & 1 != 0,
                    baseline: bits & 2 != 0,
                    ignored: bits & 4 != 0,
                    opening: bits & 8 != 0,
                    room: bits & 16 != 0,
                })
            })
        })
    }

    fn row(situation: Situation) -> (Verdict, Option<State>) {
        let Outcome { verdict, becomes } = decide(&situation);
        (verdict, becomes)
    }

    #[test]
    fn rows_1_to_4_what_is_decided_stands_whatever_else_is_true() {
        for situation in every_situation() {
            let expected = match (situation.device, situation.known) {
                (Block, _) => Verdict::Deny,
                (Trust, _) => Verdict::Pass,
                (_, Some(Denied)) => Verdict::Deny,
                (_, Some(Allowed)) => Verdict::Pass,
                _ => continue,
            };
            assert_eq!(row(situation), (expected, None), "{situation:?}");
        }
    }

    #[test]
    fn rows_5_and_6_lists_come_before_learning_and_record_nothing() {
        for known in [None, Some(Pending)] {
            for house_learns in [false, true] {
                let listed = Situation { known, house_learns, ..UNKNOWN };
                let both = Situation { baseline: true, ignored: true, ..listed };
                assert_eq!(row(both), (Verdict::Pass, None));
                assert_eq!(row(Situation { ignored: true, ..listed }), (Verdict::Ignore, None));
                assert_eq!(row(Situation { ignored: true, opening: false, ..listed }), (Verdict::Ignore, None));
            }
        }
    }

    #[test]
    fn rows_7_and_8_mid_stream_never_makes_a_flow() {
        for known in [None, Some(Pending)] {
            let middle = Situation { known, opening: false, ..UNKNOWN };
            assert_eq!(row(middle), (Verdict::Ignore, None));
            assert_eq!(row(Situation { house_learns: false, ..middle }), (Verdict::Refuse, None));
        }
    }

    #[test]
    fn rows_9_and_10_pending_passes_only_while_learning() {
        let pending = Situation { known: Some(Pending), ..UNKNOWN };
        assert_eq!(row(pending), (Verdict::Pass, None));
        assert_eq!(row(Situation { house_learns: false, ..pending }), (Verdict::Refuse, None));
    }

    #[test]
    fn rows_11_to_13_what_is_new() {
        assert_eq!(row(UNKNOWN), (Verdict::Pass, Some(Allowed)));
        assert_eq!(row(Situation { room: false, ..UNKNOWN }), (Verdict::Pass, Some(Pending)));
        for room in [false, true] {
            let enforcing = Situation { house_learns: false, room, ..UNKNOWN };
            assert_eq!(row(enforcing), (Verdict::Refuse, Some(Pending)));
        }
    }

    #[test]
    fn the_device_overrides_the_house() {
        let enforce = Situation { device: Enforce, ..UNKNOWN };
        assert_eq!(row(enforce), (Verdict::Refuse, Some(Pending)));
        let learn = Situation { device: Learn, house_learns: false, ..UNKNOWN };
        assert_eq!(row(learn), (Verdict::Pass, Some(Allowed)));
    }

    #[test]
    fn nothing_unknown_or_pending_passes_while_its_device_does_not_learn() {
        for situation in every_situation().filter(|s| !s.learns() && !s.baseline && s.device != Trust) {
            if situation.known != Some(Allowed) {
                assert_ne!(decide(&situation).verdict, Verdict::Pass, "{situation:?}");
            }
        }
    }
}
