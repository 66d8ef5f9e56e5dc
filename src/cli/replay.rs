//! `glacic replay`: what glacic would learn from a capture.

use std::io::Write;
use std::path::PathBuf;

use argh::{ArgsInfo, FromArgs};

use super::Context;
use super::exit::Failure;
use super::values::on_off;

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
    pub fn run(self, _context: &Context, _out: &mut dyn Write) -> Result<(), Failure> {
        Err(Failure::internal("this build cannot do that yet"))
    }
}
