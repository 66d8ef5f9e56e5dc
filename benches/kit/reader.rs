//! A reader of packets at work on a thread of its own, inside a network namespace.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{Host, give_way, pin, thread_time};

/// How a reader and the measuring thread talk: the same as `struct control` in bare.c.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Control {
    pub packets: AtomicUsize,
    pub lost: AtomicUsize,
    ready: AtomicI32,
    stop: AtomicI32,
}

impl Control {
    /// The reader is bound: packets may come.
    pub fn ready(&self) {
        self.ready.store(1, Ordering::Release);
    }

    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) != 0
    }

    pub fn count(&self, packets: u64) {
        self.packets.fetch_add(packets as usize, Ordering::Relaxed);
    }
}

/// Where a reader runs.
#[derive(Debug, Clone, Copy)]
pub enum Place {
    Anywhere,
    On(usize),
    /// On a processor, whenever nobody else wants it.
    Behind(usize),
}

/// A running reader.
pub struct Reader {
    control: Arc<Control>,
    thread: JoinHandle<Duration>,
}

/// What a reader did in all its life.
#[derive(Debug, Clone, Copy)]
pub struct Done {
    pub packets: usize,
    pub lost: usize,
    /// Processor time it used.
    pub time: Duration,
}

impl Reader {
    /// Starts `read` inside `host` and waits until it is bound.
    pub fn start(host: &Host, place: Place, read: impl FnOnce(&Control) + Send + 'static) -> Reader {
        let control = Arc::new(Control::default());
        let (inside, shared) = (host.share(), control.clone());
        let thread = std::thread::spawn(move || {
            inside.enter();
            match place {
                Place::Anywhere => (),
                Place::On(cpu) => pin(cpu),
                Place::Behind(cpu) => {
                    pin(cpu);
                    give_way();
                }
            }
            let before = thread_time();
            read(&shared);
            thread_time() - before
        });
        let begun = Instant::now();
        while control.ready.load(Ordering::Acquire) == 0 {
            assert!(!thread.is_finished(), "a reader ended before it began");
            assert!(begun.elapsed() < Duration::from_secs(10), "a reader does not begin");
            std::thread::sleep(Duration::from_millis(1));
        }
        Reader { control, thread }
    }

    pub fn packets(&self) -> usize {
        self.control.packets.load(Ordering::Relaxed)
    }

    /// Ends it. `poke` sends a packet, for readers that look up only when one comes.
    pub fn stop(self, poke: impl Fn()) -> Done {
        self.control.stop.store(1, Ordering::Relaxed);
        let begun = Instant::now();
        while !self.thread.is_finished() {
            assert!(begun.elapsed() < Duration::from_secs(10), "a reader does not end");
            poke();
            std::thread::sleep(Duration::from_millis(2));
        }
        let time = self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let load = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        Done { packets: load(&self.control.packets), lost: load(&self.control.lost), time }
    }
}
