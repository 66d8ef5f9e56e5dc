//! The engine's hit path: a packet of a flow that the cache knows.
//!
//! Prints nanoseconds a decision and their ratio to a bare lookup in a `HashMap` of the same keys, interleaved in one run,
//! and fails if a decision allocates. `cargo bench --bench engine`.
//! With `--once` nothing is timed: everything is done once, for a tool that counts instructions (`scripts/bench instructions`).

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashMap;
use std::hint::black_box;
use std::net::IpAddr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use glacic::engine::{Answer, Engine, Policy, Sighting, key_of};
use glacic::flow::{FlowId, Key, Mac, Monotonic, Now, Origin, Protocol, Record, State, Verdict, Wall};
use glacic::wire::{self, Facts, Stage};

/// Counts what is allocated, and how much of it is still there.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static LIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const DEVICES: u64 = 20;
const FLOWS: usize = 10_000;
const ROUNDS: usize = 15;

fn sightings() -> Vec<Sighting> {
    let sighting = |n: usize| Sighting {
        mac: Mac::from_u64(0x0200_0000_0000 + n as u64 % DEVICES),
        zone: None,
        facts: Facts {
            source: IpAddr::from([192, 168, 1, 2]),
            destination: IpAddr::from([192, 0, 2, 1]),
            protocol: Protocol::TCP,
            source_port: 40_000,
            port: (n / DEVICES as usize) as u16,
            stage: Stage::Opening,
        },
    };
    (0..FLOWS).map(sighting).collect()
}

fn record(id: u32, sighting: &Sighting) -> Record {
    let key = key_of(sighting.mac.unwrap_or(Mac([0; 6])), &sighting.facts);
    let seen = Wall::default();
    Record {
        id: FlowId(id),
        key,
        state: State::Allowed,
        origin: Origin::Learned,
        first_seen: seen,
        last_seen: seen,
        connections: 1,
    }
}

#[inline(never)]
fn decide_all(engine: &mut Engine, sightings: &[Sighting], now: Now) -> usize {
    sightings
        .iter()
        .filter(|sighting| engine.packet(black_box(sighting), now) == Answer::Verdict(Verdict::Pass))
        .count()
}

#[inline(never)]
fn look_up_all(table: &HashMap<Key, State>, sightings: &[Sighting]) -> usize {
    let key = |sighting: &Sighting| key_of(sighting.mac.unwrap_or(Mac([0; 6])), &sighting.facts);
    sightings.iter().filter(|sighting| table.get(&key(black_box(sighting))) == Some(&State::Allowed)).count()
}

/// The SYN of a TCP connection over IPv4.
const PACKET: [u8; 40] = [
    0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0, 192, 168, 1, 2, 192, 0, 2, 1, // IPv4
    0x9c, 0x40, 1, 187, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff, 0, 0, 0, 0, // TCP
];

#[inline(never)]
fn read_all(packet: &[u8]) -> usize {
    (0..FLOWS).filter(|_| wire::facts(black_box(packet)).is_ok_and(|facts| facts.stage == Stage::Opening)).count()
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() -> ExitCode {
    let now = Now { mono: Monotonic::from_secs(1), wall: Wall { seconds: 1_790_000_000 } };
    let sightings = sightings();
    let before = LIVE.load(Ordering::Relaxed);
    let mut engine = Engine::new(Policy::default(), FlowId(1), now);
    for (id, sighting) in (1..).zip(&sightings) {
        engine.load(&record(id, sighting), now);
    }
    let bytes = LIVE.load(Ordering::Relaxed) - before;
    let allowed = |sighting: &Sighting| Some((key_of(sighting.mac?, &sighting.facts), State::Allowed));
    let table: HashMap<Key, State> = sightings.iter().filter_map(allowed).collect();

    let allocations = ALLOCATIONS.load(Ordering::Relaxed);
    let passed = decide_all(&mut engine, &sightings, now);
    let allocated = ALLOCATIONS.load(Ordering::Relaxed) - allocations;

    let read = read_all(&PACKET);
    if std::env::args().any(|argument| argument == "--once") {
        return if (passed, read) == (FLOWS, FLOWS) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }

    let (mut engine_times, mut table_times) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let start = Instant::now();
        black_box(decide_all(&mut engine, &sightings, now));
        engine_times.push(start.elapsed().as_nanos() as f64 / FLOWS as f64);
        let start = Instant::now();
        black_box(look_up_all(&table, &sightings));
        table_times.push(start.elapsed().as_nanos() as f64 / FLOWS as f64);
    }
    let (engine_time, table_time) = (median(engine_times), median(table_times));
    println!("{FLOWS} known flows of {DEVICES} devices, median of {ROUNDS} rounds");
    println!("  one decision on a cache hit      {engine_time:8.1} ns");
    println!("  one lookup in a HashMap          {table_time:8.1} ns");
    println!("  ratio                            {:8.2}", engine_time / table_time);
    println!("  allocations in {FLOWS} decisions  {allocated:8}");
    println!("  memory of the engine             {:8} bytes a flow", bytes / FLOWS);
    match passed == FLOWS && read == FLOWS && allocated == 0 {
        true => ExitCode::SUCCESS,
        false => {
            eprintln!(
                "a decision on a cache hit must not allocate: {allocated} allocations, {passed} of {FLOWS} passed"
            );
            ExitCode::FAILURE
        }
    }
}
