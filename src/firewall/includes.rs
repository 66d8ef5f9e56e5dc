//! What fallback placement adds to fw4's own chains: accept what carries our mark, and in log mode log and drop what fw4 is
//! about to refuse. Pure; guard placement adds nothing.
//!
//! They stand behind everything fw4 accepts, so they can open what glacic allowed and nothing else: a packet's mark is
//! cleared when it arrives from a guarded interface, and set by our table or by a verdict.

use std::collections::BTreeMap;
use std::fmt::Write;

use ipnet::IpNet;

use crate::config::settings::Placement;

use super::matches::{Destinations, Family, destinations, interfaces};
use super::plan::{Ask, Plan, Zone};

/// Log records a second and at once: what bounds a flood in log mode. What exceeds it is dropped unlogged.
const LOG_RATE: (u32, u32) = (500, 1000);

/// The comment of the rule that opens, found again in fw4's loaded chain.
pub const ACCEPT_COMMENT: &str = "glacic: allowed flow";

/// Text for the end of one of fw4's chains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Include {
    /// `forward`, or `input_lan` and the like.
    pub chain: String,
    pub text: String,
}

/// The includes of a plan; none in guard placement or where nothing is guarded.
pub fn includes(plan: &Plan) -> Vec<Include> {
    if plan.placement == Placement::Guard {
        return Vec::new();
    }
    let mut includes = Vec::new();
    if let Some(guarded) = interfaces(plan.guarded.iter().map(|guarded| guarded.interface.as_str())) {
        includes.push(Include { chain: "forward".to_owned(), text: text(plan, &guarded, "DROP_FWD: ") });
    }
    if !plan.guard_input {
        return includes;
    }
    let mut zones: BTreeMap<&Zone, Vec<&str>> = BTreeMap::new();
    for guarded in plan.guarded.iter().filter(|guarded| guarded.input_refused) {
        if let Some(zone) = &guarded.zone {
            zones.entry(zone).or_default().push(guarded.interface.as_str());
        }
    }
    for (zone, names) in zones {
        if let Some(guarded) = interfaces(names.into_iter()) {
            let chain = format!("input_{}", zone.as_str());
            includes.push(Include { chain, text: text(plan, &guarded, "DROP_IN: ") });
        }
    }
    includes
}

fn text(plan: &Plan, guarded: &str, prefix: &str) -> String {
    let mark = plan.mark;
    let mut text =
        format!("iifname {guarded} meta mark & {mark:#010x} == {mark:#010x} accept comment \"{ACCEPT_COMMENT}\"\n");
    let Ask::Log { group } = plan.ask else { return text };
    let (rate, burst) = LOG_RATE;
    let outside = outside(&plan.ignore_networks);
    for condition in &outside {
        let _ = writeln!(
            text,
            "iifname {guarded} {condition}limit rate {rate}/second burst {burst} packets log group {group} prefix \"{prefix}\" comment \"glacic: undecided\""
        );
    }
    for condition in &outside {
        let _ = writeln!(text, "iifname {guarded} {condition}counter drop comment \"glacic: undecided\"");
    }
    text
}

/// What matches every destination outside of these networks: those are left to fw4 and not recorded.
fn outside(ignored: &[IpNet]) -> Vec<String> {
    if ignored.is_empty() {
        return vec![String::new()];
    }
    let of_family = |family: Family| match destinations(ignored, family) {
        Destinations::None => Some(format!("meta nfproto {} ", family.name())),
        Destinations::All => None,
        Destinations::Some(networks) => Some(format!("{} != {{ {networks} }} ", family.field())),
    };
    Family::BOTH.into_iter().filter_map(of_family).collect()
}
