//! `glacic status`: what runs, and what the owner should know about it.

use std::io::Write;
use std::time::Duration;

use argh::{ArgsInfo, FromArgs};

use super::Context;
use super::describe;
use super::exit::Failure;
use super::help::wrap;
use super::screen::{Screen, Tone, painted, print_json, visible};
use super::when;
use crate::control::client::Client;
use crate::control::protocol::{self, Request};

/// Says what runs, and first of all what is wrong.
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand, name = "status", example = "glacic status", example = "glacic status --json")]
pub struct Status {
    /// print one JSON document
    #[argh(switch)]
    pub json: bool,
}

impl Status {
    pub fn run(self, context: &Context, out: &mut dyn Write) -> Result<(), Failure> {
        let status: protocol::Status = Client::connect(&context.socket)?.ask(&Request::Status)?;
        match self.json {
            true => print_json(out, &status),
            false => Ok(out.write_all(block(&status, context.screen).as_bytes())?),
        }
    }
}

/// The status for people: warnings first.
fn block(status: &protocol::Status, screen: Screen) -> String {
    let width = screen.width.unwrap_or(usize::MAX).max(40);
    let mut text = String::new();
    for warning in &status.warnings {
        text.push_str(&painted(screen, Tone::Bad, "warning: "));
        wrap(&mut text, &visible(&warning.message), 0, "warning: ".len(), width);
    }
    if !text.is_empty() {
        text.push('\n');
    }
    let left = status.learning_left.map(|left| format!(" for {} more", when::span(Duration::from_secs(left))));
    let mode = format!("{}{}", if status.learning { "learning" } else { "enforcing" }, left.unwrap_or_default());
    text.push_str(&format!(
        "glacic {} is {}; it has been running for {}\n",
        visible(&status.version),
        painted(screen, if status.learning { Tone::Waiting } else { Tone::Good }, &mode),
        when::span(Duration::from_secs(status.uptime)),
    ));
    let mut line = |name: &str, tone: Tone, value: String| {
        text.push_str(&format!("  {name:<11} {}\n", painted(screen, tone, &visible(&value))));
    };
    let what = if status.mode == "queue" { "holds packets (queue)".to_owned() } else { status.mode.clone() };
    line("mode", Tone::Plain, format!("{what}, placement {}, fail {}", status.placement, status.fail_mode));
    match status.interfaces.is_empty() {
        true => line("interfaces", Tone::Bad, "none is guarded".to_owned()),
        false => line("interfaces", Tone::Plain, status.interfaces.join(", ")),
    }
    let flows = status.flows;
    let tone = if flows.pending > 0 { Tone::Waiting } else { Tone::Plain };
    let hint = if flows.pending > 0 { " (glacic flows --state pending)" } else { "" };
    line("flows", tone, format!("{} allowed, {} denied, {} pending{hint}", flows.allowed, flows.denied, flows.pending));
    line("devices", Tone::Plain, status.devices.to_string());
    if status.dropped_last_hour > 0 {
        line(
            "dropped",
            Tone::Plain,
            format!("{} in the last hour", describe::count(status.dropped_last_hour, "packet")),
        );
    }
    match status.ruleset {
        true => line("ruleset", Tone::Plain, "in the kernel".to_owned()),
        false => line("ruleset", Tone::Bad, "not in the kernel".to_owned()),
    }
    match &status.database.trouble {
        None => line("database", Tone::Plain, status.database.path.clone()),
        Some(trouble) => line("database", Tone::Bad, format!("{}: {trouble}", status.database.path)),
    }
    if let Some(moved) = &status.database.moved_aside {
        line("", Tone::Waiting, format!("a damaged or foreign file was moved to {moved}"));
    }
    let (tone, confinement) = confined(&status.confinement);
    line("confined", tone, confinement);
    if !status.clock_set {
        line("clock", Tone::Waiting, "not set yet".to_owned());
    }
    text
}

/// Whom the daemon runs as and what it may do; bad where it could do more than it should.
fn confined(confinement: &protocol::Confinement) -> (Tone, String) {
    let protocol::Confinement { user, capabilities, no_new_privileges, filter, trouble } = confinement;
    let may = match capabilities.as_slice() {
        [] => "nothing".to_owned(),
        few @ [_, ..] if few.len() <= 3 => format!("{} only", few.join(", ")),
        many => format!("{} capabilities", many.len()),
    };
    let gain = if *no_new_privileges { "no new privileges" } else { "privileges can be gained" };
    let calls = if *filter { "calls filtered" } else { "calls not filtered" };
    let tone = if trouble.is_empty() { Tone::Plain } else { Tone::Bad };
    (tone, format!("user {user}, {may}, {gain}, {calls}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Wall;
    use protocol::{DatabaseStatus, FlowCounts, Warning, WarningCode};

    fn healthy() -> protocol::Status {
        protocol::Status {
            version: "0.1.0".into(),
            time: Wall { seconds: 1_790_000_000 },
            uptime: 3 * 3600,
            enabled: true,
            learning: false,
            learning_left: None,
            mode: "log".into(),
            placement: "guard".into(),
            fail_mode: "open".into(),
            interfaces: vec!["br-lan".into(), "br-guest".into()],
            flows: FlowCounts { allowed: 12, pending: 0, denied: 1 },
            devices: 5,
            dropped_last_hour: 0,
            database: DatabaseStatus { path: "/etc/glacic/flows.db".into(), trouble: None, moved_aside: None },
            ruleset: true,
            clock_set: true,
            confinement: protocol::Confinement {
                user: "glacic".into(),
                capabilities: vec!["net_admin".into()],
                no_new_privileges: true,
                filter: true,
                trouble: Vec::new(),
            },
            warnings: Vec::new(),
        }
    }

    #[test]
    fn a_healthy_house_in_a_few_lines() {
        assert_eq!(
            block(&healthy(), Screen::PLAIN),
            "\
glacic 0.1.0 is enforcing; it has been running for 3h
  mode        log, placement guard, fail open
  interfaces  br-lan, br-guest
  flows       12 allowed, 1 denied, 0 pending
  devices     5
  ruleset     in the kernel
  database    /etc/glacic/flows.db
  confined    user glacic, net_admin only, no new privileges, calls filtered
"
        );
    }

    #[test]
    fn what_is_wrong_comes_first_and_in_full() {
        let status = protocol::Status {
            learning: true,
            learning_left: Some(6 * 86_400),
            dropped_last_hour: 31,
            interfaces: Vec::new(),
            flows: FlowCounts { pending: 3, ..healthy().flows },
            ruleset: false,
            clock_set: false,
            database: DatabaseStatus {
                trouble: Some("no space left".into()),
                moved_aside: Some("/etc/glacic/flows.db.bad".into()),
                ..healthy().database
            },
            warnings: vec![Warning {
                code: WarningCode::Offload,
                message: "flow offload is on: \x1b[31m established connections are not seen by anybody".into(),
            }],
            ..healthy()
        };
        assert_eq!(
            block(&status, Screen { width: Some(50), ..Screen::PLAIN }),
            "\
warning: flow offload is on: \\u{1b}[31m
         established connections are not seen by
         anybody

glacic 0.1.0 is learning for 6d more; it has been running for 3h
  mode        log, placement guard, fail open
  interfaces  none is guarded
  flows       12 allowed, 1 denied, 3 pending (glacic flows --state pending)
  devices     5
  dropped     31 packets in the last hour
  ruleset     not in the kernel
  database    /etc/glacic/flows.db: no space left
              a damaged or foreign file was moved to /etc/glacic/flows.db.bad
  confined    user glacic, net_admin only, no new privileges, calls filtered
  clock       not set yet
"
        );
    }
}
