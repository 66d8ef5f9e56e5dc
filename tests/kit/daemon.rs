//! Drives the real daemon: writes its configuration, starts it inside the router, and ends it in every way there is.
//!
//! What it writes to standard error is shown when a test fails. It never outlives its test: dropping it kills it, and
//! the kernel does so if the whole test program dies.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use glacic::control::protocol::{Request, Status};

use super::network::LAN;
use super::{Control, Fw4, Network, queue, sys, wait};

/// Opening the database and loading the ruleset, on a busy machine.
const START: Duration = Duration::from_secs(30);
const STOP: Duration = Duration::from_secs(10);

/// Whom the daemon becomes.
pub const USER: &str = "nobody";

/// Far longer than the kernel keeps a copy back to deliver several together.
const LOG_DELAY: Duration = Duration::from_millis(100);

/// A configuration file and where the daemon's other files are.
#[derive(Debug, Clone)]
pub struct Config {
    options: Vec<(String, String)>,
    /// Further sections, as they stand in the file.
    pub sections: String,
    /// The guarded interfaces.
    pub interfaces: Vec<String>,
    pub run_directory: PathBuf,
    pub database: PathBuf,
    /// Whether the daemon is told of the way round a kernel without `queue`.
    pub way_round: bool,
    user: String,
    file: PathBuf,
}

impl Config {
    /// Guards `br-lan` in log mode while learning; everything else as the daemon has it.
    pub fn new(network: &Network) -> Config {
        let folder = network.directory();
        let database = folder.join("etc/glacic/flows.db");
        let run_directory = folder.join("run/glacic");
        fs::create_dir_all(&run_directory).expect("the test's folder can be written");
        let config = Config {
            options: Vec::new(),
            sections: String::new(),
            interfaces: vec![LAN.to_owned()],
            way_round: !queue::is_native(),
            user: USER.to_owned(),
            run_directory,
            file: folder.join("glacic"),
            database: database.clone(),
        };
        config.with("enabled", "1").with("database", &database.to_string_lossy())
    }

    /// Sets an option of the main section.
    pub fn with(mut self, option: &str, value: &str) -> Config {
        self.options.retain(|(name, _)| name != option);
        self.options.push((option.to_owned(), value.to_owned()));
        self
    }

    pub fn learning(self, on: bool) -> Config {
        self.with("learning_mode", if on { "1" } else { "0" })
    }

    pub fn queue(self) -> Config {
        self.with("inline_mode", "1")
    }

    /// Whom the daemon is to become.
    pub fn with_user(self, user: &str) -> Config {
        Config { user: user.to_owned(), ..self }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.file
    }

    /// Undecided flows do not pass while nobody answers.
    pub fn closed(self, network: &Network) -> Config {
        if self.is_queue() && self.way_round {
            queue::close_way_round(&network.router);
        }
        self.with("fail_mode", "closed")
    }

    pub fn fallback(self) -> Config {
        self.with("placement", "fallback")
    }

    fn is(&self, option: &str, value: &str) -> bool {
        self.options.iter().any(|(name, set)| name == option && set == value)
    }

    pub fn is_queue(&self) -> bool {
        self.is("inline_mode", "1") || self.is("inline_mode", "auto")
    }

    pub fn is_fallback(&self) -> bool {
        self.is("placement", "fallback")
    }

    pub fn text(&self) -> String {
        let mut text = String::from("config rule_learning 'main'\n");
        for (name, value) in &self.options {
            let _ = writeln!(text, "\toption {name} '{value}'");
        }
        for interface in &self.interfaces {
            let _ = writeln!(text, "\tlist interface '{interface}'");
        }
        let _ = writeln!(text, "\n{}", self.sections);
        text
    }

    /// Writes the file anew; a running daemon reads it on HUP.
    pub fn write(&self) {
        fs::write(&self.file, self.text()).expect("the test's folder can be written");
    }

    /// Where it is.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Puts any text where the configuration is.
    pub fn write_text(&self, text: &str) {
        fs::write(&self.file, text).expect("the test's folder can be written");
    }

    /// Puts into fw4's folder what the package brings: a file a place that takes in what the daemon publishes.
    pub fn install_includes(&self, fw4: &Fw4) {
        let text = format!("include \"{}/forward/*.nft\"\n", self.run_directory.display());
        fw4.write_include("chain-post/forward", "glacic.nft", &text);
    }
}

/// How the daemon listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    Log,
    Queue,
}

/// Where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Placement {
    Guard,
    Fallback,
}

impl Mode {
    pub const ALL: [Mode; 2] = [Mode::Log, Mode::Queue];
}

impl Placement {
    pub const ALL: [Placement; 2] = [Placement::Guard, Placement::Fallback];
}

/// A home for one daemon: a firewall that allows what the placement takes for granted (guard takes away, fallback
/// opens), a configuration, and the way to the queue where it is needed.
pub fn home(devices: u16, mode: Mode, placement: Placement) -> (Network, Fw4, Config) {
    let network = Network::new(devices);
    let (fw4, mut config) = match placement {
        Placement::Guard => (Fw4::new(&network), Config::new(&network)),
        Placement::Fallback => (Fw4::closed(&network), Config::new(&network).fallback()),
    };
    if mode == Mode::Queue {
        config = config.queue();
        if config.way_round {
            queue::install_way_round(&network.router);
        }
    }
    fw4.restart(&network);
    (network, fw4, config)
}

/// A running daemon.
pub struct Daemon {
    child: Child,
    pub control: Control,
    pub config: Config,
    log: Arc<Mutex<String>>,
}

impl Daemon {
    /// Starts it and waits until its ruleset is in the kernel; in fallback placement also until fw4 has its include.
    pub fn start(network: &Network, fw4: &Fw4, config: &Config) -> Daemon {
        config.install_includes(fw4);
        let mut daemon = Daemon::launch(network, config);
        daemon.await_ruleset();
        if config.is_fallback() {
            let include = config.run_directory.join("forward/glacic.nft");
            wait::eventually("the include is published", || include.exists().then_some(()));
            fw4.reload(network);
        }
        daemon
    }

    /// Starts it and waits for nothing.
    pub fn launch(network: &Network, config: &Config) -> Daemon {
        config.write();
        let socket = config.run_directory.join("control.sock");
        // One that a killed daemon left behind must not be taken for the new one's.
        let _ = fs::remove_file(&socket);
        let mut command = Command::new(program());
        command.arg("daemon").arg("--foreground").arg("--config").arg(&config.file);
        command.arg("--socket").arg(&socket).arg("--run-dir").arg(&config.run_directory);
        // As on a router, it is not root that meets the packets.
        command.arg("--user").arg(&config.user);
        if config.is_queue() && config.way_round {
            command.arg("--queue-mark").arg(queue::TEST_MARK);
        }
        let log = Arc::new(Mutex::new(String::new()));
        let child = spawn(network, command, Arc::clone(&log));
        Daemon { child, control: Control::new(&socket), config: config.clone(), log }
    }

    fn await_ruleset(&mut self) {
        let mut ended = None;
        let ready = wait::within(START, || {
            ended = self.child.try_wait().expect("a child can be waited for");
            let ready = self.control.ask::<Status>(&Request::Status).is_ok_and(|status| status.ruleset);
            (ready || ended.is_some()).then_some(())
        });
        match (ready, ended) {
            (Some(()), None) => {}
            (_, Some(status)) => panic!("the daemon ended at once: {status}"),
            (None, None) => panic!("the daemon did not load its ruleset within {START:?}"),
        }
    }

    /// What it wrote to standard error so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("nobody panics with the log in hand").clone()
    }

    /// Waits until it writes something.
    #[track_caller]
    pub fn says(&self, text: &str) {
        wait::eventually(&format!("the daemon says {text:?}"), || self.log().contains(text).then_some(()));
    }

    pub fn signal(&self, signal: libc::c_int) {
        sys::signal(self.child.id(), signal).expect("the daemon is there");
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks it to end, and says how and how soon it did.
    pub fn stop(mut self) -> (ExitStatus, Duration) {
        let asked = Instant::now();
        self.signal(libc::SIGTERM);
        let status = wait::within(STOP, || self.child.try_wait().expect("a child can be waited for"));
        (status.expect("the daemon ends on TERM"), asked.elapsed())
    }

    /// Ends it without warning.
    pub fn kill(mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a child can be waited for");
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory in KiB.
    pub fn resident(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let text = fs::read_to_string(&path).expect("the daemon is there");
        let line = text.lines().find(|line| line.starts_with("VmRSS:")).expect("the kernel tells resident memory");
        line.split_whitespace().nth(1).and_then(|size| size.parse().ok()).expect("VmRSS is a number")
    }

    /// How many packets the daemon was shown: by the queue's own counter, or by the log reader's once copies that are
    /// under way have arrived.
    pub fn visits(&self, network: &Network) -> u64 {
        if self.config.is_queue() {
            return queue::counters(&network.router, queue::QUEUE).expect("the daemon reads the queue").visits;
        }
        let mut last = self.control.stats().packets;
        wait::eventually("no packet is under way to the log", || {
            std::thread::sleep(LOG_DELAY);
            let now = self.control.stats().packets;
            (std::mem::replace(&mut last, now) == now).then_some(now)
        })
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!(
                "--- {}\n{}--- the daemon said\n{}---",
                self.config.file.display(),
                self.config.text(),
                self.log()
            );
        }
    }
}

/// The glacic program: the one of this build, or the one that `GLACIC_BIN` names.
pub fn program() -> PathBuf {
    std::env::var_os("GLACIC_BIN").map_or_else(|| Path::new(env!("CARGO_BIN_EXE_glacic")).to_owned(), PathBuf::from)
}

/// Starts a program inside the router, by the thread that then reads what it says: the two end together.
fn spawn(network: &Network, mut command: Command, log: Arc<Mutex<String>>) -> Child {
    let router = network.router.share();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        router.enter();
        sys::die_with_parent(&mut command);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(fault) => return drop(sender.send(Err(fault))),
        };
        let stderr = child.stderr.take().expect("standard error is a pipe");
        let _ = sender.send(Ok(child));
        // The namespace must not be kept alive by a reader.
        drop(router);
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let mut log = log.lock().expect("nobody panics with the log in hand");
            log.push_str(&line);
            log.push('\n');
        }
    });
    let started = receiver.recv().expect("the thread that starts the daemon does not panic");
    started.unwrap_or_else(|fault| panic!("cannot start {}: {fault}", program().display()))
}
