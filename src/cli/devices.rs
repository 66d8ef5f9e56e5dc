//! `glacic devices`: the list of devices.

use std::io::Write;

use argh::{ArgsInfo, FromArgs};

use super::Context;
use super::exit::Failure;

/// Lists the devices, and how many flows of each are allowed, pending and denied.
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "devices", example = "glacic devices", example = "glacic devices --json")]
pub struct Devices {
    /// print one JSON document
    #[argh(switch)]
    pub json: bool,
}

impl Devices {
    pub fn run(self, _context: &Context, _out: &mut dyn Write) -> Result<(), Failure> {
        todo!()
    }
}
