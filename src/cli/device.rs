//! `glacic device`: names a device and says how it is treated.

use std::io::Write;

use argh::{ArgsInfo, FromArgs};

use super::Context;
use super::exit::Failure;
use super::values::word;
use crate::flow::DeviceMode;

/// Names a device, or says how it is treated: learn (its new flows are allowed), enforce (its new flows wait for a
/// decision), trust (it may do everything), block (it may do nothing), default (as the house does).
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(
    subcommand,
    name = "device",
    example = "glacic device b8:27:eb:00:00:01 --name camera",
    example = "glacic device camera --mode enforce"
)]
pub struct Device {
    /// the device: a name or a MAC address
    #[argh(positional, arg_name = "device")]
    pub device: String,

    /// its new name
    #[argh(option, arg_name = "name")]
    pub name: Option<String>,

    /// how it is treated
    #[argh(option, arg_name = "learn|enforce|trust|block|default", from_str_fn(word))]
    pub mode: Option<DeviceMode>,

    /// print one JSON document
    #[argh(switch)]
    pub json: bool,
}

impl Device {
    pub fn run(self, _context: &Context, _out: &mut dyn Write) -> Result<(), Failure> {
        todo!()
    }
}
