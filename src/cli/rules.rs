//! `glacic rules`: the ruleset, for reading and for those who include it by hand.

use std::io::Write;

use argh::{ArgsInfo, FromArgs};

use super::Context;
use super::exit::Failure;
use super::screen::{remark, visible};
use super::values::on_off;
use crate::config::Settings;
use crate::config::settings::Inline;
use crate::firewall::{Guarded, Plan, render_all};

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
    pub fn run(self, context: &Context, out: &mut dyn Write) -> Result<(), Failure> {
        let mut settings = context.settings()?;
        match self.mode {
            Some(Mode::Log) => settings.inline = Inline::Log,
            Some(Mode::Queue) => settings.inline = Inline::Queue,
            None => {}
        }
        let (guarded, remarks) = guarded(&settings);
        if guarded.is_empty() {
            remark("nothing is guarded: name zones or interfaces in the configuration");
        }
        for remark in remarks {
            writeln!(out, "# {}", visible(&remark))?;
        }
        let plan = Plan::new(&settings, self.learning.unwrap_or(settings.learning), guarded);
        Ok(out.write_all(render_all(&plan).as_bytes())?)
    }
}

/// The interfaces that would be guarded now, and what there is to say about the others.
#[cfg(target_os = "linux")]
fn guarded(settings: &Settings) -> (Vec<Guarded>, Vec<String>) {
    use crate::firewall::{Tools, zones};
    let found = zones::find(&settings.zones, &settings.interfaces, &[], &Tools::default());
    let refused = found.refused.iter().map(ToString::to_string);
    let remarks = refused.chain(found.notes.iter().cloned()).collect();
    (found.guarded, remarks)
}

/// Elsewhere there is no fw4 to ask for zones: the interfaces are taken as they are.
#[cfg(not(target_os = "linux"))]
fn guarded(settings: &Settings) -> (Vec<Guarded>, Vec<String>) {
    use crate::firewall::Interface;
    let mut remarks: Vec<String> =
        settings.zones.iter().map(|zone| format!("zone {zone} is known on the router only")).collect();
    let mut guarded = Vec::new();
    for name in &settings.interfaces {
        match Interface::new(name) {
            Ok(interface) => guarded.push(Guarded { interface, zone: None, input_refused: false }),
            Err(bad) => remarks.push(bad.to_string()),
        }
    }
    (guarded, remarks)
}
