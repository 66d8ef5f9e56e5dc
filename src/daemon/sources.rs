//! Where packets come from at the moment: queues, or a log group, and who is behind which interface.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use crate::config::Settings;
use crate::engine::Sighting;
use crate::firewall::{Ask, Guarded};
use crate::flow::Verdict;
use crate::intercept::log::Log;
use crate::intercept::queue::{Held, Queue, QueueSettings};
use crate::intercept::{Packet, Received, Warning};
use crate::netlink::{Error, link::Links};
use crate::wire;

/// One open source of packets.
pub enum Source {
    Queue(Queue, u16),
    Log(Box<Log>),
}

/// The open sources, and what it takes to make sense of their packets.
pub struct Sources {
    open: Vec<Source>,
    links: Links,
    /// Guarded interfaces by name, with the name of their zone, or their own where they have none.
    zones: HashMap<String, Arc<str>>,
}

impl Sources {
    pub fn new() -> Result<Sources, Error> {
        Ok(Sources { open: Vec::new(), links: Links::open()?, zones: HashMap::new() })
    }

    pub fn links(&self) -> BorrowedFd<'_> {
        self.links.as_fd()
    }

    /// Takes in what changed about interfaces, and says whether anything did.
    pub fn update_links(&mut self) -> bool {
        self.links.update().unwrap_or_else(|error| {
            log::warn!("{error}");
            true
        })
    }

    /// Says which interfaces are guarded.
    pub fn guard(&mut self, guarded: &[Guarded]) {
        let zone =
            |guarded: &Guarded| guarded.zone.as_ref().map_or(guarded.interface.as_str(), |zone| zone.as_str()).into();
        self.zones = guarded.iter().map(|guarded| (guarded.interface.as_str().to_owned(), zone(guarded))).collect();
    }

    /// Opens what `ask` feeds, beside what is open already, so that no packet meets a queue without a reader.
    pub fn open(&mut self, ask: Ask, settings: &Settings) -> Result<Vec<Warning>, Error> {
        let mut warnings = Vec::new();
        match ask {
            Ask::Queue { first, count } | Ask::Marked { first, count, .. } => {
                for number in first..first.saturating_add(count) {
                    if !self.open.iter().any(|source| matches!(source, Source::Queue(_, open) if *open == number)) {
                        let (queue, told) = Queue::open(&QueueSettings::new(number, settings))?;
                        warnings.extend(told);
                        self.open.push(Source::Queue(queue, number));
                    }
                }
            }
            Ask::Log { group } => {
                if !self.open.iter().any(|source| matches!(source, Source::Log(_))) {
                    let (log, told) = Log::open(group)?;
                    warnings.extend(told);
                    self.open.push(Source::Log(Box::new(log)));
                }
            }
        }
        Ok(warnings)
    }

    /// Closes what the ruleset that is loaded now does not feed.
    pub fn settle(&mut self, ask: Ask) {
        self.open.retain(|source| match (source, ask) {
            (Source::Queue(_, number), Ask::Queue { first, count } | Ask::Marked { first, count, .. }) => {
                (first..first.saturating_add(count)).contains(number)
            }
            (Source::Log(_), Ask::Log { .. }) => true,
            _ => false,
        });
    }

    /// Closes everything, for settings that need another socket; the next [`Sources::open`] opens anew.
    pub fn close(&mut self) {
        self.open.clear();
    }

    pub fn queues(&self) -> impl Iterator<Item = &Queue> {
        self.open.iter().filter_map(|source| match source {
            Source::Queue(queue, _) => Some(queue),
            Source::Log(_) => None,
        })
    }

    /// The descriptors to wait for.
    pub fn fds(&self) -> impl Iterator<Item = (usize, BorrowedFd<'_>)> {
        self.open.iter().enumerate().map(|(index, source)| match source {
            Source::Queue(queue, _) => (index, queue.as_fd()),
            Source::Log(log) => (index, log.as_fd()),
        })
    }

    /// Receives from one source. `decide` is given what a packet says of itself, and where it waits, if it does.
    pub fn receive(
        &mut self,
        index: usize,
        mut decide: impl FnMut(Result<Sighting, wire::Malformed>, Option<Held>) -> Option<Verdict>,
    ) -> Result<Received, Error> {
        let Sources { open, links, zones, .. } = self;
        match open.get_mut(index) {
            Some(Source::Queue(queue, _)) => {
                queue.receive(|held, packet| decide(sighting(packet, links, zones), Some(held)))
            }
            Some(Source::Log(log)) => log.receive(|_prefix, packet| {
                decide(sighting(packet, links, zones), None);
            }),
            None => Ok(Received::default()),
        }
    }

    /// Gives the verdict of a packet that waited.
    pub fn verdict(&mut self, held: Held, verdict: Verdict) {
        for source in &mut self.open {
            if let Source::Queue(queue, number) = source
                && *number == held.queue
            {
                queue.verdict(held, verdict);
            }
        }
    }

    /// Sends the verdicts that were given since; returns how many the kernel did not take.
    pub fn flush(&mut self) -> u64 {
        let mut errors = 0;
        for source in &mut self.open {
            if let Source::Queue(queue, _) = source
                && let Err(error) = queue.flush()
            {
                log::debug!("{error}");
                errors += 1;
            }
        }
        errors
    }
}

fn sighting(
    packet: &Packet<'_>,
    links: &Links,
    zones: &HashMap<String, Arc<str>>,
) -> Result<Sighting, wire::Malformed> {
    let facts = wire::facts(packet.bytes)?;
    let zone = packet.in_interface.and_then(|index| links.name(index)).and_then(|name| zones.get(name)).cloned();
    Ok(Sighting { mac: packet.mac, zone, facts })
}
