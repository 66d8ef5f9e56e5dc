//! What the database costs the flash: bytes a flow in the file, and bytes written for a lone decision and for a batch of
//! learned flows, in every journal mode. The choice in `src/store/file.rs` stands on this table.
//!
//! `cargo bench --bench store [-- DIRECTORY]`. "process" is what this process dirtied (`/proc/self/io`), "device" what
//! reached the block device under the directory: true only if nobody else writes to it. A file system of its own:
//! `truncate -s 64M /tmp/f && mkfs.ext4 -q /tmp/f && mount -o loop /tmp/f /mnt`. Bytes do not depend on the
//! profile: `--profile dev` builds sooner.

use std::fs;
use std::os::linux::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use glacic::flow::query::{Decision, Selection};
use glacic::flow::{FlowId, Key, Mac, Monotonic, Now, Origin, Port, Protocol, Record, State, Wall};
use glacic::store::{Limits, Request, Store};
use rusqlite::Connection;

const FLOWS: u32 = 20_000;
/// Enough for the write-ahead log to be copied into the file several times.
const DECISIONS: u32 = 1024;
const BATCHES: u32 = 16;
const BATCH: u32 = 256;

fn main() {
    // Cargo hands `--bench` to every bench.
    let directory = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let base = directory.map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    let directory = base.join("store-bench");
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).expect("a directory to write to");
    let path = directory.join("flows.db");

    let mut store = open(&path);
    let (resident_before, begun) = (resident(), Instant::now());
    for id in 1..=FLOWS {
        insert(&mut store, id);
    }
    let (insert_time, begun) = (begun.elapsed() / FLOWS, Instant::now());
    for id in 1..=FLOWS {
        store.handle(Request::Find { key: flow(id).key }, now(0), &mut |_| {});
    }
    let find_time = begun.elapsed() / FLOWS;
    store.flush(now(0)).expect("written");
    let grown = resident() - resident_before;
    drop(store);
    let bytes = fs::metadata(&path).expect("a file").len();
    println!("{FLOWS} flows: {bytes} bytes, {:.1} a flow in the file", bytes as f64 / f64::from(FLOWS));
    println!("in memory: {} a flow; insert {insert_time:?}, find {find_time:?}\n", grown / u64::from(FLOWS));

    println!("{:>28} {:^23} {:^23}", "", "a lone decision", "a flow of a batch of 256");
    println!(
        "{:>6} {:>13} {:>7} {:>11} {:>11} {:>11} {:>11}",
        "page", "journal", "sync", "process", "device", "process", "device"
    );
    for page in [1024, 4096] {
        for journal in ["TRUNCATE", "PERSIST", "WAL"] {
            for sync in ["FULL", "NORMAL"] {
                let copy = directory.join("mode.db");
                let file = in_mode(&path, &copy, page, journal, sync);
                let lone = cost(&directory, || {
                    for number in 0..DECISIONS {
                        decide_raw(&file, number * 311 % FLOWS + 1);
                    }
                });
                let batch = cost(&directory, || {
                    for number in 0..BATCHES {
                        learn_raw(&file, FLOWS + 1 + number * BATCH);
                    }
                });
                row(&page.to_string(), journal, sync, lone, batch);
            }
        }
    }
    let mut store = open(&path);
    let lone = cost(&directory, || {
        for number in 0..DECISIONS {
            let selection = Selection::Ids(vec![FlowId(number * 311 % FLOWS + 1)]);
            let request = Request::Decide { ticket: 0, selection, decision: Decision::Deny, fresh: FlowId(0) };
            store.handle(request, now(0), &mut |_| {});
        }
    });
    let batch = cost(&directory, || {
        for number in 0..BATCHES {
            for id in 0..BATCH {
                insert(&mut store, FLOWS + 1 + number * BATCH + id);
            }
            store.tick(now(u64::from(number + 1) * 10), &mut |_| {});
        }
    });
    row("", "as glacic", "does it", lone, batch);
    drop(store);
    let _ = fs::remove_dir_all(&directory);
}

fn now(seconds: u64) -> Now {
    Now { mono: Monotonic::from_secs(seconds), wall: Wall { seconds: Wall::PLAUSIBLE.seconds + seconds as i64 } }
}

fn open(path: &Path) -> Store {
    let limits = Limits {
        max_flows: 100_000,
        retention: Duration::from_secs(30 * 86_400),
        flush_interval: Duration::from_secs(43_200),
    };
    let opened = glacic::store::open(path, limits, now(0));
    assert_eq!(opened.trouble, None);
    opened.store
}

/// A house of 200 devices that has been watched for some weeks.
fn flow(id: u32) -> Record {
    let [_, a, b, c] = (id % 200).to_be_bytes();
    let seen = Wall::PLAUSIBLE.seconds + i64::from(id) * 100;
    Record {
        id: FlowId(id),
        key: Key::service(Mac([0xb8, 0x27, 0xeb, a, b, c]), Protocol::TCP, Port::Number((id / 200) as u16 * 37)),
        state: State::Allowed,
        origin: Origin::Learned,
        first_seen: Wall { seconds: seen },
        last_seen: Wall { seconds: seen + 1000 },
        connections: u64::from(id % 5000),
    }
}

fn insert(store: &mut Store, id: u32) {
    store.handle(Request::Insert { record: flow(id), zone: None }, now(0), &mut |reply| panic!("{reply:?}"));
}

/// A copy of the file, rebuilt for a page size and a journal mode.
fn in_mode(path: &Path, copy: &Path, page: u32, journal: &str, sync: &str) -> Connection {
    for suffix in ["", "-wal", "-journal"] {
        let _ = fs::remove_file(format!("{}{suffix}", copy.display()));
    }
    fs::copy(path, copy).expect("a copy");
    let file = Connection::open(copy).expect("a database");
    file.execute_batch(&format!(
        "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE; PRAGMA page_size = {page}; VACUUM;
         PRAGMA journal_mode = {journal}; PRAGMA synchronous = {sync}; PRAGMA wal_autocheckpoint = {};",
        64 * 4096 / page
    ))
    .expect("the mode");
    file
}

fn decide_raw(file: &Connection, id: u32) {
    file.execute("UPDATE flows SET standing = 9 WHERE id = ?1", [id]).expect("a decision");
}

fn learn_raw(file: &Connection, first: u32) {
    let transaction = file.unchecked_transaction().expect("a transaction");
    for id in first..first + BATCH {
        transaction
            .execute(
                "INSERT INTO flows SELECT ?1, device, service, 0, standing, first_seen, last_seen, aged, connections
                 FROM flows WHERE id = ?2",
                [id, id % FLOWS + 1],
            )
            .expect("a flow");
    }
    transaction.commit().expect("a commit");
}

/// Bytes that some work wrote.
#[derive(Clone, Copy)]
struct Cost {
    process: u64,
    device: Option<u64>,
}

fn cost(directory: &Path, work: impl FnOnce()) -> Cost {
    synchronise(directory);
    let (process, device) = (process_bytes(), device_bytes(directory));
    work();
    synchronise(directory);
    Cost {
        process: process_bytes() - process,
        device: device.and_then(|before| Some(device_bytes(directory)? - before)),
    }
}

fn row(page: &str, journal: &str, sync: &str, lone: Cost, batch: Cost) {
    let text = |bytes: Option<u64>, parts: u32| {
        bytes.map_or("-".to_owned(), |bytes| format!("{:.0}", bytes as f64 / f64::from(parts)))
    };
    println!(
        "{page:>6} {journal:>13} {sync:>7} {:>11} {:>11} {:>11} {:>11}",
        text(Some(lone.process), DECISIONS),
        text(lone.device, DECISIONS),
        text(Some(batch.process), BATCHES * BATCH),
        text(batch.device, BATCHES * BATCH)
    );
}

/// What else of the file system is due: its own journal and metadata.
fn synchronise(directory: &Path) {
    use std::os::fd::AsRawFd;
    let directory = fs::File::open(directory).expect("the directory");
    // SAFETY: the descriptor is open.
    unsafe { libc::syncfs(directory.as_raw_fd()) };
}

/// Resident memory, in bytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("/proc/self/status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

fn process_bytes() -> u64 {
    let io = fs::read_to_string("/proc/self/io").expect("/proc/self/io");
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).expect("write_bytes");
    line.parse().expect("a number")
}

/// Sectors written since boot, as in the kernel's Documentation/block/stat.rst.
fn device_bytes(directory: &Path) -> Option<u64> {
    let device = fs::metadata(directory).ok()?.st_dev();
    let (major, minor) = (libc::major(device), libc::minor(device));
    let stat = fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/stat")).ok()?;
    let sectors: u64 = stat.split_whitespace().nth(6)?.parse().ok()?;
    Some(sectors * 512)
}
