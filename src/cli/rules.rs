//! `glacic rules`: the ruleset, for reading and for those who include it by hand.

use std::io::Write;

use argh::{ArgsInfo, FromArgs};

use super::Context;
use super::exit::Failure;
use super::values::on_off;

/// Prints the nftables ruleset that the configuration asks for, and what fw4 includes. Changes nothing.
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(
    subcommand,
    name = "rules",
    example = "glacic rules",
    example = "glacic rules --mode queue --learning off --config ./glacic"
)]
pub struct Rules {
    /// listen this way, whatever the configuration says
    #[argh(option, arg_name = "log|queue", from_str_fn(mode))]
    pub mode: Option<Mode>,

    /// as if the learning mode were so, whatever the configuration says
    #[argh(option, arg_name = "on|off", from_str_fn(on_off))]
    pub learning: Option<bool>,
}

/// The way of listening that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Log,
    Queue,
}

fn mode(text: &str) -> Result<Mode, String> {
    match text {
        "log" => Ok(Mode::Log),
        "queue" => Ok(Mode::Queue),
        _ => Err("expected log or queue".to_owned()),
    }
}

impl Rules {
    pub fn run(self, _context: &Context, _out: &mut dyn Write) -> Result<(), Failure> {
        Err(Failure::internal("this build cannot do that yet"))
    }
}
