//! What glacic would learn from a capture: the packets of a file through the same parser and the same engine that live
//! packets go through.
//!
//! Time is the capture's own. Devices are the senders of packets that open connections; see
//! [`crate::intercept::replay`] for which do.

use std::collections::BTreeMap;
use std::io::Read;

use serde::Serialize;

use crate::engine::events::Event;
use crate::engine::{Answer, Effect, Engine, Policy, Sighting, key_of};
use crate::flow::view::FlowView;
use crate::flow::{FlowId, Key, Monotonic, Now, Record, Wall};
use crate::intercept::pcap;
use crate::intercept::replay::Tracker;
use crate::wire;

/// What a capture came to: `glacic replay --json`.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Packets in the capture.
    pub packets: u64,
    /// In the order in which they were first seen.
    pub flows: Vec<FlowView>,
    pub events: Vec<Event>,
    /// Packets that are no IP, or could not be read.
    pub unread: u64,
    /// What was wrong with the file, where it ended early.
    pub note: Option<String>,
}

/// Replays a capture. An error is a file that is no capture at all; one that breaks off is read up to there.
pub fn run(input: impl Read, policy: Policy) -> Result<Report, pcap::Error> {
    let mut reader = pcap::Reader::open(input)?;
    // There is no store to ask: what is learned has to fit.
    let policy = Policy { cache_size: MAX_FLOWS, holds: false, ..policy };
    let mut engine = Engine::new(policy, FlowId(1), Now::default());
    let mut tracker = Tracker::new();
    let mut learned = Learned::default();
    let mut report = Report::default();
    while let Some(frame) = reader.next() {
        let frame = match frame {
            Ok(frame) => frame,
            Err(error) => {
                report.note = Some(error.to_string());
                break;
            }
        };
        report.packets += 1;
        let now = at(frame.time.unwrap_or(0));
        let Some((mac, bytes)) = frame.network() else {
            report.unread += 1;
            continue;
        };
        match wire::facts(bytes) {
            Ok(facts) => {
                let Some(mac) = mac.filter(|mac| tracker.opens(*mac, &facts, now.mono)) else { continue };
                let sighting = Sighting { mac: Some(mac), zone: None, facts };
                // A flow of a capture has no past: where the engine would ask for it, there is none.
                if engine.packet(&sighting, now) == Answer::Ask(key_of(mac, &facts)) {
                    engine.resume(&sighting, now);
                }
                learned.take(&mut engine, now.wall, &mut report.events);
            }
            Err(_) => report.unread += 1,
        }
    }
    engine.report();
    learned.take(&mut engine, Wall::default(), &mut report.events);
    report.flows = learned.records.into_values().map(|record| FlowView::new(&record)).collect();
    Ok(report)
}

/// More flows than this are forgotten again, the least recently used first.
const MAX_FLOWS: usize = 100_000;

/// The clocks at a time of the capture, in microseconds since 1970.
fn at(micros: u64) -> Now {
    let seconds = i64::try_from(micros / 1_000_000).unwrap_or(i64::MAX);
    Now { mono: Monotonic { millis: micros / 1000 }, wall: Wall { seconds } }
}

#[derive(Default)]
struct Learned {
    records: BTreeMap<FlowId, Record>,
    ids: BTreeMap<Key, FlowId>,
}

impl Learned {
    /// Takes in what followed from a packet.
    fn take(&mut self, engine: &mut Engine, time: Wall, events: &mut Vec<Event>) {
        for effect in engine.take_effects() {
            match effect {
                Effect::Insert { record, .. } => {
                    self.ids.insert(record.key, record.id);
                    self.records.insert(record.id, record);
                }
                Effect::Seen { key, at, connections } => {
                    if let Some(record) = self.ids.get(&key).and_then(|id| self.records.get_mut(id)) {
                        record.connections = record.connections.saturating_add(connections.into());
                        record.last_seen = at;
                    }
                }
                Effect::Event(what) => events.push(Event { time, what }),
                Effect::Kernel { .. } => {}
            }
        }
    }
}
