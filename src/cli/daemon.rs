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
fn start(_daemon: Daemon, _context: &Context) -> Result<(), Failure> {
    Err(Failure::new(Exit::Internal, "this build has no daemon"))
}

#[cfg(not(target_os = "linux"))]
fn start(_daemon: Daemon, _context: &Context) -> Result<(), Failure> {
    Err(Failure::new(
        Exit::Unavailable,
        "the daemon needs Linux: packets reach it through nftables and netlink, which no other system has. \
         check, rules and replay work here",
    ))
}
