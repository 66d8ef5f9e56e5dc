//! Which flows a decision is about: from options to a selection, and what was decided in words.

use std::io::Write;

use super::Context;
use super::describe;
use super::exit::{Exit, Failure};
use super::screen::{print_json, visible};
use super::values::{PortChoice, Span};
use crate::control::client::{Client, Fault};
use crate::control::protocol::{Decided, Request};
use crate::flow::query::{Decision, Filter, Selection, Service};
use crate::flow::{FlowId, Port, Protocol, State};

/// Numbers in one request: with eleven characters each, it keeps to [`protocol::MAX_REQUEST`].
///
/// [`protocol::MAX_REQUEST`]: crate::control::protocol::MAX_REQUEST
const IDS_AT_ONCE: usize = 5000;

/// The options of `allow`, `deny` and `forget` that choose flows.
#[derive(Debug, Default)]
pub struct Choice {
    pub ids: Vec<u32>,
    pub pending: bool,
    pub state: Option<State>,
    pub device: Option<String>,
    pub proto: Option<Protocol>,
    pub port: Option<PortChoice>,
    pub newer_than: Option<Span>,
    pub idle_for: Option<Span>,
    pub search: Option<String>,
    pub all: bool,
    pub yes: bool,
}

impl Choice {
    /// What to ask for: one selection, or for everything one a state, because an empty filter is refused.
    fn selections(&self, decision: Decision) -> Result<Vec<Selection>, Failure> {
        let state = match (self.pending, self.state) {
            (true, Some(State::Allowed | State::Denied)) => {
                return Err(Failure::usage("--pending and --state contradict each other"));
            }
            (true, _) => Some(State::Pending),
            (false, state) => state,
        };
        let filter = Filter {
            state,
            device: self.device.clone(),
            proto: self.proto,
            port: self.port.and_then(|choice| choice.0.number()),
            newer_than: self.newer_than.map(|span| span.0.as_secs()),
            idle_for: self.idle_for.map(|span| span.0.as_secs()),
            search: self.search.clone(),
            ..Filter::default()
        };
        let filtered = filter != Filter::default() || self.port.is_some();
        if self.all {
            return match (filtered || !self.ids.is_empty(), self.yes) {
                (true, _) => Err(Failure::usage("--all means everything: leave out the numbers and the other options")),
                (false, false) => Err(Failure::usage(
                    "this forgets every flow and every decision; say `glacic forget --all --yes` if you mean it",
                )),
                (false, true) => Ok([State::Pending, State::Allowed, State::Denied]
                    .map(|state| Selection::Filter(Filter { state: Some(state), ..Filter::default() }))
                    .into()),
            };
        }
        if !self.ids.is_empty() {
            if filtered {
                return Err(Failure::usage("give either numbers of flows or options that choose them, not both"));
            }
            let mut ids: Vec<FlowId> = self.ids.iter().copied().map(FlowId).collect();
            ids.sort_unstable();
            ids.dedup();
            return Ok(ids.chunks(IDS_AT_ONCE).map(|ids| Selection::Ids(ids.to_vec())).collect());
        }
        if let Some(service) = self.service(&filter) {
            return Ok(vec![Selection::Service(service)]);
        }
        if self.port == Some(PortChoice(Port::Any)) {
            return Err(Failure::usage(
                "--port any is about one service: give --device and --proto with it, and no more",
            ));
        }
        if state.is_some() || (decision == Decision::Forget && filtered) {
            return Ok(vec![Selection::Filter(filter)]);
        }
        Err(Failure::usage(match filtered {
            true => {
                "say whether you mean one service (--device, --proto and --port together) or what is waiting \
                 (--pending, with any of the options)"
            }
            false => "say which: numbers as `glacic flows` prints them, or --pending, or --device, --proto and --port",
        }))
    }

    /// The one service that is meant, where nothing but its parts is given.
    fn service(&self, filter: &Filter) -> Option<Service> {
        let (device, proto) = (self.device.clone()?, self.proto?);
        let parts =
            Filter { device: filter.device.clone(), proto: filter.proto, port: filter.port, ..Filter::default() };
        let port = match self.port {
            Some(PortChoice(port)) => port,
            // There is but one flow of a protocol without ports.
            None if !proto.has_ports() && !proto.has_icmp_types() => Port::Number(0),
            None => return None,
        };
        (*filter == parts).then_some(Service { device, proto, port })
    }
}

/// Asks the daemon for the decision and says what it came to.
pub fn decide(
    context: &Context,
    decision: Decision,
    choice: &Choice,
    json: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let selections = choice.selections(decision)?;
    let mut client = Client::connect(&context.socket).map_err(|fault| match fault {
        // Nothing is decided behind the daemon's back: it owns the database, and the kernel would not know.
        Fault::NotRunning { .. } => {
            Failure::new(Exit::Unavailable, format!("nothing was decided, because {}", visible(&fault.to_string())))
        }
        fault => fault.into(),
    })?;
    let mut sum = Decided { matched: 0, changed: Vec::new(), changed_total: 0 };
    for selection in &selections {
        let decided: Decided = client.ask(&match decision {
            Decision::Allow => Request::FlowAllow(selection.clone()),
            Decision::Deny => Request::FlowDeny(selection.clone()),
            Decision::Forget => Request::FlowForget(selection.clone()),
        })?;
        sum.matched = sum.matched.saturating_add(decided.matched);
        sum.changed_total = sum.changed_total.saturating_add(decided.changed_total);
        sum.changed.extend(decided.changed);
    }
    sum.changed.truncate(Decided::SHOWN);
    match json {
        true => print_json(out, &sum),
        false => Ok(out.write_all(tell(decision, &sum).as_bytes())?),
    }
}

/// What was decided, in words.
fn tell(decision: Decision, decided: &Decided) -> String {
    let verb = match decision {
        Decision::Allow => "allowed",
        Decision::Deny => "denied",
        Decision::Forget => "forgot",
    };
    let unchanged = decided.matched.saturating_sub(decided.changed_total);
    if decided.changed_total == 0 {
        return match (unchanged, decision) {
            (0, _) => "no flow matches: nothing was changed\n".to_owned(),
            (1, Decision::Allow | Decision::Deny) => format!("1 flow was {verb} before: nothing was changed\n"),
            (many, Decision::Allow | Decision::Deny) => {
                format!("{many} flows were {verb} before: nothing was changed\n")
            }
            (many, Decision::Forget) => format!("{} could not be forgotten\n", describe::count(many, "flow")),
        };
    }
    let mut text = format!("{verb} {}:\n", describe::count(decided.changed_total, "flow"));
    for flow in &decided.changed {
        text.push_str(&format!("  {}\n", describe::flow(flow)));
    }
    let more = decided.changed_total.saturating_sub(decided.changed.len() as u64);
    if more > 0 {
        text.push_str(&format!("  and {more} more\n"));
    }
    if unchanged > 0 && decision != Decision::Forget {
        text.push_str(&format!("({unchanged} more had been {verb} before)\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::describe::tests::sample;
    use super::*;
    use crate::flow::view::FlowView;

    fn service() -> Choice {
        Choice {
            device: Some("camera".into()),
            proto: Some(Protocol::TCP),
            port: Some(PortChoice(Port::Number(443))),
            ..Choice::default()
        }
    }

    fn pending() -> Filter {
        Filter { state: Some(State::Pending), ..Filter::default() }
    }

    #[test]
    fn numbers_choose_those_flows() {
        let choice = Choice { ids: vec![13, 12, 13], ..Choice::default() };
        assert_eq!(choice.selections(Decision::Allow), Ok(vec![Selection::Ids(vec![FlowId(12), FlowId(13)])]));
    }

    #[test]
    fn however_many_numbers_keep_to_the_longest_request() {
        let choice = Choice { ids: (u32::MAX - 12_000..u32::MAX).collect(), ..Choice::default() };
        let selections = choice.selections(Decision::Allow).unwrap();
        let lengths = selections.into_iter().map(|selection| Request::FlowAllow(selection).to_line().len());
        assert!(lengths.max() < Some(crate::control::protocol::MAX_REQUEST));
    }

    #[test]
    fn device_protocol_and_port_name_a_service() {
        let named = |port| Service { device: "camera".into(), proto: Protocol::TCP, port };
        assert_eq!(service().selections(Decision::Deny), Ok(vec![Selection::Service(named(Port::Number(443)))]));
        let any = Choice { port: Some(PortChoice(Port::Any)), ..service() };
        assert_eq!(any.selections(Decision::Deny), Ok(vec![Selection::Service(named(Port::Any))]));
        let gre = Choice { proto: Some(Protocol(47)), port: None, ..service() };
        let Ok(selections) = gre.selections(Decision::Allow) else { panic!() };
        assert!(matches!(selections.as_slice(), [Selection::Service(Service { port: Port::Number(0), .. })]));
    }

    #[test]
    fn with_pending_the_same_options_are_a_filter() {
        let choice = Choice { pending: true, ..service() };
        let filter = Filter { device: Some("camera".into()), proto: Some(Protocol::TCP), port: Some(443), ..pending() };
        assert_eq!(choice.selections(Decision::Allow), Ok(vec![Selection::Filter(filter)]));
        let all = Choice { pending: true, ..Choice::default() };
        assert_eq!(all.selections(Decision::Allow), Ok(vec![Selection::Filter(pending())]));
    }

    #[test]
    fn forgetting_by_any_option_is_clear_enough() {
        let choice = Choice { device: Some("camera".into()), ..Choice::default() };
        assert!(choice.selections(Decision::Forget).is_ok());
        assert!(choice.selections(Decision::Allow).is_err());
    }

    #[test]
    fn everything_is_forgotten_only_when_confirmed() {
        let sure = Choice { all: true, yes: true, ..Choice::default() };
        let Ok(selections) = sure.selections(Decision::Forget) else { panic!() };
        assert_eq!(selections.len(), 3);
        assert!(!selections.contains(&Selection::Filter(Filter::default())));
        let unsure = Choice { yes: false, ..sure };
        let Err(Failure::Told { exit: Exit::Usage, message }) = unsure.selections(Decision::Forget) else { panic!() };
        assert!(message.contains("--yes"), "{message}");
    }

    #[test]
    fn what_is_unclear_is_refused() {
        for choice in [
            Choice::default(),
            Choice { ids: vec![1], pending: true, ..Choice::default() },
            Choice { ids: vec![1], port: Some(PortChoice(Port::Any)), ..Choice::default() },
            Choice { port: None, ..service() },
            Choice { port: Some(PortChoice(Port::Any)), pending: true, ..service() },
            Choice { pending: true, state: Some(State::Denied), ..Choice::default() },
            Choice { all: true, yes: true, ..service() },
        ] {
            let outcome = choice.selections(Decision::Allow);
            assert!(matches!(outcome, Err(Failure::Told { exit: Exit::Usage, .. })), "{choice:?}: {outcome:?}");
        }
    }

    #[test]
    fn what_was_done_is_told_in_words() {
        let decided = |matched, changed: Vec<FlowView>, changed_total| Decided { matched, changed, changed_total };
        assert_eq!(
            tell(Decision::Allow, &decided(1, vec![sample()], 1)),
            "allowed 1 flow:\n  12 camera tcp/443 https\n"
        );
        assert_eq!(
            tell(Decision::Deny, &decided(151, vec![sample()], 150)),
            "denied 150 flows:\n  12 camera tcp/443 https\n  and 149 more\n(1 more had been denied before)\n"
        );
        assert_eq!(tell(Decision::Deny, &decided(0, vec![], 0)), "no flow matches: nothing was changed\n");
        assert_eq!(tell(Decision::Allow, &decided(2, vec![], 0)), "2 flows were allowed before: nothing was changed\n");
        assert!(tell(Decision::Forget, &decided(1, vec![sample()], 1)).starts_with("forgot 1 flow:\n"));
    }
}
