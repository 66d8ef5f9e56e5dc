//! The thread that owns the store: a bounded inbox, and a wait that ends when something is due.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::{Reply, Request, Store, Trouble};
use crate::flow::Now;

/// Requests that wait at most. Beyond it [`Handle::try_send`] says [`Full`], and the asker decides what to do without.
pub const INBOX: usize = 1024;

/// How long a reply waits before it is tried again, while nobody takes replies.
const REPLY_WAIT: Duration = Duration::from_millis(2);

/// SQLite needs a tenth of it; the default of 2 MiB counts on routers that do not overcommit.
const STACK: usize = 512 * 1024;

/// The inbox is full: the request was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// The way to the store's thread.
pub struct Handle {
    inbox: SyncSender<Request>,
    shared: Arc<Shared>,
    done: Receiver<Result<(), Trouble>>,
    thread: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    queued: AtomicUsize,
    leaving: AtomicBool,
}

impl Handle {
    /// Hands over a request; never waits.
    pub fn try_send(&self, request: Request) -> Result<(), Full> {
        // Counted before it is sent: the thread may take it before this one goes on.
        self.shared.queued.fetch_add(1, Ordering::Relaxed);
        self.inbox.try_send(request).map_err(|_| {
            self.shared.queued.fetch_sub(1, Ordering::Relaxed);
            Full
        })
    }

    /// Whether the thread is no more.
    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// Requests that wait.
    pub fn queued(&self) -> usize {
        self.shared.queued.load(Ordering::Relaxed)
    }

    /// Lets the thread do what it was asked, write everything and leave. Waits no longer than `patience`: a flash
    /// that takes longer finishes on its own. Replies nobody takes by then are dropped.
    pub fn stop(self, patience: Duration) -> Result<(), Trouble> {
        let Handle { inbox, shared, done, .. } = self;
        shared.leaving.store(true, Ordering::Release);
        drop(inbox);
        match done.recv_timeout(patience) {
            Ok(result) => result,
            Err(_) => Err(Trouble("the database was still being written when glacic left".to_owned())),
        }
    }
}

#[cfg(test)]
impl Handle {
    /// A way to whoever holds the other end.
    pub fn to_nobody(capacity: usize) -> (Handle, Receiver<Request>) {
        let (inbox, requests) = mpsc::sync_channel(capacity);
        let done = mpsc::channel().1;
        (Handle { inbox, shared: Arc::default(), done, thread: thread::spawn(|| ()) }, requests)
    }
}

/// Starts the thread. Replies go to `replies`, and `wake` is called after each batch of them; `clock` is read once a
/// request. A full reply channel stops the thread until there is room: requests then pile up in the inbox,
/// which is bounded.
pub fn spawn(
    store: Store,
    replies: SyncSender<Reply>,
    wake: impl Fn() + Send + 'static,
    clock: impl Fn() -> Now + Send + 'static,
) -> std::io::Result<Handle> {
    let (inbox, requests) = mpsc::sync_channel(INBOX);
    let (finished, done) = mpsc::channel();
    let shared = Arc::new(Shared::default());
    let outbox = Outbox { replies, wake, shared: shared.clone() };
    let thread = thread::Builder::new().name("store".to_owned()).stack_size(STACK).spawn(move || {
        // The other side may have lost its patience.
        let _ = finished.send(run(store, &requests, &outbox, &clock));
    })?;
    Ok(Handle { inbox, shared, done, thread })
}

struct Outbox<W> {
    replies: SyncSender<Reply>,
    wake: W,
    shared: Arc<Shared>,
}

impl<W: Fn()> Outbox<W> {
    fn send(&self, mut reply: Reply) {
        loop {
            match self.replies.try_send(reply) {
                Ok(()) | Err(TrySendError::Disconnected(_)) => return,
                Err(TrySendError::Full(_)) if self.shared.leaving.load(Ordering::Acquire) => return,
                Err(TrySendError::Full(unsent)) => reply = unsent,
            }
            (self.wake)();
            thread::sleep(REPLY_WAIT);
        }
    }
}

fn run<W: Fn()>(
    mut store: Store,
    requests: &Receiver<Request>,
    outbox: &Outbox<W>,
    clock: &dyn Fn() -> Now,
) -> Result<(), Trouble> {
    loop {
        let mut replied = false;
        let mut reply = |reply: Reply| {
            replied = true;
            outbox.send(reply);
        };
        match requests.recv_timeout(store.idle_for(clock())) {
            Ok(request) => {
                outbox.shared.queued.fetch_sub(1, Ordering::Relaxed);
                store.handle(request, clock(), &mut reply);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return store.flush(clock()),
        }
        store.tick(clock(), &mut reply);
        if replied {
            (outbox.wake)();
        }
    }
}
