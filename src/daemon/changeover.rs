//! From what is wanted to what listens: engine, sources and ruleset brought to what the settings and the learning mode say.
//!
//! Sources are opened before the ruleset that feeds them is loaded, and closed after the one that fed them is gone; only
//! what needs the same number with other settings is closed first. Nothing that waits in a queue is lost with it: what
//! was not read is judged, and what is held gets the verdict of `fail_mode`.

use std::fmt::Display;
use std::time::Duration;

use super::held::Awaiting;
use super::house::House;
use super::lacks::missing;
use super::warnings::Subject;
use crate::engine::Policy;
use crate::firewall::{Ask, Module, Plan};

/// How long after a failure a source is opened again, and how long after one that failed to open.
const REOPEN: Duration = Duration::from_secs(1);
const REOPEN_LATER: Duration = Duration::from_secs(5);

/// Calls to a source that is about to be closed, at most: each takes a thousand packets.
const LAST_CALLS: usize = 16;

impl House {
    /// The ruleset that the settings, the learning mode and this kernel's abilities ask for.
    fn plan(&self) -> Plan {
        let mut plan = Plan::new(&self.settings, self.learning.is_on(), self.guarded.clone());
        if let Ask::Queue { first, count } = plan.ask {
            if self.without_queue {
                plan = plan.with_log(self.settings.log_group);
            } else if let Some(mark) = self.queue_mark {
                plan.ask = Ask::Marked { first, count, mark };
            }
        }
        plan
    }

    /// Brings engine, sources and ruleset to what the settings and the learning mode say now.
    pub fn apply(&mut self) {
        self.sources.guard(&self.guarded);
        let mut plan = self.plan();
        if !self.open_sources(plan.ask) {
            plan = self.plan();
            self.open_sources(plan.ask);
        }
        let queued = !matches!(plan.ask, Ask::Log { .. });
        let policy = Policy::new(&self.settings, self.learning.is_on(), queued);
        if policy != *self.engine.policy() {
            self.engine.configure(policy);
            // Whoever waits for the owner may not have to any more.
            let waiting = self.lobby.call(|waiting| waiting.awaiting == Awaiting::Owner);
            self.resume(waiting);
        }
        self.kernel.want(plan);
    }

    /// Goes on with the log where packets cannot be queued.
    pub fn fall_back(&mut self, why: Option<&dyn Display>) {
        self.without_queue = true;
        match why {
            None => self.lacks(Module::Queue),
            Some(why) => {
                let told = format!("{why}; packets are logged instead of queued until then");
                self.warnings.set(Subject::NoQueue, vec![told]);
            }
        }
    }

    /// Opens what `ask` feeds. `false`: the queue cannot be opened, and the log is to serve instead.
    fn open_sources(&mut self, ask: Ask) -> bool {
        self.due.sources = None;
        while let Some(index) = self.sources.in_the_way(ask, &self.settings) {
            self.close_source(index);
        }
        match self.sources.open(ask, &self.settings) {
            Ok(warnings) => {
                self.has(if matches!(ask, Ask::Log { .. }) { Module::Log } else { Module::Queue });
                self.warnings.set(Subject::Source, warnings.iter().map(ToString::to_string).collect());
            }
            Err(error) if matches!(ask, Ask::Queue { .. }) => {
                match missing(&error) {
                    Some(Module::Queue) => self.fall_back(None),
                    _ => self.fall_back(Some(&error)),
                }
                return false;
            }
            Err(error) => {
                match missing(&error) {
                    Some(module) => self.lacks(module),
                    None => self.warnings.set(Subject::Source, vec![error.to_string()]),
                }
                self.due.sources = Some(self.now.mono.after(REOPEN_LATER));
            }
        }
        true
    }

    /// Opens what failed or could not be opened, when it is time for it.
    pub fn reopen_sources(&mut self) {
        if self.due.sources.is_none_or(|at| at > self.now.mono) {
            return;
        }
        self.due.sources = None;
        if let Some(ask) = self.kernel.plan().map(|plan| plan.ask)
            && !self.open_sources(ask)
        {
            self.apply();
        }
    }

    /// Closes a source that failed; it is opened again before long.
    pub fn source_failed(&mut self, index: usize, why: &dyn Display) {
        self.warnings.set(Subject::Source, vec![why.to_string()]);
        self.close_source(index);
        self.due.sources = Some(self.now.mono.after(REOPEN));
    }

    /// Closes what the ruleset that is loaded now does not feed.
    pub fn close_unfed_sources(&mut self) {
        let Some(ask) = self.kernel.plan().map(|plan| plan.ask) else { return };
        while let Some(index) = self.sources.unfed(ask, &self.settings) {
            self.close_source(index);
        }
    }

    /// Closes all sources.
    pub fn close_sources(&mut self) {
        while !self.sources.is_empty() {
            self.close_source(0);
        }
    }

    /// Closes a source once everything in it has its verdict. A verdict that came later would meet another packet:
    /// the next queue of the number counts from the beginning.
    pub fn close_source(&mut self, index: usize) {
        let (mut judge, sources) = self.judge();
        for _ in 0..LAST_CALLS {
            match sources.receive(index, |sighting, held| judge.judge(sighting, held)) {
                Ok(received) if received.packets > 0 => {}
                _ => break,
            }
        }
        if let Some(number) = sources.get(index).and_then(super::sources::Source::queue) {
            for waiting in judge.lobby.call(|waiting| waiting.held.is_some_and(|held| held.queue == number)) {
                if let Some((held, verdict)) = judge.expire(&waiting) {
                    sources.verdict(held, verdict);
                }
            }
        }
        self.stats.verdict_errors += self.sources.flush();
        drop(self.sources.take(index));
        self.settle(None);
    }
}
