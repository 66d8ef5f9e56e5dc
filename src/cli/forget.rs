//! `glacic forget`: flows become unknown again, as if they had never been seen.

use std::io::Write;

use argh::{ArgsInfo, FromArgs};

use super::Context;
use super::exit::Failure;
use super::selection::{Choice, decide};
use super::values::{PortChoice, Span, word};
use crate::flow::query::Decision;
use crate::flow::{Protocol, State};

/// Forgets flows, as if they had never been seen: by their numbers, or all that match the options.
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(
    subcommand,
    name = "forget",
    example = "glacic forget 12 13",
    example = "glacic forget --pending --idle-for 30d",
    example = "glacic forget --device camera",
    example = "glacic forget --all --yes"
)]
pub struct Forget {
    /// numbers of flows, as glacic flows prints them
    #[argh(positional, arg_name = "id")]
    pub ids: Vec<u32>,

    /// only pending flows
    #[argh(switch)]
    pub pending: bool,

    /// only flows in this state
    #[argh(option, arg_name = "pending|allowed|denied", from_str_fn(word))]
    pub state: Option<State>,

    /// only flows of this device: a name or a MAC address
    #[argh(option, arg_name = "device")]
    pub device: Option<String>,

    /// only flows of this protocol: tcp, udp, icmp or a number
    #[argh(option, arg_name = "protocol")]
    pub proto: Option<Protocol>,

    /// only flows to this port; any with --device and --proto: the decision for every port
    #[argh(option, arg_name = "port")]
    pub port: Option<PortChoice>,

    /// only flows first seen within this time, such as 24h
    #[argh(option, arg_name = "time")]
    pub newer_than: Option<Span>,

    /// only flows not seen for this time, such as 30d
    #[argh(option, arg_name = "time")]
    pub idle_for: Option<Span>,

    /// only flows whose device, protocol, port or service contains this text, or whose state is this word
    #[argh(option, arg_name = "text")]
    pub search: Option<String>,

    /// everything: all flows and all decisions
    #[argh(switch)]
    pub all: bool,

    /// really, with --all
    #[argh(switch)]
    pub yes: bool,

    /// print one JSON document
    #[argh(switch)]
    pub json: bool,
}

impl Forget {
    pub fn run(self, context: &Context, out: &mut dyn Write) -> Result<(), Failure> {
        let choice = Choice {
            ids: self.ids,
            pending: self.pending,
            state: self.state,
            device: self.device,
            proto: self.proto,
            port: self.port,
            newer_than: self.newer_than,
            idle_for: self.idle_for,
            search: self.search,
            all: self.all,
            yes: self.yes,
        };
        decide(context, Decision::Forget, &choice, self.json, out)
    }
}
