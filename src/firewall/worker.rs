//! The firewall thread: one at a time, it carries out what the daemon asks of the kernel, and tells what became of it.
//!
//! Its inbox is bounded: a full one is the asker's to handle ([`Full`] gives the request back). The channel of reports is
//! bounded too: when it is full this thread waits, and the daemon goes on. Nothing here ever holds up a verdict.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, TryRecvError, TrySendError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::netlink::sets::TableFamily;
use crate::netlink::watch::{Event, Notice, Watch, What};

use super::apply::{Counted, Kernel, Loaded};
use super::cut::{Denied, cut, lift};
use super::delta::Delta;
use super::message::{Change, Failure, Load, LoadError, Report, Request, Subject};
use super::nft::Tools;
use super::run::{Hurry, Spur};
use super::set::TABLE;

/// Requests that can wait.
pub const INBOX: usize = 256;

/// A connection can begin between the denial and the first look at the connections.
pub(super) const SECOND_LOOK: Duration = Duration::from_millis(200);
/// Whoever removes our table may be about to load another: the firewall's restart does.
const SETTLE: Duration = Duration::from_millis(250);

/// What the thread works with.
#[derive(Debug, Clone, Default)]
pub struct Config {
    pub tools: Tools,
}

/// The inbox is full, or the thread has ended; the request comes back.
#[derive(Debug)]
pub struct Full(pub Request);

/// The daemon's end. Dropping it ends the thread and leaves the kernel as it is.
pub struct Worker {
    inbox: mpsc::SyncSender<Request>,
    waiting: Arc<AtomicUsize>,
    bell: UnixStream,
    /// Gone once there is no time left for programs.
    spur: Option<Spur>,
    thread: JoinHandle<()>,
}

impl Worker {
    /// Hands over a request without waiting.
    pub fn try_send(&self, request: Request) -> Result<(), Full> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        if let Err(TrySendError::Full(request) | TrySendError::Disconnected(request)) = self.inbox.try_send(request) {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(Full(request));
        }
        // A full bell has been rung; one that nobody hears belongs to a thread that has ended.
        let _ = (&self.bell).write(&[0]);
        Ok(())
    }

    /// Whether the thread is no more, so that nothing it is asked for will happen.
    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// Requests that have not been begun.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// There is no time left: a program that the thread waits for is ended, and none is waited for from now on. What it was
    /// to do is reported as [`LoadError::Leaving`].
    pub fn hurry(&mut self) {
        self.spur = None;
    }

    /// Waits for the thread's end, which comes after [`Request::Unload`], or when it has nothing left to do. Reports must
    /// be read until then (up to [`Report::Unloaded`]), or their receiver dropped: the thread waits to be heard.
    pub fn join(self) {
        let Worker { inbox, bell, thread, spur, .. } = self;
        drop((inbox, bell));
        // A panic of the thread was told where it happened.
        let _ = thread.join();
        drop(spur);
    }
}

#[cfg(test)]
impl Worker {
    /// The daemon's end of a thread that is not there: whoever holds the other end plays it.
    pub fn to_nobody(capacity: usize) -> (Worker, mpsc::Receiver<Request>) {
        let (inbox, requests) = mpsc::sync_channel(capacity);
        let (bell, _) = UnixStream::pair().unwrap();
        (Worker { inbox, waiting: Arc::default(), bell, spur: None, thread: thread::spawn(|| ()) }, requests)
    }
}

/// Starts the thread. `wake` is called after every report, from the thread: it must not block.
pub fn spawn(
    mut config: Config,
    reports: mpsc::SyncSender<Report>,
    wake: impl Fn() + Send + 'static,
) -> io::Result<Worker> {
    let (spur, hurry) = Hurry::new()?;
    config.tools.hurry = hurry;
    let (inbox, requests) = mpsc::sync_channel(INBOX);
    let (bell, ears) = UnixStream::pair()?;
    bell.set_nonblocking(true)?;
    ears.set_nonblocking(true)?;
    let waiting = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&waiting);
    let thread = thread::Builder::new().name("firewall".to_owned()).spawn(move || {
        let out = Out { reports, wake };
        match Thread::new(config, requests, counter, ears) {
            Ok(mut thread) => thread.run(&out),
            Err(error) => {
                // Without its sockets the thread can do nothing: the daemon ends with it, and says so.
                log::error!("the firewall thread cannot begin: {error}");
                out.send(Report::Refused(LoadError::Kernel { what: "a netlink socket", why: error.to_string() }));
            }
        }
    })?;
    Ok(Worker { inbox, waiting, bell, spur: Some(spur), thread })
}

/// The way back to the daemon.
struct Out<W> {
    reports: mpsc::SyncSender<Report>,
    wake: W,
}

impl<W: Fn()> Out<W> {
    /// Waits while the daemon has too much to read. Without a daemon there is nothing left to do.
    fn send(&self, report: Report) -> Next {
        let sent = match self.reports.try_send(report) {
            Ok(()) => true,
            Err(TrySendError::Full(report)) => {
                (self.wake)();
                self.reports.send(report).is_ok()
            }
            Err(TrySendError::Disconnected(_)) => false,
        };
        (self.wake)();
        if sent { Next::GoOn } else { Next::End }
    }
}

/// The thread's own end.
struct Thread {
    kernel: Kernel,
    watch: Watch,
    requests: mpsc::Receiver<Request>,
    waiting: Arc<AtomicUsize>,
    ears: UnixStream,
    /// Denials whose connections are to be looked for once more, in the order of time.
    second_looks: VecDeque<(Instant, Denied)>,
    /// When to see whether everything of ours is still there, and whether elements could be missing.
    look_for_damage: Option<Instant>,
    look_at_elements: bool,
    /// When to see whether fw4, which has been started anew, has our includes.
    look_at_fw4: Option<Instant>,
}

/// Whether the thread goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    GoOn,
    End,
}

impl Thread {
    fn new(
        config: Config,
        requests: mpsc::Receiver<Request>,
        waiting: Arc<AtomicUsize>,
        ears: UnixStream,
    ) -> Result<Thread, crate::netlink::Error> {
        Ok(Thread {
            kernel: Kernel::new(config.tools)?,
            watch: Watch::open()?,
            requests,
            waiting,
            ears,
            second_looks: VecDeque::new(),
            look_for_damage: None,
            look_at_elements: false,
            look_at_fw4: None,
        })
    }

    fn run<W: Fn()>(&mut self, out: &Out<W>) {
        loop {
            self.sleep();
            if self.requests(out) == Next::End || self.notices(out) == Next::End {
                return;
            }
        }
    }

    /// Until a request, a notice of the kernel, or the next thing to look at.
    fn sleep(&mut self) {
        let looks = self.look_for_damage.into_iter().chain(self.look_at_fw4);
        let next = self.second_looks.front().map(|(when, _)| *when).into_iter().chain(looks).min();
        let millis = next.map_or(-1, |when| {
            let left = when.saturating_duration_since(Instant::now());
            // Rounded up, or the last millisecond would be spent awake.
            i32::try_from(left.as_millis()).unwrap_or(i32::MAX).saturating_add(1)
        });
        let ready = |fd: i32| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        let mut fds = [ready(self.ears.as_raw_fd()), ready(self.watch.as_fd().as_raw_fd())];
        // SAFETY: two pollfds, which live as long as the call. A signal ends it early, which does no harm.
        unsafe { libc::poll(fds.as_mut_ptr(), 2, millis) };
        while matches!((&self.ears).read(&mut [0; 64]), Ok(1..)) {}
    }

    fn requests<W: Fn()>(&mut self, out: &Out<W>) -> Next {
        loop {
            let request = match self.requests.try_recv() {
                Ok(request) => request,
                Err(TryRecvError::Empty) => return Next::GoOn,
                Err(TryRecvError::Disconnected) => return Next::End,
            };
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            // Denials are looked at again in time, however many requests wait.
            if self.serve(request, out) == Next::End || self.look_again(out) == Next::End {
                return Next::End;
            }
        }
    }

    fn serve<W: Fn()>(&mut self, request: Request, out: &Out<W>) -> Next {
        match request {
            Request::Load(load) => {
                // Our own replacement of the table is no removal.
                self.look_for_damage = None;
                let Load { plan, elements, devices } = *load;
                let Loaded { warnings, failed, gap } = match self.kernel.load(plan, &elements, &devices) {
                    Ok(loaded) => loaded,
                    Err(error) => return out.send(Report::Refused(error)),
                };
                if gap && self.cut(Denied::of_load(&elements, &devices), out) == Next::End {
                    return Next::End;
                }
                out.send(Report::Loaded { warnings, failed, sizes: self.kernel.sizes() })
            }
            Request::Change { ticket, changes } => {
                let subjects = || changes.iter().map(|Change { key, .. }| Subject::Flow(*key)).collect();
                let (denied, back) = (Denied::of_changes(&changes), Denied::of_changes_back(&changes));
                self.change(ticket, &Delta::of_changes(&changes), denied, back, subjects, out)
            }
            Request::Device { ticket, mac, before, after } => {
                let denied = Denied::of_device(mac, before, after, || self.kernel.denied_of(mac));
                let (delta, back) = (Delta::of_device(mac, before, after), Denied::of_device_back(mac, before, after));
                self.change(ticket, &delta, denied, back, || vec![Subject::Device(mac)], out)
            }
            // What cannot be read now is in the next report.
            Request::Counters { ticket } => {
                let Counted { flows, denied } = self.kernel.counters().unwrap_or_default();
                out.send(Report::Counters { ticket, flows, denied, no_mac: self.kernel.no_mac() })
            }
            Request::Drops => out.send(Report::Drops(self.kernel.drops())),
            Request::Unload { placement, fail_mode } => {
                let trouble = self.kernel.unload(placement, fail_mode).err().map(|error| error.to_string());
                out.send(Report::Unloaded { trouble });
                Next::End
            }
        }
    }

    fn change<W: Fn()>(
        &mut self,
        ticket: Option<u32>,
        delta: &Delta,
        denied: Denied,
        back: Denied,
        subjects: impl Fn() -> Vec<Subject>,
        out: &Out<W>,
    ) -> Next {
        let loaded = self.kernel.loaded().is_some();
        let failed = if loaded { self.kernel.change(delta) } else { not_loaded(subjects()) };
        if loaded && let Err(error) = lift(&mut self.kernel, &back) {
            log::warn!("what was denied may stay out for an hour: {error}");
        }
        // The set first, then what runs, and only then the word that it is done.
        if loaded && self.cut(denied, out) == Next::End {
            return Next::End;
        }
        out.send(Report::Applied { ticket, failed, sizes: self.kernel.sizes() })
    }

    /// Ends what runs of that which is denied, now and once more.
    fn cut<W: Fn()>(&mut self, denied: Denied, out: &Out<W>) -> Next {
        if denied.is_empty() {
            return Next::GoOn;
        }
        for report in cut(&mut self.kernel, &denied) {
            if out.send(report) == Next::End {
                return Next::End;
            }
        }
        self.second_looks.push_back((Instant::now() + SECOND_LOOK, denied));
        Next::GoOn
    }

    /// What the kernel told, and what is due.
    fn notices<W: Fn()>(&mut self, out: &Out<W>) -> Next {
        let own = self.kernel.port();
        let (mut table, mut elements, mut fw4) = (false, false, false);
        let read = self.watch.read(|event| match event {
            Event::Notice(Notice { family: TableFamily::Inet, table: TABLE, what, port }) => match what {
                What::Added => {}
                // Our own loads do that too, and leave everything in its place.
                What::Removed | What::RulesRemoved => table = true,
                What::ElementsRemoved => elements |= port != own,
            },
            Event::Notice(Notice { family: TableFamily::Inet, table: "fw4", what: What::Added, .. }) => fw4 = true,
            Event::Notice(_) => {}
            Event::Lost => (table, elements) = (true, true),
        });
        self.look_at_elements |= elements;
        if table || elements || read.is_err() {
            self.look_for_damage.get_or_insert(Instant::now() + SETTLE);
        }
        if self.look_for_damage.is_some_and(|when| when <= Instant::now()) {
            self.look_for_damage = None;
            let elements = std::mem::take(&mut self.look_at_elements);
            if let Some(damage) = self.kernel.damage(elements)
                && out.send(Report::Damaged(damage)) == Next::End
            {
                return Next::End;
            }
        }
        if fw4 {
            self.look_at_fw4 = Some(Instant::now() + SETTLE);
        }
        if self.look_at_fw4.is_some_and(|when| when <= Instant::now()) {
            self.look_at_fw4 = None;
            if let Some(warnings) = self.kernel.announce_again()
                && out.send(Report::Fw4 { warnings }) == Next::End
            {
                return Next::End;
            }
        }
        self.look_again(out)
    }

    fn look_again<W: Fn()>(&mut self, out: &Out<W>) -> Next {
        while self.second_looks.front().is_some_and(|(when, _)| *when <= Instant::now()) {
            let Some((_, denied)) = self.second_looks.pop_front() else { break };
            let denied = denied.still(|subject| self.kernel.denies(subject));
            for report in cut(&mut self.kernel, &denied) {
                if out.send(report) == Next::End {
                    return Next::End;
                }
            }
        }
        Next::GoOn
    }
}

fn not_loaded(subjects: Vec<Subject>) -> Vec<Failure> {
    let why = "the ruleset is not in the kernel; the decision takes effect when it is";
    subjects.into_iter().map(|what| Failure { what, why: why.to_owned() }).collect()
}
