//! `glacic learn`: whether new flows are allowed or wait for a decision.

use std::io::Write;

use argh::{ArgsInfo, FromArgs};

use super::Context;
use super::exit::Failure;
use super::screen::print_json;
use super::values::{Span, on_off};
use super::when;
use crate::control::client::Client;
use crate::control::protocol::{LearningSet, Request};

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
    pub fn run(self, context: &Context, out: &mut dyn Write) -> Result<(), Failure> {
        let seconds = self.period.map(|span| span.0.as_secs());
        if seconds == Some(0) {
            return Err(Failure::usage("--for needs some time, such as 7d"));
        }
        let mut client = Client::connect(&context.socket)?;
        let reply: serde_json::Value = client.ask(&Request::LearningSet(LearningSet { on: self.on, seconds }))?;
        match self.json {
            true => print_json(out, &reply),
            false => Ok(out.write_all(self.tell().as_bytes())?),
        }
    }

    /// What was done, in words.
    fn tell(&self) -> String {
        let period = self.period.map(|span| format!(" for {}", when::span(span.0))).unwrap_or_default();
        match self.on {
            true => format!("learning is on{period}: new flows are allowed\n"),
            false => format!("learning is off{period}: new flows wait for a decision and do not pass\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_told_in_words() {
        let learn = |on, period: Option<&str>| {
            Learn { on, period: period.map(|text| text.parse().unwrap()), json: false }.tell()
        };
        assert_eq!(learn(true, Some("7d")), "learning is on for 7d: new flows are allowed\n");
        assert_eq!(learn(false, None), "learning is off: new flows wait for a decision and do not pass\n");
    }
}
