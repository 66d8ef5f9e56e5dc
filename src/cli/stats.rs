//! `glacic stats`: counters, once or again and again.

use std::io::Write;

use argh::{ArgsInfo, FromArgs};

use super::Context;
use super::exit::Failure;

/// Prints the daemon's counters.
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(
    subcommand,
    name = "stats",
    example = "glacic stats",
    example = "glacic stats --watch",
    example = "glacic stats --watch --json | jq .packets"
)]
pub struct Stats {
    /// print again every 2 seconds, with rates
    #[argh(switch)]
    pub watch: bool,

    /// print one JSON document; with --watch one a line
    #[argh(switch)]
    pub json: bool,
}

impl Stats {
    pub fn run(self, _context: &Context, _out: &mut dyn Write) -> Result<(), Failure> {
        todo!()
    }
}
