//! The ruleset's way into the kernel, as a sequence of messages: what is decided is fetched from the store, handed to the
//! firewall thread together with the plan, and kept up to date from then on.
//!
//! Changes that are made while the decisions are being fetched wait until the ruleset is on its way, so that an older
//! picture never overwrites them.

use std::time::Duration;

use crate::config::settings::{FailMode, Placement};
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

    /// Whether the firewall thread is no more.
    pub fn has_ended(&self) -> bool {
        self.worker.has_ended()
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
            firewall::Request::Drops => false,
            firewall::Request::Device { .. } | firewall::Request::Unload { .. } => true,
        });
        self.waiting_changes = 0;
    }

    /// Wants everything loaded anew before long, because some of it did not get in.
    pub fn later(&mut self, now: Monotonic) {
        self.retry.get_or_insert(now.after(RETRY.1));
    }

    /// Asks for the end: the last counts, and the kernel as the placement wants it left. What is not on its way yet is
    /// not loaded any more, and what is, is broken off.
    pub fn stop(&mut self, placement: Placement, fail_mode: FailMode) {
        self.again();
        self.worker.hurry();
        self.stage = Stage::Idle;
        self.backlog.push(firewall::Request::Counters { ticket: None });
        self.backlog.push(firewall::Request::Unload { placement, fail_mode });
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
mod tests;
