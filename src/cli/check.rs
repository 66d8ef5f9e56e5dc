//! `glacic check`: every problem of a configuration in one run.

use std::io::Write;
use std::path::PathBuf;

use argh::{ArgsInfo, FromArgs};

use super::Context;
use super::exit::Failure;

/// Checks a configuration and names every problem with its line. Changes nothing.
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(
    subcommand,
    name = "check",
    example = "glacic check",
    example = "glacic check ./glacic && cp ./glacic /etc/config/glacic",
    note = "The exit code is 0 if there is no error (warnings are none), 78 otherwise."
)]
pub struct Check {
    /// file to check (default: what --config says)
    #[argh(positional, arg_name = "file")]
    pub file: Option<PathBuf>,

    /// print one JSON document
    #[argh(switch)]
    pub json: bool,
}

impl Check {
    pub fn run(self, _context: &Context, _out: &mut dyn Write) -> Result<(), Failure> {
        Err(Failure::internal("this build cannot do that yet"))
    }
}
