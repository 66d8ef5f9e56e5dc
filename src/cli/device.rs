//! `glacic device`: names a device and says how it is treated.

use std::io::Write;

use argh::{ArgsInfo, FromArgs};

use super::Context;
use super::describe;
use super::exit::Failure;
use super::screen::{print_json, visible};
use super::values::word;
use crate::control::client::Client;
use crate::control::protocol::{DeviceSet, Request};
use crate::flow::DeviceMode;

/// Names a device, or says how it is treated: learn (its new flows are allowed), enforce (its new flows wait for a
/// decision), trust (glacic lets everything of it pass), block (nothing of it passes the router; the router itself stays reachable
/// unless guard_input is set), default (as the house does).
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
    pub fn run(self, context: &Context, out: &mut dyn Write) -> Result<(), Failure> {
        if self.name.is_none() && self.mode.is_none() {
            return Err(Failure::usage("say what is to change: --name, --mode or both"));
        }
        let text = self.tell();
        let Device { device, name, mode, json } = self;
        let mut client = Client::connect(&context.socket)?;
        let reply: serde_json::Value = client.ask(&Request::DeviceSet(DeviceSet { device, name, mode }))?;
        match json {
            true => print_json(out, &reply),
            false => Ok(out.write_all(text.as_bytes())?),
        }
    }

    /// What was done, in words.
    fn tell(&self) -> String {
        let device = visible(&self.device);
        let mut text = String::new();
        match self.name.as_deref() {
            Some("") => text.push_str(&format!("{device} has no name any more\n")),
            Some(name) => text.push_str(&format!("{device} is now called {}\n", visible(name))),
            None => {}
        }
        if let Some(mode) = self.mode {
            text.push_str(&format!("{device} {}\n", describe::mode_means(mode)));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_told_in_words() {
        let device = |name: Option<&str>, mode| {
            Device { device: "camera".into(), name: name.map(Into::into), mode, json: false }.tell()
        };
        assert_eq!(device(Some("eye"), None), "camera is now called eye\n");
        assert_eq!(device(Some(""), None), "camera has no name any more\n");
        assert_eq!(device(None, Some(DeviceMode::Block)), "camera is blocked: nothing of it passes the router\n");
    }
}
