//! The event loop, turn by turn: packets first, then what other threads say, then people, then the clock.

use std::os::fd::AsFd;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use super::background::{Asked, Task};
use super::clock;
use super::control::Client;
use super::house::{Due, House, QueueCounts};
use super::poll::{Interest, PollSet};
use super::signals::Signal;
use super::sources::Source;
use super::start::{Failure, STOP_KERNEL, STOP_STORE, system};
use super::warnings::Subject;
use crate::engine::scan::ALERT_EVERY;
use crate::firewall::{self, Report};
use crate::flow::{Monotonic, Now};
use crate::store::{self, When};

/// The longest a turn waits: what repeats is looked at this often.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How often the kernel is asked how often flows were used.
const COUNT_EVERY: Duration = Duration::from_secs(300);
/// How often names of devices are read again.
const NAMES_EVERY: Duration = Duration::from_secs(60);
/// How often the kernel is asked what it has dropped.
const DROPS_EVERY: Duration = Duration::from_secs(20);
/// How often the queue's own counts are read.
const QUEUE_EVERY: Duration = Duration::from_secs(5);
/// How often the learning state is handed to the store, which keeps it with the counters.
const KEEP_EVERY: Duration = Duration::from_secs(60);

/// How often it is looked what is beside glacic in the kernel.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// How long interfaces may go on changing before they are looked at.
const LINKS_SETTLE: Duration = Duration::from_secs(1);

/// What can be ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ready {
    Source(usize),
    Links,
    Alarm,
    Signals,
    Listener,
    Client(Client),
}

impl House {
    /// Turns until somebody wants the daemon to stop.
    pub fn live(&mut self) -> Result<(), Failure> {
        let mut set = PollSet::new();
        loop {
            set.clear();
            self.watch(&mut set);
            set.wait(self.patience()).map_err(system("waiting for events"))?;
            self.read_clocks();
            if self.turn(&set) {
                return Ok(());
            }
            if let Some(thread) = self.lost() {
                return Err(Failure::Lost(thread));
            }
        }
    }

    /// A thread without which this is no firewall: what it would have done is left undone for ever, and nobody would notice.
    fn lost(&self) -> Option<&'static str> {
        let threads = [
            ("firewall", self.kernel.has_ended()),
            ("store", self.store.handle.has_ended()),
            ("background", self.background.has_ended()),
        ];
        threads.into_iter().find_map(|(name, ended)| ended.then_some(name))
    }

    fn watch(&self, set: &mut PollSet<Ready>) {
        for (index, fd) in self.sources.fds() {
            set.add(Ready::Source(index), fd, Interest::READ);
        }
        set.add(Ready::Links, self.sources.links(), Interest::READ);
        set.add(Ready::Alarm, self.alarm.as_fd(), Interest::READ);
        set.add(Ready::Signals, self.signals.as_fd(), Interest::READ);
        self.control.watch(set, Ready::Listener, Ready::Client);
    }

    /// How long nothing has to be done unless something happens.
    fn patience(&self) -> Duration {
        if !self.control.waiting().is_empty() {
            return Duration::ZERO;
        }
        if self.kernel.is_stuck() {
            return Duration::from_millis(20);
        }
        let Due { resolve, sources, .. } = self.due;
        let deadlines =
            [self.lobby.next_deadline(), self.learning.ends(), self.kernel.next_deadline(), resolve, sources];
        let first = deadlines.into_iter().flatten().min();
        first.map_or(LONGEST_WAIT, |first| first.since(self.now.mono).min(LONGEST_WAIT))
    }

    /// One turn; says whether it was the last.
    fn turn(&mut self, set: &PollSet<Ready>) -> bool {
        let ready: Vec<Ready> = set.ready().collect();
        for ready in &ready {
            if let Ready::Source(index) = ready {
                self.receive(*index);
            }
        }
        self.settle(None);
        self.hear();
        // After the answers: what is there by now is no reason to lose patience.
        self.expire();
        for ready in ready {
            match ready {
                Ready::Source(_) | Ready::Alarm => {}
                Ready::Links => {
                    if self.sources.update_links() {
                        self.due.resolve = Some(self.now.mono.after(LINKS_SETTLE));
                    }
                }
                Ready::Listener => self.control.accept(),
                Ready::Client(client) => {
                    if let Some(request) = self.control.serve(client) {
                        self.request(client, request);
                    }
                }
                Ready::Signals => {
                    while let Some(signal) = self.signals.next() {
                        match signal {
                            Signal::Reload => self.due.reload = true,
                            Signal::Stop => return true,
                        }
                    }
                }
            }
        }
        self.repeat();
        self.kernel.advance(&self.store.handle, self.now.mono);
        false
    }

    /// Takes what one source has and gives its verdicts, before anything else follows from them.
    fn receive(&mut self, index: usize) {
        let (mut judge, sources) = self.judge();
        match sources.receive(index, |sighting, held| judge.judge(sighting, held)) {
            Ok(received) => {
                self.stats.malformed += received.malformed;
                self.stats.overflows += received.overflows;
                self.stats.verdict_errors += received.verdict_errors;
                self.stats.log_lost += received.lost;
                if received.overflows > 0 || received.lost > 0 {
                    self.overflowed(match self.sources.get(index).and_then(Source::queue) {
                        Some(_) => Subject::Overflow,
                        None => Subject::LogLost,
                    });
                }
            }
            Err(error) => self.source_failed(index, &error),
        }
    }

    /// Says, at most once an hour, that packets come faster than they can be looked at.
    fn overflowed(&mut self, what: Subject) {
        let told = if what == Subject::Overflow { QUEUE_WAS_FULL } else { LOG_WAS_LOST };
        self.warnings.set(what, vec![told.to_owned()]);
        self.due.calm = Some(self.now.mono.after(ALERT_EVERY));
        if self.overflow_told.is_none_or(|told| self.now.mono.since(told) >= ALERT_EVERY) {
            self.overflow_told = Some(self.now.mono);
            self.alert("overflow", OVERFLOW.to_owned());
        }
    }

    /// Answers packets that have waited long enough.
    fn expire(&mut self) {
        let expired = self.lobby.call_expired(self.now.mono);
        if expired.is_empty() {
            return;
        }
        let (mut judge, sources) = self.judge();
        for waiting in expired {
            if let Some((held, verdict)) = judge.expire(&waiting) {
                sources.verdict(held, verdict);
            }
        }
        self.stats.verdict_errors += self.sources.flush();
    }

    /// Takes in what other threads have said.
    fn hear(&mut self) {
        self.alarm.clear();
        while let Ok(reply) = self.store.replies.try_recv() {
            self.store_reply(reply);
            self.settle(None);
        }
        while let Ok(report) = self.reports.try_recv() {
            self.firewall_report(report);
        }
        while let Ok(news) = self.news.try_recv() {
            self.background_news(news);
        }
        // An answer may have made room for a client's next request.
        for client in self.control.waiting() {
            if let Some(request) = self.control.next_request(client) {
                self.request(client, request);
            }
        }
    }

    /// Reads the clocks; the moment at which the wall clock is set mends what was noted before.
    fn read_clocks(&mut self) {
        let before = self.now;
        self.now = clock::now();
        if !before.wall.is_set() && self.now.wall.is_set() {
            let jump_seconds = jump(before, self.now);
            log::info!("the clock has been set: {jump_seconds} s forward");
            // What was seen by the old clock goes before it.
            self.engine.report();
            self.settle(None);
            self.send_seen();
            self.store.owe(store::Request::ClockSet { jump_seconds });
            self.warnings.clear(Subject::Clock);
        }
    }

    /// What repeats.
    pub fn repeat(&mut self) {
        let now = self.now.mono;
        if self.learning.tick(now) {
            self.keep_learning(When::Soon);
            self.learning_changed();
        }
        if due(&mut self.due.counters, now, COUNT_EVERY) {
            self.engine.report();
            self.settle(None);
            if self.kernel.is_loaded() {
                self.kernel.request(firewall::Request::Counters { ticket: None });
            }
        }
        if due(&mut self.due.names, now, NAMES_EVERY) {
            let own = self.settings.devices.iter().filter_map(|device| Some((device.mac, device.name.clone()?)));
            // Where too many tasks wait, the next time will do.
            let _ = self.background.ask(Task::Names(own.collect()));
        }
        if self.due.resolve.is_some_and(|at| at <= now) {
            let asked = self.background.ask(Task::Resolve(Asked::of(&self.settings), self.guarded.clone()));
            self.due.resolve = (!asked).then(|| now.after(LINKS_SETTLE));
        }
        if due(&mut self.due.queue, now, QUEUE_EVERY) {
            let queues: Vec<u16> = self.sources.queues().map(|queue| queue.settings().number).collect();
            if !queues.is_empty() {
                // Where too many tasks wait, the next time will do.
                let _ = self.background.ask(Task::Queues(queues));
            }
        }
        if due(&mut self.due.drops, now, DROPS_EVERY) && self.kernel.is_loaded() {
            self.kernel.request(firewall::Request::Drops);
        }
        if due(&mut self.due.keep, now, KEEP_EVERY) {
            self.keep_learning(When::Later);
            // The next time will do as well.
            let _ = self.store.handle.try_send(store::Request::Status { ticket: 0 });
        }
        // What waits for the background finds its inbox full for a moment only.
        if due(&mut self.due.look, now, LOOK_EVERY) && !self.background.ask(Task::Look) {
            self.due.look = now.after(LINKS_SETTLE);
        }
        if self.due.calm.is_some_and(|at| at <= now) {
            self.due.calm = None;
            self.warnings.clear(Subject::Overflow);
            self.warnings.clear(Subject::LogLost);
        }
        if self.due.reload {
            self.due.reload = !self.background.ask(Task::Reload(self.guarded.clone()));
        }
        self.reopen_sources();
        self.send_seen();
        self.store.pay();
        // Verdicts for which the kernel had no memory are sent again.
        self.stats.verdict_errors += self.sources.flush();
    }

    /// Takes in what the kernel shows of the queues.
    pub fn queues_counted(&mut self, counts: QueueCounts) {
        let grown = counts.dropped > self.queue_counts.dropped || counts.user_dropped > self.queue_counts.user_dropped;
        self.queue_counts = counts;
        if grown {
            self.overflowed(Subject::Overflow);
        }
    }

    /// Writes everything and leaves the kernel as the settings promise, before procd loses patience.
    pub fn leave(mut self) {
        log::info!("leaving");
        self.kernel.stop(self.settings.placement, self.settings.fail_mode);
        let deadline = clock::now().mono.after(STOP_KERNEL);
        let mut gone = false;
        while !gone && clock::now().mono < deadline {
            self.kernel.advance(&self.store.handle, self.now.mono);
            match self.reports.recv_timeout(Duration::from_millis(10)) {
                Ok(Report::Unloaded { trouble }) => {
                    trouble.iter().for_each(|trouble| log::error!("the ruleset may be left behind: {trouble}"));
                    gone = true;
                }
                Ok(Report::Counters { flows, .. }) => self.counted(flows),
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
                // The thread has ended before it could do anything about it.
                Err(RecvTimeoutError::Disconnected) => break,
            }
            // Nobody is left to follow them; a store that waits to be heard writes nothing.
            while self.store.replies.try_recv().is_ok() {}
        }
        if !gone {
            log::error!("the ruleset is still in the kernel");
        }
        self.close_sources();
        self.engine.report();
        self.settle(None);
        self.keep_learning(When::Soon);
        self.send_seen();
        if let Err(trouble) = self.store.handle.stop(STOP_STORE) {
            log::error!("{trouble}");
        }
    }
}

const OVERFLOW: &str = "packets come faster than they can be looked at: some new flows were not seen, \
     and were treated as fail_mode says (see `glacic stats`)";

const QUEUE_WAS_FULL: &str = "the queue was full within the last hour: packets of some new flows were treated as fail_mode says \
     (glacic stats counts them); where that goes on, inline_mode auto or 0 needs less of this router";
const LOG_WAS_LOST: &str = "copies of packets were lost within the last hour: some new flows were not seen, and are learned from a \
     later packet of theirs (glacic stats counts them)";

/// Whether something that repeats is due; if so, it is due again after `every`.
fn due(at: &mut Monotonic, now: Monotonic, every: Duration) -> bool {
    let due = *at <= now;
    if due {
        *at = now.after(every);
    }
    due
}

/// How far the wall clock was set forward between two readings, in seconds.
fn jump(before: Now, after: Now) -> i64 {
    let passed = i64::try_from(after.mono.since(before.mono).as_secs()).unwrap_or(0);
    after.wall.seconds.saturating_sub(before.wall.seconds).saturating_sub(passed)
}
