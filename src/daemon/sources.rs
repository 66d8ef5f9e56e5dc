//! Where packets come from at the moment: queues, or a log group, and who is behind which interface.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use crate::config::Settings;
use crate::engine::{Sighting, Unreadable};
use crate::firewall::{Ask, Guarded};
use crate::flow::Verdict;
use crate::intercept::log::Log;
use crate::intercept::queue::{Held, Queue, QueueSettings};
use crate::intercept::{Packet, Received, Warning};
use crate::netlink::{Error, link::Links};
use crate::wire;

/// One open source of packets.
pub enum Source {
    Queue(Queue),
    Log(Box<Log>, u16),
}

/// What a source is to be, as far as it matters to its socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Queue(QueueSettings),
    Log(u16),
}

impl Wanted {
    /// The sources that `ask` feeds.
    fn of(ask: Ask, settings: &Settings) -> Vec<Wanted> {
        match ask {
            Ask::Queue { first, count } | Ask::Marked { first, count, .. } => (0..count)
                .filter_map(|more| first.checked_add(more))
                .map(|number| Wanted::Queue(QueueSettings::new(number, settings)))
                .collect(),
            Ask::Log { group } => vec![Wanted::Log(group)],
        }
    }

    /// Whether both need the same number of the kernel.
    fn is_instead_of(self, other: Wanted) -> bool {
        match (self, other) {
            (Wanted::Queue(one), Wanted::Queue(other)) => one.number == other.number,
            (Wanted::Log(one), Wanted::Log(other)) => one == other,
            _ => false,
        }
    }
}

impl Source {
    fn open(wanted: Wanted) -> Result<(Source, Vec<Warning>), Error> {
        match wanted {
            Wanted::Queue(settings) => Queue::open(&settings).map(|(queue, told)| (Source::Queue(queue), told)),
            Wanted::Log(group) => Log::open(group).map(|(log, told)| (Source::Log(Box::new(log), group), told)),
        }
    }

    fn is(&self) -> Wanted {
        match self {
            Source::Queue(queue) => Wanted::Queue(*queue.settings()),
            Source::Log(_, group) => Wanted::Log(*group),
        }
    }

    /// The queue's number.
    pub fn queue(&self) -> Option<u16> {
        match self {
            Source::Queue(queue) => Some(queue.settings().number),
            Source::Log(..) => None,
        }
    }
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
        for wanted in Wanted::of(ask, settings) {
            if !self.open.iter().any(|source| source.is() == wanted) {
                let (source, told) = Source::open(wanted)?;
                warnings.extend(told);
                self.open.push(source);
            }
        }
        Ok(warnings)
    }

    /// The first source that must be closed before what `ask` feeds can be opened: it has the number, and other settings.
    pub fn in_the_way(&self, ask: Ask, settings: &Settings) -> Option<usize> {
        let wanted = Wanted::of(ask, settings);
        self.open.iter().map(Source::is).position(|is| wanted.iter().any(|one| *one != is && one.is_instead_of(is)))
    }

    /// The first source that `ask` does not feed.
    pub fn unfed(&self, ask: Ask, settings: &Settings) -> Option<usize> {
        let wanted = Wanted::of(ask, settings);
        self.open.iter().position(|source| !wanted.contains(&source.is()))
    }

    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Takes a source out, which is still open.
    pub fn take(&mut self, index: usize) -> Option<Source> {
        (index < self.open.len()).then(|| self.open.remove(index))
    }

    pub fn get(&self, index: usize) -> Option<&Source> {
        self.open.get(index)
    }

    pub fn queues(&self) -> impl Iterator<Item = &Queue> {
        self.open.iter().filter_map(|source| match source {
            Source::Queue(queue) => Some(queue),
            Source::Log(..) => None,
        })
    }

    /// The descriptors to wait for.
    pub fn fds(&self) -> impl Iterator<Item = (usize, BorrowedFd<'_>)> {
        self.open.iter().enumerate().map(|(index, source)| match source {
            Source::Queue(queue) => (index, queue.as_fd()),
            Source::Log(log, _) => (index, log.as_fd()),
        })
    }

    /// Receives from one source. `decide` is given what a packet says of itself, and where it waits, if it does.
    pub fn receive(
        &mut self,
        index: usize,
        mut decide: impl FnMut(Result<Sighting, Unreadable>, Option<Held>) -> Option<Verdict>,
    ) -> Result<Received, Error> {
        let Sources { open, links, zones, .. } = self;
        match open.get_mut(index) {
            Some(Source::Queue(queue)) => {
                queue.receive(|held, packet| decide(sighting(packet, links, zones), Some(held)))
            }
            Some(Source::Log(log, _)) => log.receive(|_prefix, packet| {
                decide(sighting(packet, links, zones), None);
            }),
            None => Ok(Received::default()),
        }
    }

    /// Gives the verdict of a packet that waited.
    pub fn verdict(&mut self, held: Held, verdict: Verdict) {
        for source in &mut self.open {
            if let Source::Queue(queue) = source
                && queue.settings().number == held.queue
            {
                queue.verdict(held, verdict);
            }
        }
    }

    /// Sends the verdicts that were given since; returns how many the kernel did not take.
    pub fn flush(&mut self) -> u64 {
        let mut errors = 0;
        for source in &mut self.open {
            if let Source::Queue(queue) = source
                && let Err(error) = queue.flush()
            {
                log::debug!("{error}");
                errors += 1;
            }
        }
        errors
    }
}

fn sighting(packet: &Packet<'_>, links: &Links, zones: &HashMap<String, Arc<str>>) -> Result<Sighting, Unreadable> {
    let facts = wire::facts(packet.bytes).map_err(|_| Unreadable { mac: packet.mac })?;
    let zone = packet.in_interface.and_then(|index| links.name(index)).and_then(|name| zones.get(name)).cloned();
    Ok(Sighting { mac: packet.mac, zone, facts })
}
