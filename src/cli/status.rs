//! `glacic status`: what runs, and what the owner should know about it.

use std::io::Write;

use argh::{ArgsInfo, FromArgs};

use super::Context;
use super::exit::Failure;

/// Says what runs, and first of all what is wrong.
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "status", example = "glacic status", example = "glacic status --json")]
pub struct Status {
    /// print one JSON document
    #[argh(switch)]
    pub json: bool,
}

impl Status {
    pub fn run(self, _context: &Context, _out: &mut dyn Write) -> Result<(), Failure> {
        todo!()
    }
}
