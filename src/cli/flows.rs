//! `glacic flows`: the list of flows.

use std::io::Write;

use argh::{ArgsInfo, FromArgs};

use super::Context;
use super::exit::Failure;
use super::values::{Span, word};
use crate::flow::query::Sort;
use crate::flow::{Origin, Protocol, State};

/// Lists flows: what each device does, and what was decided about it.
///
/// Without a running daemon the list comes from a copy of the database.
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(
    subcommand,
    name = "flows",
    example = "glacic flows --state pending",
    example = "glacic flows --device camera --newer-than 24h",
    example = "glacic flows --sort last-seen --reverse --limit 20",
    example = "glacic flows --all --json"
)]
pub struct Flows {
    /// only flows in this state
    #[argh(option, arg_name = "pending|allowed|denied", from_str_fn(word))]
    pub state: Option<State>,

    /// only flows that were decided this way
    #[argh(option, arg_name = "learned|user|imported|baseline", from_str_fn(word))]
    pub origin: Option<Origin>,

    /// only flows of this device: a name or a MAC address
    #[argh(option, arg_name = "device")]
    pub device: Option<String>,

    /// only flows of this protocol: tcp, udp, icmp or a number
    #[argh(option, arg_name = "protocol")]
    pub proto: Option<Protocol>,

    /// only flows to this port; for ICMP the type
    #[argh(option, arg_name = "port")]
    pub port: Option<u16>,

    /// only flows first seen within this time, such as 24h
    #[argh(option, arg_name = "time")]
    pub newer_than: Option<Span>,

    /// only flows not seen for this time, such as 7d
    #[argh(option, arg_name = "time")]
    pub idle_for: Option<Span>,

    /// only flows whose device, protocol or port contains this text
    #[argh(option, arg_name = "text")]
    pub search: Option<String>,

    /// what to sort by (default id)
    #[argh(
        option,
        arg_name = "id|device|service|state|first-seen|last-seen|connections",
        from_str_fn(word),
        default = "Sort::Id"
    )]
    pub sort: Sort,

    /// sort the other way round
    #[argh(switch)]
    pub reverse: bool,

    /// list at most this many (default 100)
    #[argh(option, arg_name = "number", default = "100")]
    pub limit: u32,

    /// list all, however many
    #[argh(switch)]
    pub all: bool,

    /// print one JSON document
    #[argh(switch)]
    pub json: bool,
}

impl Flows {
    pub fn run(self, _context: &Context, _out: &mut dyn Write) -> Result<(), Failure> {
        todo!()
    }
}
