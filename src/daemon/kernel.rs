//! The ruleset's way into the kernel, as a sequence of messages: what is decided is fetched from the store, handed to the
//! firewall thread together with the plan, and kept up to date from then on.
//!
//! Changes that are made while the decisions are being fetched wait until the ruleset is on its way, so that an older
//! picture never overwrites them.

use std::time::Duration;

use crate::firewall::{self, Change, Plan, Worker, message::Load};
use crate::flow::{DeviceMode, Key, Mac, Monotonic, State};
use crate::store;

/// Changes that may wait for the firewall thread. Beyond it everything is fetched and loaded anew, which is slower but
/// bounded.
const BACKLOG: usize = 4096;
/// How long after a failure the ruleset is tried again, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));

/// What is in the kernel, what is on its way, and what waits.
pub struct Kernel {
    worker: Worker,
    plan: Option<Plan>,
    stage: Stage,
    /// Which of the store's answers is filled in: those to earlier questions are of an older picture.
    asked: u32,
    /// Loads of which the firewall thread has still to report: only the last report is about what is wanted now.
    loads: u32,
    backlog: Vec<firewall::Request>,
    waiting_changes: usize,
    retry: Option<Monotonic>,
    retry_after: Duration,
    pub sizes: firewall::SetSizes,
}

#[derive(Debug, PartialEq)]
enum Stage {
    /// Nothing of the wanted plan is in the kernel, nothing is under way.
    Idle,
    /// The store is to be asked as soon as it takes requests.
    Asking,
    /// The store is handing over what is decided.
    Filling(Vec<(Key, State)>),
    /// The firewall thread has it all.
    Loading,
    Loaded,
}

impl Kernel {
    pub fn new(worker: Worker) -> Kernel {
        Kernel {
            worker,
            plan: None,
            stage: Stage::Idle,
            asked: 0,
            loads: 0,
            backlog: Vec::new(),
            waiting_changes: 0,
            retry: None,
            retry_after: RETRY.0,
            sizes: firewall::SetSizes::new(),
        }
    }

    pub fn plan(&self) -> Option<&Plan> {
        self.plan.as_ref()
    }

    pub fn is_loaded(&self) -> bool {
        self.stage == Stage::Loaded
    }

    /// Whether a request will be carried out soon: on what is loaded, or right after what is on its way.
    pub fn will_follow(&self) -> bool {
        self.stage != Stage::Idle
    }

    /// Requests that the firewall thread has not begun, and changes that wait for it.
    pub fn queued(&self) -> usize {
        self.worker.waiting().saturating_add(self.backlog.len())
    }

    /// Wants this plan in the kernel, with everything that is decided.
    pub fn want(&mut self, plan: Plan) {
        self.plan = Some(plan);
        self.again();
    }

    /// Wants the same plan once more: the table is gone, or too much has changed to tell it piece by piece.
    pub fn again(&mut self) {
        self.stage = Stage::Asking;
        self.retry = None;
        // What waited is part of what the store is about to tell; what has a ticket is still to be reported.
        self.backlog.retain(|request| match request {
            firewall::Request::Load(_) => {
                self.loads = self.loads.saturating_sub(1);
                false
            }
            firewall::Request::Change { ticket, .. } | firewall::Request::Counters { ticket } => ticket.is_some(),
            firewall::Request::Device { .. } | firewall::Request::Unload => true,
        });
        self.waiting_changes = 0;
    }

    /// Wants everything loaded anew before long, because some of it did not get in.
    pub fn later(&mut self, now: Monotonic) {
        self.retry.get_or_insert(now.after(RETRY.1));
    }

    /// Asks for the end: the last counts, and the kernel as the placement wants it left. What is not on its way yet is
    /// not loaded any more.
    pub fn stop(&mut self) {
        self.again();
        self.stage = Stage::Idle;
        self.backlog.push(firewall::Request::Counters { ticket: None });
        self.backlog.push(firewall::Request::Unload);
    }

    /// Takes in a part of what the store has; `devices` is asked for once all of it is there.
    pub fn fill(
        &mut self,
        ticket: u32,
        chunk: Vec<(Key, State)>,
        last: bool,
        devices: impl FnOnce() -> Vec<(Mac, DeviceMode)>,
    ) {
        let Stage::Filling(elements) = &mut self.stage else { return };
        if ticket != self.asked {
            return;
        }
        elements.extend(chunk);
        if !last {
            return;
        }
        let elements = std::mem::take(elements);
        let Some(plan) = self.plan.clone() else { return };
        self.backlog.insert(0, firewall::Request::Load(Box::new(Load { plan, elements, devices: devices() })));
        self.loads += 1;
        self.stage = Stage::Loading;
    }

    /// Tells the kernel of a decision that the store knows.
    pub fn change(&mut self, change: Change) {
        if self.stage == Stage::Asking {
            return;
        }
        if let Some(firewall::Request::Change { ticket: None, changes }) = self.backlog.last_mut() {
            changes.push(change);
        } else {
            self.backlog.push(firewall::Request::Change { ticket: None, changes: vec![change] });
        }
        self.waiting_changes += 1;
        if self.waiting_changes > BACKLOG && matches!(self.stage, Stage::Loading | Stage::Loaded) {
            log::warn!("more changes than the kernel takes: loading everything anew");
            self.again();
        }
    }

    /// Hands over something that will be reported with its ticket.
    pub fn request(&mut self, request: firewall::Request) {
        self.backlog.push(request);
    }

    /// Hands over what waits, as far as it is time for it.
    pub fn advance(&mut self, store: &store::Handle, now: Monotonic) {
        if self.retry.is_some_and(|at| at <= now) {
            self.again();
        }
        let ticket = self.asked.wrapping_add(1);
        if self.stage == Stage::Asking && store.try_send(store::Request::Decisions { ticket }).is_ok() {
            self.asked = ticket;
            self.stage = Stage::Filling(Vec::new());
        }
        if matches!(self.stage, Stage::Asking | Stage::Filling(_)) {
            return;
        }
        let mut waiting = std::mem::take(&mut self.backlog).into_iter();
        for request in waiting.by_ref() {
            if let Err(firewall::worker::Full(request)) = self.worker.try_send(request) {
                self.backlog.push(request);
                break;
            }
        }
        self.backlog.extend(waiting);
        if self.backlog.is_empty() {
            self.waiting_changes = 0;
        }
    }

    /// A plan is in the kernel. Whether it is the one that is wanted: a newer wish may have come up meanwhile.
    pub fn loaded(&mut self, sizes: firewall::SetSizes) -> bool {
        self.sizes = sizes;
        if !self.is_last_report() {
            return false;
        }
        self.stage = Stage::Loaded;
        self.retry = None;
        self.retry_after = RETRY.0;
        true
    }

    /// A plan was refused: what was in the kernel before is there still. If it is the one that is wanted, says when
    /// another attempt will be made.
    pub fn refused(&mut self, now: Monotonic) -> Option<Duration> {
        if !self.is_last_report() {
            return None;
        }
        let wait = self.retry_after;
        self.stage = Stage::Idle;
        self.retry = Some(now.after(wait));
        self.retry_after = wait.saturating_mul(2).min(RETRY.1);
        Some(wait)
    }

    /// Notes a report about a load, and says whether it is about the last one that was wanted.
    fn is_last_report(&mut self) -> bool {
        self.loads = self.loads.saturating_sub(1);
        self.loads == 0 && self.stage == Stage::Loading
    }

    /// When something is to be tried again.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        self.retry
    }

    /// Whether something waits that only time can move.
    pub fn is_stuck(&self) -> bool {
        self.stage == Stage::Asking || !self.backlog.is_empty() && !matches!(self.stage, Stage::Filling(_))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::Receiver;

    use super::*;
    use crate::config::Settings;
    use crate::firewall::{Request, SetSizes};
    use crate::flow::{Port, Protocol};

    const NOON: Monotonic = Monotonic::from_secs(1000);
    const MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);

    /// A kernel between a store and a firewall thread that the test plays.
    struct Stage {
        kernel: Kernel,
        store: store::Handle,
        questions: Receiver<store::Request>,
        firewall: Receiver<Request>,
    }

    impl Stage {
        fn new(inbox: usize) -> Stage {
            let (worker, firewall) = Worker::to_nobody(inbox);
            let (store, questions) = store::Handle::to_nobody(1);
            Stage { kernel: Kernel::new(worker), store, questions, firewall }
        }

        fn wanting() -> Stage {
            let mut stage = Stage::new(16);
            stage.kernel.want(plan(true));
            stage
        }

        fn loaded() -> Stage {
            let mut stage = Stage::wanting();
            let ticket = stage.asked();
            stage.kernel.fill(ticket, vec![], true, Vec::new);
            assert_eq!(stage.told(), ["load of 0"]);
            assert!(stage.kernel.loaded(SetSizes::new()));
            stage
        }

        fn advance(&mut self) {
            self.kernel.advance(&self.store, NOON);
        }

        /// The ticket of what the store was asked for.
        fn asked(&mut self) -> u32 {
            self.advance();
            match self.questions.try_recv() {
                Ok(store::Request::Decisions { ticket }) => ticket,
                other => panic!("{other:?}"),
            }
        }

        /// What reached the firewall thread.
        fn told(&mut self) -> Vec<String> {
            self.advance();
            let short = |request| match request {
                Request::Load(load) => format!("load of {}", load.elements.len()),
                Request::Change { ticket, changes } => format!("{} changes, {ticket:?}", changes.len()),
                Request::Device { .. } => "device".to_owned(),
                Request::Counters { ticket } => format!("counters, {ticket:?}"),
                Request::Unload => "unload".to_owned(),
            };
            self.firewall.try_iter().map(short).collect()
        }
    }

    fn plan(learning: bool) -> Plan {
        Plan::new(&Settings::default(), learning, Vec::new())
    }

    fn flow(port: u16) -> (Key, State) {
        (Key::service(MAC, Protocol::TCP, Port::Number(port)), State::Allowed)
    }

    fn change(port: u16) -> Change {
        Change { key: flow(port).0, before: None, after: Some(State::Allowed) }
    }

    #[test]
    fn decisions_are_fetched_loaded_and_followed_by_what_changed_meanwhile() {
        let mut stage = Stage::wanting();
        let ticket = stage.asked();
        stage.kernel.fill(ticket, vec![flow(1)], false, || unreachable!("there is more to come"));
        stage.kernel.change(change(3));
        stage.kernel.change(change(4));
        assert_eq!(stage.told(), [""; 0], "an older picture must not overwrite a newer one");
        stage.kernel.fill(ticket, vec![flow(2)], true, || vec![(MAC, DeviceMode::Block)]);
        assert_eq!(stage.told(), ["load of 2", "2 changes, None"]);
        assert!(!stage.kernel.is_loaded());
        assert!(stage.kernel.loaded(SetSizes::new()) && stage.kernel.is_loaded());
    }

    #[test]
    fn answers_to_an_earlier_question_are_not_mixed_into_a_later_one() {
        let mut stage = Stage::wanting();
        let earlier = stage.asked();
        stage.kernel.fill(earlier, vec![flow(1)], false, Vec::new);
        stage.kernel.again();
        let later = stage.asked();
        stage.kernel.fill(earlier, vec![flow(2)], true, Vec::new);
        assert_eq!(stage.told(), [""; 0], "half of what is decided would be missing");
        stage.kernel.fill(later, vec![flow(1), flow(2), flow(3)], true, Vec::new);
        assert_eq!(stage.told(), ["load of 3"]);
    }

    #[test]
    fn a_report_about_an_older_plan_is_not_taken_for_the_newer_ones() {
        for refused in [false, true] {
            let mut stage = Stage::wanting();
            let ticket = stage.asked();
            stage.kernel.fill(ticket, vec![], true, Vec::new);
            assert_eq!(stage.told(), ["load of 0"]);
            stage.kernel.want(plan(false));
            let ticket = stage.asked();
            stage.kernel.fill(ticket, vec![flow(1)], true, Vec::new);
            assert_eq!(stage.told(), ["load of 1"]);
            match refused {
                true => assert_eq!(stage.kernel.refused(NOON), None),
                false => assert!(!stage.kernel.loaded(SetSizes::new())),
            }
            assert!(!stage.kernel.is_loaded(), "the house learns still");
            assert!(stage.kernel.loaded(SetSizes::new()) && stage.kernel.is_loaded());
        }
    }

    #[test]
    fn a_load_that_never_left_is_not_waited_for() {
        let mut stage = Stage::new(0);
        stage.kernel.want(plan(true));
        let ticket = stage.asked();
        stage.kernel.fill(ticket, vec![], true, Vec::new);
        assert_eq!(stage.told(), [""; 0], "the inbox is full");
        stage.kernel.again();
        let ticket = stage.asked();
        stage.kernel.fill(ticket, vec![], true, Vec::new);
        assert!(stage.kernel.loaded(SetSizes::new()));
    }

    #[test]
    fn loading_anew_keeps_what_somebody_waits_for() {
        let mut stage = Stage::loaded();
        stage.kernel.request(Request::Counters { ticket: Some(7) });
        stage.kernel.request(Request::Change { ticket: Some(8), changes: vec![change(1)] });
        stage.kernel.request(Request::Counters { ticket: None });
        stage.kernel.change(change(2));
        stage.kernel.again();
        let ticket = stage.asked();
        stage.kernel.fill(ticket, vec![flow(1), flow(2)], true, Vec::new);
        assert_eq!(stage.told(), ["load of 2", "counters, Some(7)", "1 changes, Some(8)"]);
    }

    #[test]
    fn a_refusal_is_tried_again_later_and_later() {
        let mut stage = Stage::wanting();
        let mut now = NOON;
        for wait in [5, 10, 20, 40, 80, 160, 300, 300] {
            let ticket = stage.asked();
            stage.kernel.fill(ticket, vec![], true, Vec::new);
            stage.told();
            assert_eq!(stage.kernel.refused(now), Some(Duration::from_secs(wait)));
            assert!(!stage.kernel.is_stuck(), "nothing to look at until then");
            now = now.after(Duration::from_secs(wait));
            assert_eq!(stage.kernel.next_deadline(), Some(now));
            stage.kernel.advance(&stage.store, now);
            let _ = stage.questions.try_recv();
            stage.kernel.again();
        }
    }

    #[test]
    fn a_store_that_takes_nothing_is_asked_again() {
        let mut stage = Stage::wanting();
        stage.store.try_send(store::Request::Flush).unwrap();
        stage.advance();
        assert!(stage.kernel.is_stuck());
        assert!(matches!(stage.questions.try_recv(), Ok(store::Request::Flush)));
        stage.asked();
        assert!(!stage.kernel.is_stuck());
    }

    #[test]
    fn more_changes_than_can_wait_are_loaded_anew() {
        let mut stage = Stage::loaded();
        (0..=BACKLOG).for_each(|port| stage.kernel.change(change(port as u16)));
        let ticket = stage.asked();
        stage.kernel.fill(ticket, vec![flow(1)], true, Vec::new);
        assert_eq!(stage.told(), ["load of 1"]);
    }

    #[test]
    fn leaving_waits_for_no_load() {
        let mut stage = Stage::wanting();
        stage.asked();
        stage.kernel.stop();
        assert_eq!(stage.told(), ["counters, None", "unload"]);
    }
}
