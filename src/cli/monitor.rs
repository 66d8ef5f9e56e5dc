//! `glacic monitor`: events as they happen.

use std::io::Write;
use std::time::Duration;

use argh::{ArgsInfo, FromArgs};

use super::Context;
use super::describe;
use super::exit::Failure;
use super::screen::{Screen, Tone, painted, print_json, remark, visible};
use super::when;
use crate::control::client::{Client, Fault};
use crate::control::protocol::{Event, What};
use crate::flow::view::FlowView;

/// Prints events as they happen, until interrupted.
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(
    subcommand,
    name = "monitor",
    example = "glacic monitor",
    example = "glacic monitor --kind alert --kind device_new",
    example = "glacic monitor --json --reconnect | logger -t glacic"
)]
pub struct Monitor {
    /// only events of this kind; may be repeated
    #[argh(
        option,
        arg_name = "flow_new|flow_changed|flow_forgotten|flows_changed|device_new|device_changed|alert|learning_changed|config_reloaded|config_refused",
        from_str_fn(kind)
    )]
    pub kind: Vec<String>,

    /// wait for the daemon to come back when it goes away
    #[argh(switch)]
    pub reconnect: bool,

    /// print one JSON document a line
    #[argh(switch)]
    pub json: bool,
}

/// Kinds of events, as they are called in the protocol.
const KINDS: &[&str] = &[
    "flow_new",
    "flow_changed",
    "flow_forgotten",
    "flows_changed",
    "device_new",
    "device_changed",
    "alert",
    "learning_changed",
    "config_reloaded",
    "config_refused",
];

fn kind(text: &str) -> Result<String, String> {
    let name = text.replace('-', "_");
    if KINDS.contains(&name.as_str()) { Ok(name) } else { Err(format!("expected one of {}", KINDS.join(", "))) }
}

/// How long to wait before the daemon is looked for again.
const PAUSE: Duration = Duration::from_secs(1);

impl Monitor {
    pub fn run(self, context: &Context, out: &mut dyn Write) -> Result<(), Failure> {
        let mut told = false;
        loop {
            let gone = match Client::connect(&context.socket).and_then(Client::events) {
                Ok(events) => {
                    if std::mem::take(&mut told) {
                        remark("the daemon is back");
                    }
                    self.follow(events, context.screen, out)?
                }
                Err(fault) => fault,
            };
            let may_return = matches!(gone, Fault::NotRunning { .. } | Fault::NoAnswer { .. } | Fault::Closed);
            if !(self.reconnect && may_return) {
                return Err(gone.into());
            }
            if !std::mem::replace(&mut told, true) {
                remark("the daemon is not running: waiting for it");
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Prints events until there are no more, and says why.
    fn follow(
        &self,
        events: impl Iterator<Item = Result<Event, Fault>>,
        screen: Screen,
        out: &mut dyn Write,
    ) -> Result<Fault, Failure> {
        for event in events {
            let event = match event {
                Ok(event) => event,
                Err(fault) => return Ok(fault),
            };
            if !self.kind.is_empty() && !self.kind.iter().any(|kind| kind == name(&event.what)) {
                continue;
            }
            match self.json {
                true => print_json(out, &event)?,
                false => writeln!(out, "{}", line(&event, screen))?,
            }
            out.flush()?;
        }
        Ok(Fault::Closed)
    }
}

fn name(what: &What) -> &'static str {
    match what {
        What::FlowNew { .. } => "flow_new",
        What::FlowChanged { .. } => "flow_changed",
        What::FlowForgotten { .. } => "flow_forgotten",
        What::FlowsChanged { .. } => "flows_changed",
        What::DeviceNew { .. } => "device_new",
        What::DeviceChanged { .. } => "device_changed",
        What::Alert { .. } => "alert",
        What::LearningChanged { .. } => "learning_changed",
        What::ConfigReloaded => "config_reloaded",
        What::ConfigRefused { .. } => "config_refused",
    }
}

/// An event for people.
pub fn line(event: &Event, screen: Screen) -> String {
    let state = |flow: &FlowView| {
        let (word, tone) = describe::state(flow.state);
        painted(screen, tone, word)
    };
    let text = match &event.what {
        What::FlowNew { flow } => format!("new flow {}: {}", describe::flow(flow), state(flow)),
        What::FlowChanged { flow } => format!("flow {} is now {}", describe::flow(flow), state(flow)),
        What::FlowForgotten { flow } => format!("flow {} was forgotten", describe::flow(flow)),
        What::FlowsChanged { count } => format!("and {count} more flows by the same decision"),
        What::DeviceNew { mac, zone: Some(zone) } => format!("new device {mac} in zone {}", visible(zone)),
        What::DeviceNew { mac, zone: None } => format!("new device {mac}"),
        What::DeviceChanged { mac, mode } => format!("device {mac} {}", describe::mode_means(*mode)),
        What::Alert { kind, mac, message } => {
            let device = mac.map(|mac| format!(" {mac}")).unwrap_or_default();
            painted(screen, Tone::Bad, &format!("alert {}{device}: {}", visible(kind), visible(message)))
        }
        What::LearningChanged { learning: true } => "learning is on: new flows are allowed".to_owned(),
        What::LearningChanged { learning: false } => "learning is off: new flows wait for a decision".to_owned(),
        What::ConfigReloaded => "the configuration was read again".to_owned(),
        What::ConfigRefused { message } => {
            painted(screen, Tone::Bad, &format!("the configuration was refused: {}", visible(message)))
        }
    };
    format!("{} {text}", when::moment(event.time))
}

#[cfg(test)]
mod tests {
    use super::super::describe::tests::sample;
    use super::*;
    use crate::flow::{DeviceMode, Mac, Wall};

    fn each() -> Vec<What> {
        let mac = Mac([0xb8, 0x27, 0xeb, 0, 0, 1]);
        vec![
            What::FlowNew { flow: sample() },
            What::FlowChanged { flow: sample() },
            What::FlowForgotten { flow: sample() },
            What::FlowsChanged { count: 2900 },
            What::DeviceNew { mac, zone: Some("lan".into()) },
            What::DeviceChanged { mac, mode: DeviceMode::Trust },
            What::Alert { kind: "port_scan".into(), mac: Some(mac), message: "10 ports\n".into() },
            What::LearningChanged { learning: false },
            What::ConfigReloaded,
            What::ConfigRefused { message: "12:9: no such option".into() },
        ]
    }

    fn event(what: What) -> Event {
        Event { time: Wall { seconds: 1_795_336_868 }, what }
    }

    fn monitor(kind: &[&str], json: bool) -> Monitor {
        Monitor { kind: kind.iter().map(|kind| (*kind).to_owned()).collect(), reconnect: false, json }
    }

    fn printed(monitor: &Monitor) -> String {
        let mut out = Vec::new();
        let gone = monitor.follow(each().into_iter().map(event).map(Ok), Screen::PLAIN, &mut out);
        assert!(matches!(gone, Ok(Fault::Closed)));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn kinds_are_those_of_the_protocol_and_of_the_definition() {
        for (what, kind) in each().into_iter().zip(KINDS) {
            let json = serde_json::to_value(event(what.clone())).unwrap();
            assert_eq!(json["event"], *kind);
            assert_eq!(name(&what), *kind);
        }
        let info = <Monitor as ArgsInfo>::get_args_info();
        let flag = info.flags.iter().find(|flag| flag.long == "--kind").unwrap();
        assert_eq!(flag.kind, argh::FlagInfoKind::Option { arg_name: &KINDS.join("|") });
        assert_eq!(kind("flow-new"), Ok("flow_new".to_owned()));
        assert!(kind("flow").is_err());
    }

    #[test]
    fn an_event_is_a_line_for_people() {
        assert_eq!(
            printed(&monitor(&[], false)),
            "\
2026-11-22 08:41:08Z new flow 12 camera tcp/443 https: pending
2026-11-22 08:41:08Z flow 12 camera tcp/443 https is now pending
2026-11-22 08:41:08Z flow 12 camera tcp/443 https was forgotten
2026-11-22 08:41:08Z and 2900 more flows by the same decision
2026-11-22 08:41:08Z new device b8:27:eb:00:00:01 in zone lan
2026-11-22 08:41:08Z device b8:27:eb:00:00:01 is trusted: everything of it passes
2026-11-22 08:41:08Z alert port_scan b8:27:eb:00:00:01: 10 ports\\n
2026-11-22 08:41:08Z learning is off: new flows wait for a decision
2026-11-22 08:41:08Z the configuration was read again
2026-11-22 08:41:08Z the configuration was refused: 12:9: no such option
"
        );
    }

    #[test]
    fn an_event_is_a_document_for_programs() {
        for (line, what) in printed(&monitor(&[], true)).lines().zip(each()) {
            assert_eq!(serde_json::from_str::<Event>(line).unwrap(), event(what));
        }
    }

    #[test]
    fn only_the_kinds_that_were_asked_for() {
        let text = printed(&monitor(&["alert", "device_new"], false));
        assert_eq!(text.lines().count(), 2, "{text}");
    }
}
