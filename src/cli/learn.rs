//! `glacic learn`: whether new flows are allowed or wait for a decision.

use std::io::Write;

use argh::{ArgsInfo, FromArgs};

use super::Context;
use super::exit::Failure;
use super::values::{Span, on_off};

/// Turns the learning mode on (new flows are allowed) or off (new flows wait for a decision and do not pass).
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(
    subcommand,
    name = "learn",
    example = "glacic learn on --for 7d",
    example = "glacic learn off",
    note = "The time given by --for is counted while the daemon runs; afterwards the other mode returns."
)]
pub struct Learn {
    /// the learning mode
    #[argh(positional, arg_name = "on|off", from_str_fn(on_off))]
    pub on: bool,

    /// for this time only, such as 7d
    #[argh(option, long = "for", arg_name = "time")]
    pub period: Option<Span>,

    /// print one JSON document
    #[argh(switch)]
    pub json: bool,
}

impl Learn {
    pub fn run(self, _context: &Context, _out: &mut dyn Write) -> Result<(), Failure> {
        todo!()
    }
}
