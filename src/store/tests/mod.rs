//! What the store promises, by concern.

mod ages;
mod crash;
mod decisions;
mod files;
mod flows;
mod listings;
mod trouble;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::{Limits, Opened, Reply, Request, Store, When};
use crate::flow::query::{Decision, Selection, Service};
use crate::flow::{FlowId, Key, Mac, Monotonic, Now, Origin, Port, Protocol, Record, State, Wall};

/// 2026-06-01.
const JUNE: i64 = 1_780_272_000;
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

const LIMITS: Limits = Limits {
    max_flows: 20_000,
    retention: Duration::from_secs(30 * DAY),
    flush_interval: Duration::from_secs(12 * HOUR),
};

/// A directory of its own, gone with the value.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("glacic-store-test-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    fn database(&self) -> PathBuf {
        self.0.join("flows.db")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// So many seconds after the daemon started, on a clock that is set.
fn at(seconds: u64) -> Now {
    Now { mono: Monotonic::from_secs(seconds), wall: Wall { seconds: JUNE + seconds as i64 } }
}

fn mac(last: u8) -> Mac {
    Mac([0xb8, 0x27, 0xeb, 0, 0, last])
}

fn key(device: u8, port: u16) -> Key {
    Key::service(mac(device), Protocol::TCP, Port::Number(port))
}

fn flow(id: u32, device: u8, port: u16, state: State) -> Record {
    Record {
        id: FlowId(id),
        key: key(device, port),
        state,
        origin: Origin::Learned,
        first_seen: at(0).wall,
        last_seen: at(0).wall,
        connections: 1,
    }
}

/// What the owner says about learning.
fn word(value: &str, when: When) -> Request {
    Request::Meta { key: "learning".to_owned(), value: Some(value.to_owned()), when }
}

fn open(path: &Path, now: Now) -> Opened {
    super::open(path, LIMITS, now)
}

fn ask(store: &mut Store, request: Request, now: Now) -> Vec<Reply> {
    let mut replies = Vec::new();
    store.handle(request, now, &mut |reply| replies.push(reply));
    replies
}

fn tick(store: &mut Store, now: Now) -> Vec<Reply> {
    let mut replies = Vec::new();
    store.tick(now, &mut |reply| replies.push(reply));
    replies
}

fn insert(store: &mut Store, record: Record, now: Now) -> Vec<Reply> {
    ask(store, Request::Insert { record, zone: Some("lan".into()) }, now)
}

fn find(store: &mut Store, key: Key) -> Option<Record> {
    match ask(store, Request::Find { key }, at(0)).as_slice() {
        [Reply::Found { record, .. }] => *record,
        other => panic!("{other:?}"),
    }
}

fn decide(store: &mut Store, selection: Selection, decision: Decision, now: Now) -> super::Decided {
    match decided(store, selection, decision, now) {
        Ok(decided) => decided,
        Err(fault) => panic!("{fault}"),
    }
}

fn decided(
    store: &mut Store,
    selection: Selection,
    decision: Decision,
    now: Now,
) -> Result<super::Decided, crate::control::protocol::Error> {
    let fresh = FlowId(store.next_id);
    let mut replies = ask(store, Request::Decide { ticket: 9, selection, decision, fresh }, now);
    match replies.swap_remove(0) {
        Reply::Decided { ticket: 9, result } => result,
        other => panic!("{other:?}"),
    }
}

fn service(device: &str, port: Option<u16>) -> Selection {
    let port = port.map_or(Port::Any, Port::Number);
    Selection::Service(Service { device: device.to_owned(), proto: Protocol::TCP, port })
}

/// All flows that another process would find in the file now.
fn in_file(path: &Path) -> Vec<Record> {
    let mut found = Vec::new();
    super::read_copy(path, at(0)).unwrap().each(|record, _| found.push(*record));
    found
}
