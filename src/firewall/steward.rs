//! The one process that keeps its rights: it runs fw4, whose reload also runs the owner's own scripts, and reads the two
//! configuration files, which only root may.
//!
//! It is split off while the daemon is still small and alone, understands four requests without room for anything else,
//! and ends when the daemon does. A request is a line, a reply a line with a length, and as many bytes.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::nft::{FIREWALL_CONFIG, FW4_TIMEOUT};
use super::plan::Zone;
use super::run::{Ended, First, Hurry, Terms, Trouble, readable, run};

/// The longest request there is.
const LONGEST: u64 = 128;
/// The most of a file, and of a reply.
const MOST: u64 = 512 * 1024;

/// What can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Request {
    Reload,
    Zone(Zone),
    /// glacic's configuration.
    Settings,
    /// The firewall's.
    Firewall,
}

impl Request {
    fn parse(line: &str) -> Option<Request> {
        match line.split_once(' ') {
            None if line == "reload" => Some(Request::Reload),
            None if line == "settings" => Some(Request::Settings),
            None if line == "firewall" => Some(Request::Firewall),
            Some(("zone", name)) => Zone::new(name).ok().map(Request::Zone),
            _ => None,
        }
    }

    fn line(&self) -> String {
        match self {
            Request::Reload => "reload\n".to_owned(),
            Request::Zone(zone) => format!("zone {}\n", zone.as_str()),
            Request::Settings => "settings\n".to_owned(),
            Request::Firewall => "firewall\n".to_owned(),
        }
    }
}

/// The way to the process. Clones share it, one request at a time.
#[derive(Debug, Clone)]
pub struct Steward {
    line: Arc<Mutex<UnixStream>>,
}

impl Steward {
    /// Splits the process off. To be called while there is one thread: nothing of the others would be there.
    pub fn start(fw4: &Path, settings: &Path) -> io::Result<Steward> {
        let (near, far) = UnixStream::pair()?;
        // SAFETY: takes nothing; with one thread, the new process finds everything as it is here.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                drop(near);
                let duty = Duty { fw4: fw4.to_owned(), settings: settings.to_owned() };
                let served = std::panic::catch_unwind(|| duty.serve(far));
                // SAFETY: ends the process at once; nothing is left to be tidied up.
                unsafe { libc::_exit(libc::c_int::from(served.is_err())) }
            }
            _ => Ok(Steward { line: Arc::new(Mutex::new(near)) }),
        }
    }

    pub(super) fn reload(&self, hurry: &Hurry) -> Result<(), Trouble> {
        self.ask(&Request::Reload, hurry).map(drop)
    }

    /// Asks for a reload and does not wait for it: the process finishes what it was asked for, also when nobody is left.
    pub(super) fn begin_reload(&self) {
        let Ok(line) = self.line.lock() else { return };
        // If it has ended, nobody can be told.
        let _ = (&*line).write_all(Request::Reload.line().as_bytes());
    }

    pub(super) fn zone(&self, zone: Zone, hurry: &Hurry) -> Result<Ended, Trouble> {
        self.ask(&Request::Zone(zone), hurry)
    }

    /// glacic's configuration, at most so much of it.
    pub fn settings(&self) -> io::Result<Vec<u8>> {
        self.file(&Request::Settings)
    }

    /// The firewall's.
    pub(super) fn firewall(&self) -> io::Result<Vec<u8>> {
        self.file(&Request::Firewall)
    }

    fn file(&self, request: &Request) -> io::Result<Vec<u8>> {
        match self.exchange(request, &Hurry::default()) {
            Ok(Reply { kind: Kind::Done, bytes }) => Ok(bytes),
            Ok(reply) => Err(io::Error::other(String::from_utf8_lossy(&reply.bytes).into_owned())),
            Err(Trouble::Start(error)) => Err(error),
            Err(Trouble::Timeout | Trouble::Hurried | Trouble::Killed) => Err(io::Error::from(io::ErrorKind::TimedOut)),
        }
    }

    fn ask(&self, request: &Request, hurry: &Hurry) -> Result<Ended, Trouble> {
        let Reply { kind, bytes } = self.exchange(request, hurry)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        match kind {
            Kind::Done => Ok(Ended { success: true, stdout: text, stderr: String::new() }),
            Kind::Failed => Ok(Ended { success: false, stdout: String::new(), stderr: text }),
            Kind::Late => Err(Trouble::Timeout),
            Kind::Trouble => Err(Trouble::Start(io::Error::other(text))),
        }
    }

    fn exchange(&self, request: &Request, hurry: &Hurry) -> Result<Reply, Trouble> {
        let line = self.line.lock().map_err(|_| io::Error::other("a thread that asked for fw4 has failed"))?;
        let asked = (&*line).write_all(request.line().as_bytes()).and_then(|()| {
            // The program it starts may take its time, and one before it.
            match readable(line.as_fd(), FW4_TIMEOUT.saturating_mul(2).saturating_add(SPARE), hurry)? {
                First::End => Reply::read(&mut &*line).map(Some),
                First::Timeout => Err(io::Error::from(io::ErrorKind::TimedOut)),
                First::Hurry => Ok(None),
            }
        });
        match asked {
            Ok(Some(reply)) => Ok(reply),
            // Who leaves asks for nothing else that has an answer.
            Ok(None) => Err(Trouble::Hurried),
            Err(error) => {
                // What came later would be taken for the answer to another request.
                let _ = line.shutdown(std::net::Shutdown::Both);
                let why = format!("the process that runs fw4 does not answer: restart glacic ({error})");
                Err(Trouble::Start(io::Error::new(error.kind(), why)))
            }
        }
    }
}

const SPARE: Duration = Duration::from_secs(5);

/// How a request went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Done,
    /// The program ended badly; the bytes are what it said.
    Failed,
    /// The program took too long.
    Late,
    /// The program could not be run, or the file not be read; the bytes say why.
    Trouble,
}

struct Reply {
    kind: Kind,
    bytes: Vec<u8>,
}

impl Reply {
    fn new(kind: Kind, bytes: impl Into<Vec<u8>>) -> Reply {
        Reply { kind, bytes: bytes.into() }
    }

    fn write(self, line: &mut impl Write) -> io::Result<()> {
        let kind = match self.kind {
            Kind::Done => "done",
            Kind::Failed => "failed",
            Kind::Late => "late",
            Kind::Trouble => "trouble",
        };
        let mut whole = format!("{kind} {}\n", self.bytes.len()).into_bytes();
        whole.extend_from_slice(&self.bytes);
        line.write_all(&whole)
    }

    fn read(line: &mut impl Read) -> io::Result<Reply> {
        let mut head = Vec::new();
        loop {
            let mut byte = [0];
            line.read_exact(&mut byte)?;
            match byte {
                [b'\n'] => break,
                [byte] if head.len() < 64 => head.push(byte),
                _ => return Err(io::Error::from(io::ErrorKind::InvalidData)),
            }
        }
        let head = String::from_utf8_lossy(&head);
        let (kind, length) = match head.split_once(' ') {
            Some(("done", length)) => (Kind::Done, length),
            Some(("failed", length)) => (Kind::Failed, length),
            Some(("late", length)) => (Kind::Late, length),
            Some(("trouble", length)) => (Kind::Trouble, length),
            _ => return Err(io::Error::from(io::ErrorKind::InvalidData)),
        };
        let length: u64 = length.parse().map_err(io::Error::other)?;
        let mut bytes = Vec::new();
        line.take(length.min(MOST)).read_to_end(&mut bytes)?;
        match u64::try_from(bytes.len()) == Ok(length) {
            true => Ok(Reply { kind, bytes }),
            false => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
        }
    }
}

/// The process's own side.
struct Duty {
    fw4: PathBuf,
    settings: PathBuf,
}

impl Duty {
    /// Until the daemon has gone.
    fn serve(&self, line: UnixStream) {
        // Whoever stops the daemon stops this one through it; programs that are started have their signals back.
        // SAFETY: `all` is initialised before it is read, and outlives the calls; the name is a C string.
        unsafe {
            let mut all = std::mem::zeroed::<libc::sigset_t>();
            libc::sigemptyset(&mut all);
            for signal in [libc::SIGHUP, libc::SIGTERM, libc::SIGINT] {
                libc::sigaddset(&mut all, signal);
            }
            libc::sigprocmask(libc::SIG_BLOCK, &all, std::ptr::null_mut());
            libc::prctl(libc::PR_SET_NAME, c"glacic-steward".as_ptr(), 0, 0, 0);
        }
        let mut reader = BufReader::new(&line);
        loop {
            let mut request = String::new();
            match (&mut reader).take(LONGEST).read_line(&mut request) {
                Ok(1..) => {}
                Ok(0) | Err(_) => return,
            }
            let Some(request) = request.strip_suffix('\n').and_then(Request::parse) else { return };
            // A daemon that has gone meanwhile is noticed with the next line.
            let _ = self.carry_out(&request).write(&mut &line);
        }
    }

    fn carry_out(&self, request: &Request) -> Reply {
        match request {
            Request::Reload => self.fw4(&["-q", "reload"]),
            Request::Zone(zone) => self.fw4(&["-q", "zone", zone.as_str()]),
            Request::Settings => file(&self.settings),
            // A router without one has no zones, which is an answer.
            Request::Firewall if !Path::new(FIREWALL_CONFIG).exists() => Reply::new(Kind::Done, ""),
            Request::Firewall => file(Path::new(FIREWALL_CONFIG)),
        }
    }

    fn fw4(&self, arguments: &[&str]) -> Reply {
        let terms = Terms { timeout: FW4_TIMEOUT, hurry: &Hurry::default(), tethered: false };
        match run(&self.fw4, arguments, "", terms) {
            Ok(Ended { success: true, stdout, .. }) => Reply::new(Kind::Done, stdout),
            Ok(Ended { stderr, .. }) => Reply::new(Kind::Failed, stderr),
            Err(Trouble::Timeout | Trouble::Hurried) => Reply::new(Kind::Late, ""),
            Err(Trouble::Killed) => Reply::new(Kind::Trouble, "it was killed"),
            Err(Trouble::Start(error)) => Reply::new(Kind::Trouble, error.to_string()),
        }
    }
}

fn file(path: &Path) -> Reply {
    let mut bytes = Vec::new();
    match File::open(path).and_then(|file| file.take(MOST).read_to_end(&mut bytes)) {
        Ok(_) => Reply::new(Kind::Done, bytes),
        Err(error) => Reply::new(Kind::Trouble, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::support::Folder;
    use super::*;

    /// A steward as a thread of this program: a fork of one with many threads would be no good.
    fn steward(fw4: &str) -> (Steward, Folder, std::thread::JoinHandle<()>) {
        use std::os::unix::fs::PermissionsExt;
        let folder = Folder::new();
        let duty = Duty { fw4: folder.0.join("fw4"), settings: folder.0.join("glacic") };
        std::fs::write(&duty.fw4, format!("#!/bin/sh\n{fw4}\n")).unwrap();
        std::fs::set_permissions(&duty.fw4, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::write(&duty.settings, "config rule_learning\n").unwrap();
        let (near, far) = UnixStream::pair().unwrap();
        let thread = std::thread::spawn(move || duty.serve(far));
        (Steward { line: Arc::new(Mutex::new(near)) }, folder, thread)
    }

    #[test]
    fn it_asks_fw4_and_reads_the_configuration_and_ends_with_the_daemon() {
        let (steward, folder, thread) = steward("echo \"$@\" >> ${0%/*}/asked; [ \"$3\" != wan ] && echo br-lan");
        let zone = |name: &str| steward.zone(Zone::new(name).unwrap(), &Hurry::default()).unwrap();
        assert_eq!(zone("lan"), Ended { success: true, stdout: "br-lan\n".to_owned(), stderr: String::new() });
        assert!(!zone("wan").success);
        assert_eq!(steward.settings().unwrap(), b"config rule_learning\n");
        std::fs::remove_file(folder.0.join("glacic")).unwrap();
        assert!(steward.settings().unwrap_err().to_string().contains("No such file"));
        steward.reload(&Hurry::default()).unwrap();
        // What was begun is finished, although nobody waits for it.
        steward.begin_reload();
        drop(steward);
        thread.join().unwrap();
        let asked = std::fs::read_to_string(folder.0.join("asked")).unwrap();
        assert_eq!(asked, "-q zone lan\n-q zone wan\n-q reload\n-q reload\n");
    }

    #[test]
    fn whoever_leaves_does_not_wait_for_fw4_and_can_begin_a_reload() {
        let (steward, folder, thread) =
            steward("until [ -e ${0%/*}/go ]; do sleep 0.02; done; echo \"$@\" >> ${0%/*}/asked");
        let (spur, hurry) = Hurry::new().unwrap();
        drop(spur);
        assert!(matches!(steward.reload(&hurry), Err(Trouble::Hurried)));
        steward.begin_reload();
        drop(steward);
        std::fs::write(folder.0.join("go"), "").unwrap();
        thread.join().unwrap();
        assert_eq!(std::fs::read_to_string(folder.0.join("asked")).unwrap(), "-q reload\n-q reload\n");
    }

    #[test]
    fn it_understands_four_requests_and_nothing_else() {
        let known = [Request::Reload, Request::Zone(Zone::new("lan").unwrap()), Request::Settings, Request::Firewall];
        for request in known {
            assert_eq!(request.line().strip_suffix('\n').and_then(Request::parse), Some(request));
        }
        for line in
            ["", "zone", "zone ", "zone ../../etc", "zone lan wan", "reload now", "RELOAD", "settings /etc/shadow"]
        {
            assert_eq!(Request::parse(line), None, "{line:?}");
        }
        let (steward, _folder, thread) = steward("true");
        (&*steward.line.lock().unwrap()).write_all(b"reload; reboot\n").unwrap();
        thread.join().unwrap();
        assert!(steward.reload(&Hurry::default()).is_err(), "whoever asks for anything else is not served any more");
    }

    #[test]
    fn a_reply_comes_whole_or_not_at_all() {
        for broken in ["done", "done x\n", "maybe 3\nabc", "done 5\nabc", "done 99999999999999999999\n"] {
            assert!(Reply::read(&mut broken.as_bytes()).is_err(), "{broken:?}");
        }
        assert_eq!(Reply::read(&mut &b"failed 3\nabcdef"[..]).unwrap().bytes, b"abc");
    }
}
