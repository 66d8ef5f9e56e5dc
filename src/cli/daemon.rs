//! `glacic daemon`: the door to the daemon, which does everything else.

use std::path::PathBuf;

use argh::{ArgsInfo, FromArgs};

use super::Context;
use super::exit::{Exit, Failure};

/// Runs the daemon. The init script does this: service glacic start.
/// It needs root, stays in the foreground, re-reads the configuration on HUP and leaves on TERM.
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(
    subcommand,
    name = "daemon",
    example = "service glacic start",
    example = "glacic daemon --foreground --verbose --config ./glacic --socket /tmp/glacic.sock --run-dir /tmp/glacic"
)]
pub struct Daemon {
    /// directory for what fw4 includes (default /var/run/glacic)
    #[argh(option, arg_name = "dir", default = "PathBuf::from(\"/var/run/glacic\")")]
    pub run_dir: PathBuf,

    /// log to standard error instead of the system log
    #[argh(switch)]
    pub foreground: bool,

    /// for kernels whose nft cannot queue: give packets this mark instead, and queue them by a rule of your own
    /// (iptables -A FORWARD -m mark --mark MARK/MARK -j NFQUEUE --queue-num 100 --queue-bypass, and so with ip6tables; the number
    /// is option log_group)
    #[argh(option, arg_name = "mark", from_str_fn(mark))]
    pub queue_mark: Option<u32>,

    /// become this user once everything is prepared that takes root (the package brings: glacic)
    #[argh(option, arg_name = "name")]
    pub user: Option<String>,

    /// log more; twice: log everything
    #[argh(switch, short = 'v')]
    pub verbose: u8,
}

impl Daemon {
    pub fn run(self, context: &Context) -> Result<(), Failure> {
        start(self, context)
    }
}

#[cfg(target_os = "linux")]
fn start(daemon: Daemon, context: &Context) -> Result<(), Failure> {
    use crate::daemon::{self, Options, Target};
    use log::LevelFilter;

    let options = Options {
        config: context.config.clone(),
        socket: context.socket.clone(),
        run_dir: daemon.run_dir,
        log: if daemon.foreground { Target::Stderr } else { Target::Syslog },
        level: match daemon.verbose {
            0 => LevelFilter::Info,
            1 => LevelFilter::Debug,
            _ => LevelFilter::Trace,
        },
        queue_mark: daemon.queue_mark,
        user: daemon.user,
    };
    daemon::run(options).map_err(|failure| {
        let exit = match failure {
            daemon::Failure::Config(_) | daemon::Failure::Disabled(_) => Exit::Config,
            daemon::Failure::Running(_) => Exit::Unavailable,
            daemon::Failure::Lost(_) => Exit::Internal,
            daemon::Failure::System { .. } if is_root() => Exit::CantCreate,
            daemon::Failure::System { .. } => {
                return Failure::new(Exit::NoPermission, format!("{failure}; the daemon needs root"));
            }
        };
        Failure::new(exit, failure.to_string())
    })
}

#[cfg(target_os = "linux")]
fn is_root() -> bool {
    // SAFETY: geteuid takes nothing, touches nothing and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

#[cfg(not(target_os = "linux"))]
fn start(_daemon: Daemon, _context: &Context) -> Result<(), Failure> {
    Err(Failure::new(
        Exit::Unavailable,
        "the daemon needs Linux: packets reach it through nftables and netlink, which no other system has. \
         check, rules and replay work here",
    ))
}

fn mark(text: &str) -> Result<u32, String> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    number.ok().filter(|mark| *mark != 0).ok_or_else(|| "expected a mark such as 0x64".to_owned())
}
