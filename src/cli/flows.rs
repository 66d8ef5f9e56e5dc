//! `glacic flows`: the list of flows.

use std::io::Write;

use argh::{ArgsInfo, FromArgs};

use super::Context;
use super::describe;
use super::exit::Failure;
use super::screen::{Screen, print_json, remark};
use super::source::Source;
use super::table::{self, Cell, Column, number, render};
use super::values::{Span, word};
use super::vendors::Vendors;
use crate::control::protocol::FlowPage;
use crate::flow::query::{Filter, Query, Sort};
use crate::flow::view::FlowView;
use crate::flow::{Origin, Protocol, State, Wall};

/// Lists flows: what each device does, and what was decided about it.
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

    /// only flows whose device, protocol, port or service contains this text, or whose state is this word
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
    pub fn run(self, context: &Context, out: &mut dyn Write) -> Result<(), Failure> {
        let mut source = Source::open(context)?;
        let wanted = if self.all { usize::MAX } else { self.limit as usize };
        let mut page = collect(self.query(), wanted, |query| source.flows(query))?;
        if self.json {
            return print_json(out, &page);
        }
        if page.flows.is_empty() {
            remark(if page.total > 0 { "nothing is listed: --limit is 0" } else { "no flow matches" });
            return Ok(());
        }
        let mut vendors = Vendors::open();
        for flow in page.flows.iter_mut().filter(|flow| flow.device.is_none()) {
            flow.device = vendors.of_device(flow.mac).map(|vendor| format!("{} ({vendor})", flow.mac));
        }
        out.write_all(listing(&page.flows, context.now, context.screen).as_bytes())?;
        if page.total > page.flows.len() as u64 {
            out.flush()?;
            remark(&format!("{} of {} flows; --all lists all of them", page.flows.len(), page.total));
        }
        Ok(())
    }

    fn query(&self) -> Query {
        Query {
            filter: Filter {
                state: self.state,
                origin: self.origin,
                device: self.device.clone(),
                proto: self.proto,
                port: self.port,
                newer_than: self.newer_than.map(|span| span.0.as_secs()),
                idle_for: self.idle_for.map(|span| span.0.as_secs()),
                search: self.search.clone(),
            },
            sort: self.sort,
            descending: self.reverse,
            offset: 0,
            limit: 0,
        }
    }
}

/// Asks for page after page until there are as many as `wanted`, or no more.
fn collect(
    mut query: Query,
    wanted: usize,
    mut ask: impl FnMut(&Query) -> Result<FlowPage, Failure>,
) -> Result<FlowPage, Failure> {
    let mut all = FlowPage { flows: Vec::new(), total: 0 };
    loop {
        let missing = wanted.saturating_sub(all.flows.len());
        // A limit of 0 means the default; one flow is asked for to learn how many there are.
        query.limit = u32::try_from(missing).unwrap_or(u32::MAX).clamp(1, Query::MAX_LIMIT);
        let page = ask(&query)?;
        all.total = page.total;
        let more = page.flows.len();
        all.flows.extend(page.flows);
        all.flows.truncate(wanted);
        query.offset = query.offset.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
        if more == 0 || all.flows.len() >= wanted || u64::from(query.offset) >= all.total {
            return Ok(all);
        }
    }
}

const COLUMNS: &[Column] = &[
    number("ID", 0),
    table::text("STATE", 7, 0),
    table::text("DEVICE", 8, 0),
    table::text("SERVICE", 8, 0),
    table::text("DESTINATION", 11, 2),
    table::text("SEEN", 8, 1),
    number("CONNECTIONS", 3),
];

/// The table of flows.
pub fn listing(flows: &[FlowView], now: Wall, screen: Screen) -> String {
    let rows: Vec<Vec<Cell>> = flows
        .iter()
        .map(|flow| {
            let (state, tone) = describe::state(flow.state);
            vec![
                Cell::new(flow.id.map_or_else(|| "-".to_owned(), |id| id.0.to_string())),
                Cell::toned(state, tone),
                Cell::new(describe::device(flow.device.as_deref(), flow.mac)),
                Cell::new(describe::service(flow.proto, flow.port)),
                Cell::new(describe::destination(flow)),
                Cell::new(super::when::ago(flow.last_seen, now)),
                Cell::new(flow.connections.to_string()),
            ]
        })
        .collect();
    render(COLUMNS, &rows, screen)
}

#[cfg(test)]
mod tests {
    use super::super::describe::tests::sample;
    use super::*;
    use crate::flow::FlowId;

    const NOW: Wall = Wall { seconds: 1_795_336_868 };

    /// A daemon with so many flows, which answers as many as it is asked for.
    fn with(total: u32) -> impl FnMut(&Query) -> Result<FlowPage, Failure> {
        move |query| {
            let last = query.offset.saturating_add(query.page_size()).min(total);
            let flows = (query.offset..last).map(|id| FlowView { id: Some(FlowId(id)), ..sample() }).collect();
            Ok(FlowPage { flows, total: u64::from(total) })
        }
    }

    #[test]
    fn pages_are_put_together() {
        for (total, wanted, listed) in [
            (0, 100, 0),
            (7, 100, 7),
            (340, 100, 100),
            (1700, usize::MAX, 1700),
            (1700, 1234, 1234),
            (500, 501, 500),
            (5, 0, 0),
        ] {
            let page = collect(Query::default(), wanted, with(total)).unwrap();
            let ids: Vec<u32> = page.flows.iter().filter_map(|flow| flow.id).map(|id| id.0).collect();
            assert_eq!(ids, (0..listed).collect::<Vec<_>>(), "{wanted} of {total}");
            assert_eq!(page.total, u64::from(total));
        }
    }

    #[test]
    fn flows_that_vanish_meanwhile_do_not_make_it_ask_for_ever() {
        let page = collect(Query::default(), usize::MAX, |_| Ok(FlowPage { flows: Vec::new(), total: 9 })).unwrap();
        assert!(page.flows.is_empty());
    }

    #[test]
    fn a_flow_is_a_line() {
        let flows = [
            sample(),
            FlowView {
                id: None,
                device: None,
                state: State::Allowed,
                destination: "192.0.2.1".into(),
                last_seen: Wall { seconds: 9 },
                ..sample()
            },
        ];
        assert_eq!(
            listing(&flows, NOW, Screen::PLAIN),
            "\
ID  STATE    DEVICE             SERVICE        DESTINATION  SEEN                      CONNECTIONS
12  pending  camera             tcp/443 https  any          3m ago                              7
 -  allowed  b8:27:eb:00:00:01  tcp/443 https  192.0.2.1    before the clock was set            7
"
        );
    }

    #[test]
    fn a_narrow_terminal_keeps_what_a_decision_needs() {
        let screen = Screen { width: Some(40), ..Screen::PLAIN };
        let text = listing(&[FlowView { device: Some("television in the bedroom".into()), ..sample() }], NOW, screen);
        assert_eq!(
            text,
            "\
ID  STATE    DEVICE     SERVICE   SEEN
12  pending  televisi…  tcp/443…  3m ago
"
        );
    }
}
