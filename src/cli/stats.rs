//! `glacic stats`: counters, once or again and again.

use std::io::Write;
use std::time::{Duration, Instant};

use argh::{ArgsInfo, FromArgs};

use super::Context;
use super::exit::Failure;
use super::screen::{Screen, Tone, print_json};
use super::table::{self, Cell, number, render};
use super::when;
use crate::control::client::Client;
use crate::control::protocol::{self, Request};

/// Prints the daemon's counters.
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(
    subcommand,
    name = "stats",
    example = "glacic stats",
    example = "glacic stats --watch",
    example = "glacic stats --watch --json | jq .packets"
)]
pub struct Stats {
    /// print again every 2 seconds, with rates
    #[argh(switch)]
    pub watch: bool,

    /// print one JSON document; with --watch one a line
    #[argh(switch)]
    pub json: bool,
}

impl Stats {
    pub fn run(self, context: &Context, out: &mut dyn Write) -> Result<(), Failure> {
        let mut client = Client::connect(&context.socket)?;
        let mut before: Option<(protocol::Stats, Instant)> = None;
        loop {
            let stats: protocol::Stats = client.ask(&Request::Stats)?;
            let at = Instant::now();
            if self.json {
                print_json(out, &stats)?;
            } else {
                let past = before.as_ref().map(|(stats, then)| (stats, at.saturating_duration_since(*then)));
                if self.watch && context.screen.moves {
                    // To the upper left corner, and nothing below.
                    out.write_all(b"\x1b[H\x1b[2J")?;
                } else if before.is_some() {
                    out.write_all(b"\n")?;
                }
                out.write_all(block(&stats, past, context.screen).as_bytes())?;
            }
            if !self.watch {
                return Ok(());
            }
            out.flush()?;
            before = Some((stats, at));
            std::thread::sleep(INTERVAL);
        }
    }
}

/// Between two looks with --watch.
const INTERVAL: Duration = Duration::from_secs(2);

/// How a number is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// So many since the start: has a rate.
    Count,
    /// A count of what ought not to happen.
    Fault,
    /// So many now.
    Level,
}

type Row = (&'static str, Kind, fn(&protocol::Stats) -> u64);

const ROWS: &[Row] = &[
    ("packets seen", Kind::Count, |s| s.packets),
    ("  accepted", Kind::Count, |s| s.accepted),
    ("  dropped", Kind::Count, |s| s.dropped),
    ("  unreadable", Kind::Fault, |s| s.malformed),
    ("  without MAC address", Kind::Count, |s| s.no_mac),
    ("verdicts refused by the kernel", Kind::Fault, |s| s.verdict_errors),
    ("packets held", Kind::Level, |s| s.held),
    ("  most at a time", Kind::Level, |s| s.held_peak),
    ("  not answered in time", Kind::Fault, |s| s.held_expired),
    ("lost: queue full", Kind::Fault, |s| s.queue_dropped),
    ("lost: socket full", Kind::Fault, |s| s.queue_user_dropped),
    ("times the socket was full", Kind::Fault, |s| s.overflows),
    ("log records lost", Kind::Fault, |s| s.log_lost),
    ("cache hits", Kind::Count, |s| s.cache_hits),
    ("cache misses", Kind::Count, |s| s.cache_misses),
    ("cache entries", Kind::Level, |s| s.cache_entries),
    ("store writes", Kind::Count, |s| s.store_writes),
    ("  failed", Kind::Fault, |s| s.store_errors),
    ("  waiting", Kind::Level, |s| s.store_queue),
    ("  last answer, in ms", Kind::Level, |s| s.store_lag_ms),
    ("firewall changes waiting", Kind::Level, |s| s.firewall_queue),
    ("  failed", Kind::Fault, |s| s.firewall_errors),
    ("events", Kind::Count, |s| s.events),
    ("  left out (rate limit)", Kind::Count, |s| s.events_suppressed),
];

/// The counters for people; with what they were some time ago, the rates as well.
fn block(stats: &protocol::Stats, before: Option<(&protocol::Stats, Duration)>, screen: Screen) -> String {
    let uptime = when::span(Duration::from_secs(stats.uptime));
    let mut rows = vec![vec![Cell::new("running for"), Cell::new(uptime), Cell::new("")]];
    for (name, kind, of) in ROWS {
        let now = of(stats);
        let tone = if *kind == Kind::Fault && now > 0 { Tone::Bad } else { Tone::Plain };
        let rate = match before {
            Some((before, span)) if *kind != Kind::Level => rate(of(before), now, span),
            _ => String::new(),
        };
        rows.push(vec![Cell::new(name), Cell::toned(now.to_string(), tone), Cell::new(rate)]);
    }
    for (name, elements) in &stats.sets {
        rows.push(vec![Cell::new(format!("set {name}")), Cell::new(elements.to_string()), Cell::new("")]);
    }
    let columns = [table::text("SINCE THE START", 8, 0), number("NUMBER", 0), number("PER SECOND", 1)];
    let shown = if before.is_some() { columns.len() } else { columns.len() - 1 };
    render(&columns[..shown], &rows, screen)
}

/// So many a second, with one digit after the point; nothing after a restart of the daemon.
fn rate(before: u64, now: u64, span: Duration) -> String {
    let Some(grown) = now.checked_sub(before) else { return String::new() };
    let tenths = u128::from(grown).saturating_mul(10_000) / span.as_millis().max(1);
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_the_protocol_is_shown_once() {
        let fields = serde_json::to_value(protocol::Stats::default()).unwrap();
        // All but `uptime` and `sets`, which have their own form.
        assert_eq!(ROWS.len(), fields.as_object().unwrap().len() - 2);
        for (index, (name, _, of)) in ROWS.iter().enumerate() {
            let again = ROWS.iter().skip(index + 1).filter(|(_, _, other)| std::ptr::fn_addr_eq(*of, *other));
            assert_eq!(again.count(), 0, "{name}");
        }
    }

    #[test]
    fn rates_are_what_grew_over_the_time() {
        assert_eq!(rate(100, 105, Duration::from_secs(2)), "2.5");
        assert_eq!(rate(100, 100, Duration::from_secs(2)), "0.0");
        assert_eq!(rate(100, 3, Duration::from_secs(2)), "");
        assert_eq!(rate(0, u64::MAX, Duration::ZERO), format!("{}.0", u128::from(u64::MAX) * 1000));
    }

    #[test]
    fn faults_stand_out_and_sets_are_named() {
        let mut stats = protocol::Stats { packets: 7, log_lost: 2, ..Default::default() };
        stats.sets.insert("flows".into(), 12);
        assert!(!block(&stats, None, Screen::PLAIN).contains("PER SECOND"));
        let screen = Screen { colours: true, ..Screen::PLAIN };
        let before = protocol::Stats::default();
        let text = block(&stats, Some((&before, Duration::from_secs(2))), screen);
        let line = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
        assert!(line("packets seen").ends_with(" 7         3.5"), "{text}");
        assert!(line("log records lost").contains("\x1b[31m2\x1b[0m"), "{text}");
        assert!(line("set flows").ends_with(" 12"), "{text}");
    }
}
