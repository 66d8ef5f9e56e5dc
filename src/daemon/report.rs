//! `status` and `stats`: what the daemon says of itself.

use super::house::House;
use crate::config::settings::{FailMode, Placement};
use crate::control::protocol::{DatabaseStatus, Stats, Status};
use crate::firewall::Ask;

impl House {
    pub fn status(&mut self) -> Status {
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            time: self.now.wall,
            uptime: self.now.mono.since(self.started).as_secs(),
            enabled: self.settings.enabled,
            learning: self.learning.is_on(),
            learning_left: self.learning.left(self.now.mono).map(|left| left.as_secs()),
            mode: match self.kernel.plan().map(|plan| plan.ask) {
                Some(Ask::Queue { .. } | Ask::Marked { .. }) => "queue".to_owned(),
                Some(Ask::Log { .. }) | None => "log".to_owned(),
            },
            placement: match self.settings.placement {
                Placement::Guard => "guard".to_owned(),
                Placement::Fallback => "fallback".to_owned(),
            },
            fail_mode: match self.settings.fail_mode {
                FailMode::Open => "open".to_owned(),
                FailMode::Closed => "closed".to_owned(),
            },
            interfaces: self.guarded.iter().map(|guarded| guarded.interface.as_str().to_owned()).collect(),
            flows: self.flows,
            devices: self.engine.device_count() as u64,
            dropped_last_hour: self.record.dropped_last_hour(self.now.mono),
            database: DatabaseStatus {
                path: self.store.path.display().to_string(),
                trouble: self.store.trouble.clone(),
                moved_aside: self.store.moved_aside.as_ref().map(|path| path.display().to_string()),
            },
            ruleset: self.kernel.is_loaded(),
            clock_set: self.now.wall.is_set(),
            confinement: self.confinement.clone(),
            warnings: self.warnings.all(),
        }
    }

    pub fn stats(&self) -> Stats {
        let counts = self.engine.counts;
        // A store that does not answer lags as long as it has not.
        let lag = self.store.asked.map_or(self.store.lag, |asked| self.store.lag.max(self.now.mono.since(asked)));
        Stats {
            uptime: self.now.mono.since(self.started).as_secs(),
            held: self.lobby.len() as u64,
            held_peak: self.lobby.peak as u64,
            held_expired: self.lobby.expired,
            no_mac: self.stats.no_mac + counts.no_mac,
            cache_hits: counts.hits,
            cache_misses: counts.misses,
            cache_entries: self.engine.cache_len() as u64,
            events: self.stats.events + counts.events,
            events_suppressed: counts.events_suppressed,
            queue_dropped: self.queue_counts.dropped,
            queue_user_dropped: self.queue_counts.user_dropped,
            store_queue: self.store.handle.queued() as u64,
            firewall_queue: self.kernel.queued() as u64,
            store_lag_ms: u64::try_from(lag.as_millis()).unwrap_or(u64::MAX),
            sets: self.kernel.sizes.iter().map(|(set, size)| ((*set).to_owned(), u64::from(*size))).collect(),
            ..self.stats.clone()
        }
    }
}
