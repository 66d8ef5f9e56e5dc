//! Everything the event loop holds, and how new settings are taken over.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use super::activity;
use super::background::{Background, Interfaces, News, Resolved};
use super::chronicle::Chronicle;
use super::control::{Client, Control};
use super::errands::Errands;
use super::held::Lobby;
use super::judge::{Judge, Manner};
use super::kernel::Kernel;
use super::lacks::Lacks;
use super::learning::Learning;
use super::names::Names;
use super::poll::Alarm;
use super::signals::Signals;
use super::sources::Sources;
use super::warnings::{Subject, Warnings};
use crate::config::Settings;
use crate::config::settings::Device;
use crate::control::protocol::{Confinement, FlowCounts, Stats};
use crate::engine::Engine;
use crate::firewall::{self, Guarded, Report};
use crate::flow::{DeviceMode, Mac, Monotonic, Now};
use crate::store::{self, Reply, Seen, When};

/// When a question about interfaces that got no answer is asked again: soon, and then ever later. Each takes fw4 a second.
const ASK_AGAIN: Duration = Duration::from_secs(10);
const ASK_AGAIN_DOUBLES: u32 = 3;

/// What the loop keeps of the store.
pub struct StoreLink {
    pub handle: store::Handle,
    pub replies: Receiver<Reply>,
    pub path: PathBuf,
    pub moved_aside: Option<PathBuf>,
    pub trouble: Option<String>,
    /// When the oldest unanswered question was asked, and how long the last one took.
    pub asked: Option<Monotonic>,
    pub lag: Duration,
    /// Connections that wait to be told.
    pub seen: Vec<Seen>,
    /// What must reach the store, and found its inbox full.
    pub owed: Vec<store::Request>,
}

impl StoreLink {
    /// Hands over what must not be lost, now or as soon as the store takes it.
    pub fn owe(&mut self, request: store::Request) {
        // Of limits the last ones count.
        if matches!(request, store::Request::Limits(_)) {
            self.owed.retain(|owed| !matches!(owed, store::Request::Limits(_)));
        }
        self.owed.push(request);
        self.pay();
    }

    pub fn pay(&mut self) {
        let handle = &self.handle;
        let paid = self.owed.iter().take_while(|request| handle.try_send((*request).clone()).is_ok()).count();
        self.owed.drain(..paid);
    }
}

/// The kernel's counts of the queues, as they were last seen.
#[derive(Debug, Clone, Copy, Default)]
pub struct QueueCounts {
    pub dropped: u64,
    pub user_dropped: u64,
}

/// When things that repeat are due.
#[derive(Debug, Clone, Copy)]
pub struct Due {
    /// Counters from the kernel's sets.
    pub counters: Monotonic,
    /// Names of devices.
    pub names: Monotonic,
    /// The queue's own counts.
    pub queue: Monotonic,
    /// What is beside glacic in the kernel.
    pub look: Monotonic,
    /// When losses are long enough ago not to be told any more.
    pub calm: Option<Monotonic>,
    /// What the rules have dropped.
    pub drops: Monotonic,
    /// The learning state, for the store; and whether it has changed since the store was last told.
    pub keep: Monotonic,
    pub keep_soon: bool,
    /// Another look at which interfaces are guarded, after one has come, gone or changed.
    pub resolve: Option<Monotonic>,
    /// How often in a row that gave no answer.
    pub unanswered: u32,
    /// Another attempt to open the sources that could not be opened, or that failed.
    pub sources: Option<Monotonic>,
    /// The configuration is to be read again, as soon as the background takes the task.
    pub reload: bool,
}

/// Everything the event loop holds.
pub struct House {
    pub settings: Settings,
    pub guarded: Vec<Guarded>,
    pub engine: Engine,
    pub lobby: Lobby,
    pub sources: Sources,
    pub store: StoreLink,
    pub kernel: Kernel,
    pub reports: Receiver<Report>,
    pub background: Background,
    pub news: Receiver<News>,
    pub control: Control,
    pub confinement: Confinement,
    pub lacking: Lacks,
    pub errands: Errands,
    pub learning: Learning,
    pub signals: Signals,
    pub alarm: Alarm,
    pub warnings: Warnings,
    pub stats: Stats,
    pub flows: FlowCounts,
    pub queue_counts: QueueCounts,
    /// Modes that were set by command, which hold where the configuration names no other.
    pub modes: Vec<(Mac, DeviceMode)>,
    pub names: Names,
    /// This kernel cannot queue: the log serves instead.
    pub without_queue: bool,
    /// Stands in for nft's `queue`, see [`super::Options::queue_mark`].
    pub queue_mark: Option<u32>,
    pub started: Monotonic,
    pub now: Now,
    pub due: Due,
    pub overflow_told: Option<Monotonic>,
    pub counted: Monotonic,
    pub record: activity::Record,
    pub chronicle: Chronicle,
    /// Who changed the learning mode and waits until the kernel follows.
    pub awaiting_ruleset: Vec<Client>,
}

impl House {
    pub fn manner(&self) -> Manner {
        let Settings { placement, fail_mode, hold, .. } = self.settings;
        Manner { placement, fail_mode, hold: hold.unwrap_or_default() }
    }

    /// What judging needs, borrowed together.
    pub fn judge(&mut self) -> (Judge<'_>, &mut Sources) {
        let manner = self.manner();
        let House { engine, lobby, store, stats, record, now, sources, .. } = self;
        (Judge { engine, lobby, store: &store.handle, stats, record, manner, now: *now }, sources)
    }

    /// Takes over new settings; says whether anything has changed. fw4 and the network ask for the same again often, and a
    /// ruleset that stands as it is wanted stays: loading it costs a small router a second.
    pub fn configure(&mut self, resolved: Resolved) -> bool {
        let Resolved { settings, interfaces, mut problems } = resolved;
        if settings.database != self.store.path {
            problems.push(format!(
                "option database counts from the next start on, and until then {} is written: stop glacic and move that file, \
                 with those whose names begin like its own, before it starts again",
                self.store.path.display()
            ));
        }
        let stands = self.kernel.is_loaded() && !self.without_queue && settings == self.settings;
        let learned = self.learning.is_on();
        // Somebody may have installed what was missing.
        self.without_queue = false;
        self.warnings.clear(Subject::NoQueue);
        self.lacking.clear();
        self.warnings.clear(Subject::Modules);
        self.due.look = self.now.mono;
        self.warnings.clear(Subject::ConfigRefused);
        self.warnings.set(Subject::Config, problems);
        self.store.owe(store::Request::Limits(store_limits(&settings)));
        self.learning.configure(&settings, self.now.mono);
        let before: Vec<Device> = std::mem::replace(&mut self.settings, settings).devices;
        self.look_for_room();
        let moved = self.interfaces(interfaces);
        let changes = self.configure_devices(&before);
        self.due.names = self.now.mono;
        if stands && !moved && learned == self.learning.is_on() {
            return false;
        }
        self.apply();
        // Behind the load: the ruleset has the modes already, and this ends what is running.
        changes.into_iter().for_each(|change| self.kernel.request(change));
        true
    }

    /// Gives every device the mode that the configuration has for it; what that changes, for the kernel.
    fn configure_devices(&mut self, before: &[Device]) -> Vec<firewall::Request> {
        let named: BTreeSet<Mac> = before.iter().chain(&self.settings.devices).map(|device| device.mac).collect();
        let mut changes = Vec::new();
        for mac in named {
            let after = self.mode_of(mac);
            let before = self.engine.set_device(mac, after);
            if before != after {
                changes.push(firewall::Request::Device { ticket: None, mac, before, after });
            }
        }
        changes
    }

    /// Takes over what is there to be guarded; says whether it has changed.
    pub fn interfaces(&mut self, found: Interfaces) -> bool {
        let Interfaces { guarded, warnings, unsure } = found;
        self.warnings.set(Subject::Guarded, warnings);
        if unsure {
            let wait = ASK_AGAIN.saturating_mul(1 << self.due.unanswered.min(ASK_AGAIN_DOUBLES));
            self.due.resolve.get_or_insert(self.now.mono.after(wait));
        }
        self.due.unanswered = if unsure { self.due.unanswered.saturating_add(1) } else { 0 };
        let changed = guarded != self.guarded;
        self.guarded = guarded;
        changed
    }

    /// The mode of a device: what the configuration says, or else what was said by command.
    pub fn mode_of(&self, mac: Mac) -> DeviceMode {
        let configured = self.settings.devices.iter().find(|device| device.mac == mac).map(|device| device.mode);
        let stored = || self.modes.iter().find(|(known, _)| *known == mac).map(|(_, mode)| *mode);
        configured.filter(|mode| *mode != DeviceMode::Default).or_else(stored).unwrap_or_default()
    }

    /// Turns the learning mode, with everything that follows from it.
    pub fn learning_changed(&mut self) {
        let learning = self.learning.is_on();
        log::info!(
            "{}",
            if learning { "learning: new flows are allowed" } else { "enforcing: new flows wait for a decision" }
        );
        self.apply();
        self.tell(crate::engine::events::What::LearningChanged { learning });
    }

    /// Gives the learning state to the store; says whether it took it. Otherwise that is tried again at a turn of the clock.
    pub fn keep_learning(&mut self, when: When) -> bool {
        let (key, value) = (super::learning::KEPT_AS.to_owned(), Some(self.learning.keep(self.now.mono)));
        let when = if self.due.keep_soon && when == When::Later { When::Soon } else { when };
        let taken = self.store.handle.try_send(store::Request::Meta { key, value, when }).is_ok();
        self.due.keep_soon = !taken && when != When::Later;
        if !taken {
            self.due.keep = self.now.mono.after(Duration::from_secs(1));
        }
        taken
    }
}

/// The store's share of the settings.
pub fn store_limits(settings: &Settings) -> store::Limits {
    store::Limits {
        max_flows: settings.max_flows,
        retention: settings.retention,
        flush_interval: settings.flush_interval,
    }
}
