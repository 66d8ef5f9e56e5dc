//! From a packet to its verdict: the engine is asked, and whoever has to wait is shown into the lobby.

use crate::config::settings::{FailMode, Placement};
use crate::control::protocol::Stats;
use crate::engine::{Answer, Engine, Sighting};
use crate::flow::{Key, Now, Verdict};
use crate::intercept::queue::Held;
use crate::store;
use crate::wire::Malformed;

use super::held::{Awaiting, Lobby, STORE_PATIENCE, Waiting};

/// What the judging of one packet needs, borrowed for a batch.
pub struct Judge<'a> {
    pub engine: &'a mut Engine,
    pub lobby: &'a mut Lobby,
    pub store: &'a store::Handle,
    pub stats: &'a mut Stats,
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
    pub fn judge(&mut self, sighting: Result<Sighting, Malformed>, held: Option<Held>) -> Option<Verdict> {
        self.stats.packets += 1;
        let verdict = match sighting {
            Ok(sighting) => self.engine.packet(&sighting, self.now).resolve(|answer| self.wait(answer, sighting, held)),
            Err(_) => {
                self.stats.malformed += 1;
                Some(if self.engine.policy().learning { Verdict::Ignore } else { Verdict::Refuse })
            }
        };
        if let Some(verdict) = verdict {
            count(self.stats, self.manner.placement, verdict, held.is_some());
        }
        verdict
    }

    /// Lets a packet wait. Where it cannot, `fail_mode` answers at once.
    fn wait(&mut self, (key, awaiting): (Key, Awaiting), sighting: Sighting, held: Option<Held>) -> Option<Verdict> {
        let patience = match awaiting {
            Awaiting::Store => STORE_PATIENCE,
            Awaiting::Owner => self.manner.hold,
        };
        let ask = awaiting == Awaiting::Store && !self.lobby.is_asked(&key);
        if ask && self.store.try_send(store::Request::Find { key }).is_err() {
            return Some(self.manner.unanswered());
        }
        let until = self.now.mono.after(patience);
        match self.lobby.enter(Waiting { key, awaiting, sighting, held, until }) {
            Ok(()) => None,
            Err(_) if awaiting == Awaiting::Owner => Some(Verdict::Refuse),
            Err(_) => Some(self.manner.unanswered()),
        }
    }

    /// Goes on with a packet that waited for the store, or for the owner, who has decided.
    pub fn resume(&mut self, waiting: Waiting, found: Option<&crate::flow::Record>) -> Option<(Held, Verdict)> {
        let Waiting { sighting, held, .. } = waiting;
        let answer = self.engine.resume(&sighting, found, self.now);
        let verdict = answer.resolve(|answer| self.wait(answer, sighting, held))?;
        count(self.stats, self.manner.placement, verdict, held.is_some());
        held.map(|held| (held, verdict))
    }

    /// The verdict of a packet nobody answered in time.
    pub fn expire(&mut self, waiting: &Waiting) -> Option<(Held, Verdict)> {
        let verdict = match waiting.awaiting {
            Awaiting::Store => self.manner.unanswered(),
            Awaiting::Owner => Verdict::Refuse,
        };
        count(self.stats, self.manner.placement, verdict, waiting.held.is_some());
        waiting.held.map(|held| (held, verdict))
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

/// Counts what became of a packet. In log mode the loaded ruleset has dealt with it: in fallback placement what is
/// logged is what was refused.
fn count(stats: &mut Stats, placement: Placement, verdict: Verdict, queued: bool) {
    let accepted = match verdict {
        Verdict::Pass | Verdict::Ignore => queued || placement == Placement::Guard,
        Verdict::Refuse | Verdict::Deny => false,
    };
    match accepted {
        true => stats.accepted += 1,
        false => stats.dropped += 1,
    }
}
