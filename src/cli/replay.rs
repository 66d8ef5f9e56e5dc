//! `glacic replay`: what glacic would learn from a capture.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Write};
use std::path::PathBuf;

use argh::{ArgsInfo, FromArgs};

use super::Context;
use super::exit::{Exit, Failure, of_reading};
use super::flows::listing;
use super::screen::{print_json, remark};
use super::values::on_off;
use crate::engine::Policy;
use crate::flow::Mac;
use crate::replay::{self, Report};

/// Reads a capture (pcap or pcapng) and prints what would be learned from it. Needs neither root nor a daemon.
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(
    subcommand,
    name = "replay",
    example = "tcpdump -i br-lan -w lan.pcap; glacic replay lan.pcap",
    example = "tcpdump -i br-lan -w - -c 1000 | glacic replay /dev/stdin",
    example = "glacic replay lan.pcap --learning off --json"
)]
pub struct Replay {
    /// the capture
    #[argh(positional, arg_name = "file")]
    pub file: PathBuf,

    /// as if the learning mode were so, whatever the configuration says
    #[argh(option, arg_name = "on|off", from_str_fn(on_off))]
    pub learning: Option<bool>,

    /// print one JSON document
    #[argh(switch)]
    pub json: bool,
}

impl Replay {
    pub fn run(self, context: &Context, out: &mut dyn Write) -> Result<(), Failure> {
        let settings = context.settings()?;
        let unreadable = |why: &dyn std::fmt::Display| format!("{}: {why}", self.file.display());
        let file = File::open(&self.file).map_err(|error| of_reading(&self.file, &error))?;
        let policy = Policy::new(&settings, self.learning.unwrap_or(settings.learning), false);
        let report =
            replay::run(BufReader::new(file), policy).map_err(|error| Failure::new(Exit::Data, unreadable(&error)))?;
        if let Some(note) = &report.note {
            remark(&unreadable(note));
        }
        if self.json {
            return print_json(out, &report);
        }
        let devices: BTreeSet<Mac> = report.flows.iter().map(|flow| flow.mac).collect();
        let end = report.flows.iter().map(|flow| flow.last_seen).max().unwrap_or(context.now);
        out.write_all(listing(&report.flows, end, context.screen).as_bytes())?;
        let Report { packets, flows, unread, .. } = &report;
        Ok(writeln!(out, "{packets} packets ({unread} not read), {} devices, {} flows", devices.len(), flows.len())?)
    }
}
