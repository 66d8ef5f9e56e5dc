//! `glacic deny`: the owner's decision that flows may not pass.

use std::io::Write;

use argh::{ArgsInfo, FromArgs};

use super::Context;
use super::exit::Failure;
use super::selection::{Choice, decide};
use super::values::{PortChoice, Span};
use crate::flow::Protocol;
use crate::flow::query::Decision;

/// Denies flows: by their numbers, all pending ones, or one service of one device.
/// A service (--device, --proto and --port together) can be decided before it was ever seen.
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(
    subcommand,
    name = "deny",
    example = "glacic deny 12 13",
    example = "glacic deny --pending --device camera",
    example = "glacic deny --device camera --proto tcp --port 443",
    example = "glacic deny --device b8:27:eb:00:00:01 --proto udp --port any"
)]
pub struct Deny {
    /// numbers of flows, as glacic flows prints them
    #[argh(positional, arg_name = "id")]
    pub ids: Vec<u32>,

    /// all pending flows, or those of them that match the other options
    #[argh(switch)]
    pub pending: bool,

    /// the device: a name or a MAC address
    #[argh(option, arg_name = "device")]
    pub device: Option<String>,

    /// the protocol: tcp, udp, icmp or a number
    #[argh(option, arg_name = "protocol")]
    pub proto: Option<Protocol>,

    /// the port; for ICMP the type; any for every port of the protocol
    #[argh(option, arg_name = "port")]
    pub port: Option<PortChoice>,

    /// with --pending: only flows first seen within this time, such as 24h
    #[argh(option, arg_name = "time")]
    pub newer_than: Option<Span>,

    /// with --pending: only flows whose device, protocol, port or service contains this text, or whose state is this word
    #[argh(option, arg_name = "text")]
    pub search: Option<String>,

    /// print one JSON document
    #[argh(switch)]
    pub json: bool,
}

impl Deny {
    pub fn run(self, context: &Context, out: &mut dyn Write) -> Result<(), Failure> {
        let choice = Choice {
            ids: self.ids,
            pending: self.pending,
            device: self.device,
            proto: self.proto,
            port: self.port,
            newer_than: self.newer_than,
            search: self.search,
            ..Choice::default()
        };
        decide(context, Decision::Deny, &choice, self.json, out)
    }
}
