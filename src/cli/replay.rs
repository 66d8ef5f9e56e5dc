//! `glacic replay`: what glacic would learn from a capture.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Write};
use std::path::PathBuf;

use argh::{ArgsInfo, FromArgs};

use super::Context;
use super::describe;
use super::exit::{self, Exit, Failure};
use super::flows::listing;
use super::monitor;
use super::screen::{Screen, print_json, remark, visible};
use super::values::on_off;
use crate::control::protocol::{Event, What};
use crate::engine::Policy;
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
        let policy = Policy::new(&settings, self.learning.unwrap_or(settings.learning), false);
        let capture = File::open(&self.file).map_err(|error| exit::of_reading(&self.file, &error))?;
        let about = |what: &dyn std::fmt::Display| visible(&format!("{}: {what}", self.file.display()));
        let report =
            replay::run(BufReader::new(capture), policy).map_err(|error| Failure::new(Exit::Data, about(&error)))?;
        if let Some(note) = &report.note {
            remark(&about(note));
        }
        match self.json {
            true => print_json(out, &report),
            false => Ok(out.write_all(told(report, context.screen).as_bytes())?),
        }
    }
}

/// The report for people: flows in the order of devices and services, then what was alarming.
fn told(mut report: Report, screen: Screen) -> String {
    let devices = report.flows.iter().map(|flow| flow.mac).collect::<BTreeSet<_>>().len() as u64;
    let mut text = format!(
        "{} ({} not read), {} of {}\n",
        describe::count(report.packets, "packet"),
        report.unread,
        describe::count(report.flows.len() as u64, "flow"),
        describe::count(devices, "device"),
    );
    if !report.flows.is_empty() {
        // Times are told from the capture's end.
        let end = report.flows.iter().map(|flow| flow.last_seen).max().unwrap_or_default();
        report.flows.sort_by_key(|flow| (flow.mac, flow.proto, flow.port));
        text.push('\n');
        text.push_str(&listing(&report.flows, end, screen));
    }
    let alerts: Vec<&Event> = report.events.iter().filter(|event| matches!(event.what, What::Alert { .. })).collect();
    if !alerts.is_empty() {
        text.push('\n');
    }
    for alert in alerts {
        text.push_str(&monitor::line(alert, screen));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::describe::tests::sample;
    use super::*;
    use crate::flow::Mac;
    use crate::flow::view::FlowView;

    #[test]
    fn flows_come_by_device_and_alerts_at_the_end() {
        let other = FlowView { mac: Mac([2, 0, 0, 0, 0, 1]), device: None, ..sample() };
        let alert = What::Alert { kind: "port_scan".into(), mac: Some(other.mac), message: "10 ports".into() };
        let report = Report {
            packets: 9,
            unread: 1,
            note: None,
            flows: vec![sample(), other],
            events: [What::ConfigReloaded, alert].map(|what| Event { time: sample().last_seen, what }).into(),
        };
        assert_eq!(
            told(report, Screen::PLAIN),
            "\
9 packets (1 not read), 2 flows of 2 devices

ID  STATE    DEVICE             SERVICE        DESTINATION  SEEN      CONNECTIONS
12  pending  02:00:00:00:00:01  tcp/443 https  any          just now            7
12  pending  camera             tcp/443 https  any          just now            7

2026-11-22 08:38:08Z alert port_scan 02:00:00:00:00:01: 10 ports
"
        );
    }
}
