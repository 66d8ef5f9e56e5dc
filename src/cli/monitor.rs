//! `glacic monitor`: events as they happen.

use std::io::Write;

use argh::{ArgsInfo, FromArgs};

use super::Context;
use super::exit::Failure;

/// Prints events as they happen, until interrupted.
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(
    subcommand,
    name = "monitor",
    example = "glacic monitor",
    example = "glacic monitor --kind alert --kind device_new",
    example = "glacic monitor --json --reconnect | logger -t glacic"
)]
pub struct Monitor {
    /// only events of this kind; may be repeated
    #[argh(
        option,
        arg_name = "flow_new|flow_changed|flow_forgotten|device_new|device_changed|alert|learning_changed|config_reloaded|config_refused"
    )]
    pub kind: Vec<String>,

    /// wait for the daemon to come back when it goes away
    #[argh(switch)]
    pub reconnect: bool,

    /// print one JSON document a line
    #[argh(switch)]
    pub json: bool,
}

impl Monitor {
    pub fn run(self, _context: &Context, _out: &mut dyn Write) -> Result<(), Failure> {
        todo!()
    }
}
