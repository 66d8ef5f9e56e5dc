use std::sync::mpsc::Receiver;

use super::*;
use crate::config::Settings;
use crate::config::settings::{FailMode, Placement};
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
            Request::Drops => "drops".to_owned(),
            Request::Unload { .. } => "unload".to_owned(),
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
    stage.kernel.stop(Placement::Guard, FailMode::Open);
    assert_eq!(stage.told(), ["counters, None", "unload"]);
}
