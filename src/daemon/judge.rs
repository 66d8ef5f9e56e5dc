//! From a packet to its verdict: the engine is asked, and whoever has to wait is shown into the lobby.

use crate::config::settings::{FailMode, Placement};
use crate::control::protocol::Stats;
use crate::engine::{Answer, Engine, Sighting, Unreadable, key_of};
use crate::flow::{Key, Now, Verdict};
use crate::intercept::queue::Held;
use crate::store;

use super::activity::Record;
use super::held::{Awaiting, COPY_PATIENCE, Lobby, STORE_PATIENCE, Waiting};

/// What the judging of one packet needs, borrowed for a batch.
pub struct Judge<'a> {
    pub engine: &'a mut Engine,
    pub lobby: &'a mut Lobby,
    pub store: &'a store::Handle,
    pub stats: &'a mut Stats,
    pub record: &'a mut Record,
    pub manner: Manner,
    pub now: Now,
}

/// The settings that matter to a verdict, beside the engine's.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    pub placement: Placement,
    pub fail_mode: FailMode,
    /// How long the owner may take to decide about a packet that waits.
    pub hold: std::time::Duration,
}

impl Manner {
    /// The verdict where nobody can be asked. It opens nothing that fw4 closes.
    pub fn unanswered(self) -> Verdict {
        match self.fail_mode {
            FailMode::Open => Verdict::Ignore,
            FailMode::Closed => Verdict::Refuse,
        }
    }
}

impl Judge<'_> {
    /// The verdict of a packet; none while it waits. `held` is absent in log mode, where the packet is gone already.
    pub fn judge(&mut self, sighting: Result<Sighting, Unreadable>, held: Option<Held>) -> Option<Verdict> {
        self.stats.packets += 1;
        let sender = sighting.as_ref().ok().and_then(sender);
        let verdict = match sighting {
            Ok(sighting) => self.engine.packet(&sighting, self.now).resolve(|answer| self.wait(answer, sighting, held)),
            Err(packet) => {
                self.stats.malformed += 1;
                Some(self.engine.unreadable(packet))
            }
        };
        if let Some(verdict) = verdict {
            self.count(verdict, sender, held.is_some());
        }
        verdict
    }

    /// Lets a packet wait. Where it cannot, because a flood has taken every place, it gets no more than its mode gives.
    fn wait(&mut self, (key, awaiting): (Key, Awaiting), sighting: Sighting, held: Option<Held>) -> Option<Verdict> {
        let patience = match awaiting {
            Awaiting::Store if held.is_none() => COPY_PATIENCE,
            Awaiting::Store => STORE_PATIENCE,
            Awaiting::Owner => self.manner.hold,
        };
        if !self.lobby.has_room(awaiting, key.mac) {
            return Some(match awaiting {
                Awaiting::Store => self.crowded_out(key),
                Awaiting::Owner => Verdict::Refuse,
            });
        }
        let ask = awaiting == Awaiting::Store && !self.lobby.is_asked(&key);
        if ask && self.store.try_send(store::Request::Find { key }).is_err() {
            return Some(self.crowded_out(key));
        }
        let until = self.now.mono.after(patience);
        self.lobby.enter(Waiting { key, awaiting, sighting, held, until });
        None
    }

    /// What is decided is in the kernel: the rest passes where nobody has to decide first, and `fail_mode` does not object.
    fn crowded_out(&self, key: Key) -> Verdict {
        match self.engine.learns(key.mac) {
            true => self.manner.unanswered(),
            false => Verdict::Refuse,
        }
    }

    /// Goes on with a packet that waited for the store, or for the owner, who has decided.
    pub fn resume(&mut self, waiting: Waiting) -> Option<(Held, Verdict)> {
        let Waiting { sighting, held, awaiting, .. } = waiting;
        let sender = sender(&sighting);
        let answer = match awaiting {
            Awaiting::Store => self.engine.resume(&sighting, self.now),
            Awaiting::Owner => self.engine.judge_again(&sighting, self.now),
        };
        let verdict = answer.resolve(|answer| self.wait(answer, sighting, held))?;
        self.count(verdict, sender, held.is_some());
        held.map(|held| (held, verdict))
    }

    /// The verdict of a packet nobody answered in time.
    pub fn expire(&mut self, waiting: &Waiting) -> Option<(Held, Verdict)> {
        let verdict = match waiting.awaiting {
            Awaiting::Store => self.manner.unanswered(),
            Awaiting::Owner => Verdict::Refuse,
        };
        self.count(verdict, sender(&waiting.sighting), waiting.held.is_some());
        waiting.held.map(|held| (held, verdict))
    }

    /// Counts what became of a packet. In log mode the loaded ruleset has dealt with it: in fallback placement what is
    /// logged is what was refused.
    fn count(&mut self, verdict: Verdict, sender: Option<Key>, queued: bool) {
        let accepted = match verdict {
            Verdict::Pass | Verdict::Ignore => queued || self.manner.placement == Placement::Guard,
            Verdict::Refuse | Verdict::Deny => false,
        };
        if accepted {
            self.stats.accepted += 1;
            return;
        }
        self.stats.dropped += 1;
        // What only comes as a copy was dropped by our own rules, which count it, or by fw4.
        if queued || self.manner.placement == Placement::Fallback {
            self.record.dropped(1, self.now.mono);
        }
        if let Some(key) = sender {
            self.record.dropped_of(&key, 1, self.now.mono);
        }
    }
}

impl Answer {
    /// The verdict, or what `wait` makes of having to wait for somebody.
    fn resolve(self, wait: impl FnOnce((Key, Awaiting)) -> Option<Verdict>) -> Option<Verdict> {
        match self {
            Answer::Verdict(verdict) => Some(verdict),
            Answer::Ask(key) => wait((key, Awaiting::Store)),
            Answer::Hold(key) => wait((key, Awaiting::Owner)),
        }
    }
}

/// Whose packet this is, and of which flow.
fn sender(sighting: &Sighting) -> Option<Key> {
    sighting.mac.map(|mac| key_of(mac, &sighting.facts))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::Receiver;
    use std::time::Duration;

    use super::*;
    use crate::daemon::held::CAPACITY;
    use crate::daemon::tests::{NOON, record, sighting};
    use crate::engine::Policy;
    use crate::flow::{DeviceMode, FlowId, State};

    /// A judge in a house whose cache has forgotten all but the last of two flows, so that the store has to be asked.
    struct Court {
        engine: Engine,
        lobby: Lobby,
        store: store::Handle,
        questions: Receiver<store::Request>,
        stats: Stats,
        record: Record,
        manner: Manner,
    }

    impl Court {
        fn new(policy: Policy, fail_mode: FailMode, inbox: usize) -> Court {
            let (store, questions) = store::Handle::to_nobody(inbox);
            let mut engine = Engine::new(Policy { cache_size: 1, ..policy }, FlowId(10), NOON);
            (1..=2).for_each(|id| engine.load(&record(id, id as u16, State::Denied), NOON));
            let manner = Manner { placement: Placement::Guard, fail_mode, hold: Duration::from_secs(2) };
            Court {
                engine,
                lobby: Lobby::default(),
                store,
                questions,
                stats: Stats::default(),
                record: Record::new(NOON.mono),
                manner,
            }
        }

        fn learning(fail_mode: FailMode, inbox: usize) -> Court {
            Court::new(Policy { learning: true, ..Policy::default() }, fail_mode, inbox)
        }

        fn judge(&mut self) -> Judge<'_> {
            let Court { engine, lobby, store, stats, record, manner, .. } = self;
            Judge { engine, lobby, store, stats, record, manner: *manner, now: NOON }
        }

        fn packet(&mut self, port: u16, id: u32) -> Option<Verdict> {
            self.judge().judge(Ok(sighting(port)), Some(Held { queue: 100, id, mark: 0 }))
        }

        /// A packet that cannot be read, of a device with this mode.
        fn unreadable(&mut self, mode: DeviceMode) -> Option<Verdict> {
            let mac = sighting(1).mac;
            self.engine.set_device(mac.unwrap(), mode);
            self.judge().judge(Err(Unreadable { mac }), Some(Held { queue: 100, id: 1, mark: 0 }))
        }

        fn questions(&self) -> usize {
            self.questions.try_iter().filter(|request| matches!(request, store::Request::Find { .. })).count()
        }
    }

    #[test]
    fn packets_of_a_flow_wait_for_one_answer_which_decides_about_all() {
        let mut court = Court::learning(FailMode::Open, 8);
        assert_eq!((court.packet(1, 1), court.packet(1, 2)), (None, None));
        assert_eq!((court.questions(), court.lobby.len()), (1, 2));
        court.engine.found(&record(1, 1, State::Denied));
        let verdicts: Vec<_> = court
            .lobby
            .call(|_| true)
            .into_iter()
            .map(|waiting| court.judge().resume(waiting))
            .map(|resumed| resumed.map(|(held, verdict)| (held.id, verdict)))
            .collect();
        assert_eq!(verdicts, [Some((1, Verdict::Deny)), Some((2, Verdict::Deny))]);
        assert_eq!((court.stats.packets, court.stats.dropped), (2, 2));
    }

    #[test]
    fn a_store_that_takes_no_question_leaves_the_answer_to_fail_mode() {
        for (fail_mode, expected) in [(FailMode::Open, Verdict::Ignore), (FailMode::Closed, Verdict::Refuse)] {
            let mut court = Court::learning(fail_mode, 0);
            assert_eq!(court.packet(1, 1), Some(expected));
            assert_eq!(court.lobby.len(), 0);
        }
    }

    #[test]
    fn a_store_that_does_not_answer_leaves_it_to_fail_mode_after_its_time() {
        for (fail_mode, expected) in [(FailMode::Open, Verdict::Ignore), (FailMode::Closed, Verdict::Refuse)] {
            let mut court = Court::learning(fail_mode, 8);
            assert_eq!(court.packet(1, 7), None);
            assert_eq!(court.lobby.next_deadline(), Some(NOON.mono.after(STORE_PATIENCE)));
            let expired = court.lobby.call_expired(NOON.mono.after(STORE_PATIENCE));
            let (held, verdict) = court.judge().expire(&expired[0]).unwrap();
            assert_eq!((held.id, verdict), (7, expected));
        }
    }

    #[test]
    fn nobody_is_asked_for_a_packet_that_has_no_room_to_wait() {
        let mut court = Court::learning(FailMode::Closed, CAPACITY + 8);
        (0..CAPACITY).for_each(|id| assert_eq!(court.packet(1000 + id as u16, id as u32), None));
        assert_eq!(court.questions(), CAPACITY);
        assert_eq!(court.packet(1, 1), Some(Verdict::Refuse));
        assert_eq!(court.questions(), 0);
        assert_eq!(court.lobby.len(), CAPACITY);
    }

    /// Whoever fills the lobby would be let through by it, and be established from then on.
    #[test]
    fn a_flood_that_takes_every_place_opens_nothing_while_enforcing() {
        for (inbox, entered) in [(2 * CAPACITY, CAPACITY), (8, 8)] {
            let mut court = Court::new(Policy { learning: false, ..Policy::default() }, FailMode::Open, inbox);
            (0..entered).for_each(|id| assert_eq!(court.packet(1000 + id as u16, id as u32), None));
            assert_eq!(court.packet(1, 1), Some(Verdict::Refuse));
            court.engine.set_device(sighting(1).mac.unwrap(), DeviceMode::Learn);
            assert_eq!(court.packet(1, 1), Some(Verdict::Ignore), "the device's own mode counts");
        }
    }

    #[test]
    fn the_owner_has_his_own_time_and_silence_is_a_no() {
        let policy = Policy { learning: false, holds: true, ..Policy::default() };
        let mut court = Court::new(policy, FailMode::Open, 8);
        assert_eq!(court.packet(3, 1), None, "the store first");
        let waiting = court.lobby.call(|_| true).remove(0);
        assert!(court.judge().resume(waiting).is_none(), "then the owner");
        assert_eq!(court.lobby.next_deadline(), Some(NOON.mono.after(Duration::from_secs(2))));
        let expired = court.lobby.call_expired(NOON.mono.after(Duration::from_secs(2)));
        let verdict = court.judge().expire(&expired[0]).map(|(_, verdict)| verdict);
        assert_eq!(verdict, Some(Verdict::Refuse), "whatever fail_mode says");
        assert_eq!((court.stats.accepted, court.stats.dropped), (0, 1), "counted once");
    }

    /// What is held comes by the thousand, and `fail_mode` says that what nobody can be asked about passes.
    #[test]
    fn packets_held_for_the_owner_do_not_have_others_pass_unasked() {
        let policy = Policy { learning: false, holds: true, ..Policy::default() };
        let mut court = Court::new(policy, FailMode::Open, 4 * CAPACITY);
        for id in 0..2 * CAPACITY {
            let verdict = court.packet(1000 + id as u16, id as u32);
            assert!(matches!(verdict, None | Some(Verdict::Refuse)), "{verdict:?}");
            for waiting in court.lobby.call(|waiting| waiting.awaiting == Awaiting::Store) {
                let resumed = court.judge().resume(waiting).map(|(_, verdict)| verdict);
                assert!(matches!(resumed, None | Some(Verdict::Refuse)), "{resumed:?}");
            }
        }
        assert_eq!(court.packet(1, 1), None, "the store is asked about a flow that is denied");
        assert!(court.lobby.is_asked(&record(1, 1, State::Denied).key));
    }

    #[test]
    fn in_log_mode_what_waits_is_only_recorded() {
        let mut court = Court::learning(FailMode::Closed, 8);
        assert_eq!(court.judge().judge(Ok(sighting(3)), None), None);
        assert!(court.lobby.call_expired(NOON.mono.after(Duration::from_secs(50))).is_empty(), "it holds nobody up");
        let waiting = court.lobby.call(|_| true).remove(0);
        assert!(court.judge().resume(waiting).is_none());
        assert!(court.engine.has_effects());
        assert_eq!(court.stats.accepted, 1, "in guard placement it has passed");
    }

    #[test]
    fn what_cannot_be_read_follows_the_learning_mode() {
        for (learning, expected) in [(true, Verdict::Ignore), (false, Verdict::Refuse)] {
            let mut court = Court::new(Policy { learning, ..Policy::default() }, FailMode::Open, 8);
            assert_eq!(court.unreadable(DeviceMode::Default), Some(expected));
            assert_eq!((court.stats.packets, court.stats.malformed), (1, 1));
        }
    }

    #[test]
    fn a_malformed_packet_opens_nothing_to_a_device_that_is_enforced_in_a_house_that_learns() {
        let cases = [
            (DeviceMode::Enforce, [Verdict::Refuse, Verdict::Refuse]),
            (DeviceMode::Block, [Verdict::Deny, Verdict::Deny]),
            (DeviceMode::Learn, [Verdict::Ignore, Verdict::Ignore]),
            (DeviceMode::Trust, [Verdict::Pass, Verdict::Pass]),
        ];
        for (mode, expected) in cases {
            let of =
                |learning| Court::new(Policy { learning, ..Policy::default() }, FailMode::Open, 8).unreadable(mode);
            assert_eq!([of(true), of(false)].map(Option::unwrap), expected, "{mode:?}");
        }
    }
}
