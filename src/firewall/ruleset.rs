//! The ruleset as nft text: a pure function of the plan.
//!
//! ```text
//! forward ─┐                         ┌─► deny     (decided: no)
//!          ├─► decide ─► … ask ──────┼─► unasked  (undecided, and nobody can be asked) ─► refuse
//! input ───┘                         └─► return   (on to fw4)
//! ```
//!
//! In guard placement `return` lets a packet through to fw4 and `refuse` drops what nobody has allowed. In fallback
//! placement nothing undecided is ever dropped here: a packet goes on to fw4 with our mark or without it.
//! The text is for nft 1.0.6 and later: no two closing braces on one line.

use std::fmt::Write;

use crate::config::settings::{DenyWith, FailMode, Placement};

use super::elements::{self, Element};
use super::includes::includes;
use super::matches::{baseline, interfaces, networks};
use super::plan::{Ask, Plan};
use super::set::{self, NO_MAC, TABLE};

/// The prefix of log records in guard placement.
pub const LOG_PREFIX: &str = "glacic: ";

/// New flows a second that one device may ask about, and how many at once.
const ASK_RATE: (u32, u32) = (100, 200);
/// The same for all devices together: what bounds those that invent hardware addresses.
const ASK_RATE_ALL: (u32, u32) = (1000, 2000);

/// `th dport` reads nonsense from any other protocol.
const WITH_PORTS: &str = "meta l4proto { tcp, udp, udplite, sctp, dccp } ether saddr . meta l4proto . th dport";
const NOT_OPENING: &str = "tcp flags & (fin | syn | rst | ack) != syn";

/// Every chain a table of ours can have, callers before the called.
const CHAINS: [&str; 6] = ["forward", "input", "decide", "unasked", "refuse", "deny"];

/// The whole table without elements. Loading it twice leaves one copy.
pub fn ruleset(plan: &Plan) -> String {
    whole(plan, &[])
}

/// The whole table and its elements, in place of any table of ours that is loaded.
pub fn whole(plan: &Plan, elements: &[Element]) -> String {
    let sets = set::definitions(plan.limits, |set| elements::listed(elements, set));
    format!("table inet {TABLE}\ndelete table inet {TABLE}\n{}", table(plan, &[sets, chains(plan)]))
}

/// The table with its sets and without chains: nothing of it is consulted yet.
pub fn sets(plan: &Plan) -> String {
    table(plan, &[set::definitions(plan.limits, |_| String::new())])
}

/// The chains alone, in place of the chains of a table that has our sets. One transaction: there is no moment without.
pub fn swap(plan: &Plan) -> String {
    let wanted: Vec<&str> = chain_list(plan).into_iter().map(|(name, _)| name).collect();
    let mut text = String::new();
    // A chain must exist to be flushed or deleted; adding one that exists changes nothing.
    let _ = writeln!(text, "table inet {TABLE} {{");
    for name in CHAINS {
        let _ = writeln!(text, "\tchain {name} {{\n{}\t}}", hook(name));
    }
    text.push_str("}\n");
    for name in CHAINS {
        let _ = writeln!(text, "flush chain inet {TABLE} {name}");
    }
    for name in CHAINS.iter().filter(|name| !wanted.contains(name)) {
        let _ = writeln!(text, "delete chain inet {TABLE} {name}");
    }
    text + &table(plan, &[chains(plan)])
}

/// The table and, marked by comments, each include: for people, and for those who include it by hand.
pub fn render_all(plan: &Plan) -> String {
    let mut text = format!("# --- the table of our own\n{}", ruleset(plan));
    for include in includes(plan) {
        let _ = write!(text, "# --- include at chain-post/{} of fw4\n{}", include.chain, include.text);
    }
    text
}

fn table(plan: &Plan, parts: &[String]) -> String {
    format!("table inet {TABLE} {{\n\tcomment \"{}\"\n{}}}\n", set::schema(plan.limits), parts.concat())
}

/// Callees first, hooks last.
fn chains(plan: &Plan) -> String {
    let mut text = String::new();
    for (name, rules) in chain_list(plan).into_iter().rev() {
        let _ = writeln!(text, "\tchain {name} {{\n{}", hook(name).trim_end_matches('\n'));
        for rule in rules {
            let _ = writeln!(text, "\t\t{rule}");
        }
        text.push_str("\t}\n");
    }
    text.replace("{\n\n", "{\n")
}

/// What makes a chain a base chain.
fn hook(chain: &str) -> String {
    match chain {
        "forward" | "input" => format!("\t\ttype filter hook {chain} priority filter - 10; policy accept;\n"),
        _ => String::new(),
    }
}

/// The chains this plan needs, each with its rules, in the order of [`CHAINS`].
fn chain_list(plan: &Plan) -> Vec<(&'static str, Vec<String>)> {
    let mut chains = vec![("forward", base(plan, Vec::new()))];
    if plan.guard_input {
        chains.push(("input", base(plan, never_refused(plan))));
    }
    chains.push(("decide", decide(plan)));
    if plan.placement == Placement::Guard {
        chains.push(("unasked", unasked(plan)));
        chains.push(("refuse", vec!["counter drop comment \"glacic: allowed by nobody\"".to_owned()]));
    }
    chains.push(("deny", deny(plan)));
    chains
}

/// A base chain: what reaches [`decide`].
fn base(plan: &Plan, exempt: Vec<String>) -> Vec<String> {
    let Some(guarded) = interfaces(plan.guarded.iter().map(|guarded| guarded.interface.as_str())) else {
        return vec!["return comment \"glacic: nothing is guarded\"".to_owned()];
    };
    let mut rules = vec![
        "ct state established,related,invalid return comment \"glacic: only the first packet is judged\"".to_owned(),
        format!("iifname != {guarded} return comment \"glacic: not guarded\""),
    ];
    let group_address = match plan.placement {
        Placement::Guard => "goto refuse",
        Placement::Fallback => {
            rules.push(format!(
                "meta mark & {0:#010x} != 0x00000000 meta mark set meta mark & {1:#010x} comment \"glacic: nobody else says what is allowed\"",
                plan.mark, !plan.mark
            ));
            "return"
        }
    };
    rules.extend(exempt);
    rules.extend([
        "ether saddr & 01:00:00:00:00:00 == 00:00:00:00:00:00 goto decide".to_owned(),
        format!("ether saddr & 01:00:00:00:00:00 != 00:00:00:00:00:00 {group_address} comment \"glacic: a group address is no device\""),
        format!("counter name {NO_MAC} comment \"glacic: no hardware address, no flow\""),
    ]);
    rules
}

/// What a device needs to have a network at all, and the owner to get in.
fn never_refused(plan: &Plan) -> Vec<String> {
    let mut rules = vec![
        "udp dport { 53, 67, 547 } return comment \"glacic: never DNS, DHCP, DHCPv6\"".to_owned(),
        "tcp dport 53 return comment \"glacic: never DNS\"".to_owned(),
        "meta l4proto 2 return comment \"glacic: never IGMP\"".to_owned(),
        "icmpv6 type { 130-137, 143 } return comment \"glacic: never neighbour or listener discovery\"".to_owned(),
    ];
    if plan.anti_lockout {
        rules.push("tcp dport { 22, 80, 443 } return comment \"glacic: anti_lockout\"".to_owned());
    }
    rules
}

fn decide(plan: &Plan) -> Vec<String> {
    let allow = match plan.placement {
        Placement::Guard => "accept".to_owned(),
        // `return` and not `accept`: the same in effect, and the mark is all that is meant.
        Placement::Fallback => format!("meta mark set meta mark | {:#010x} return", plan.mark),
    };
    let unasked = match plan.placement {
        Placement::Guard => "goto unasked",
        Placement::Fallback => "return",
    };
    let mut rules = vec![
        "update @dev4 { ether saddr . ip saddr }".to_owned(),
        "update @dev6 { ether saddr . ip6 saddr }".to_owned(),
        "ether saddr @blocked goto deny".to_owned(),
        format!("ether saddr @trusted {allow}"),
    ];
    for (selector, suffix) in [
        (WITH_PORTS, ""),
        ("meta l4proto icmp ether saddr . icmp type", "_icmp"),
        ("meta l4proto icmpv6 ether saddr . icmpv6 type", "_icmp6"),
        ("ether saddr . meta l4proto", "_proto"),
    ] {
        rules.push(format!("{selector} @denied{suffix} goto deny"));
        rules.push(format!("{selector} @allowed{suffix} {allow}"));
    }
    rules.extend(baseline(&plan.baseline).map(|matched| format!("{matched} {allow} comment \"glacic: baseline\"")));
    rules.extend(
        networks(&plan.ignore_networks).map(|matched| format!("{matched} return comment \"glacic: ignored network\"")),
    );
    rules.push(format!("{NOT_OPENING} {unasked} comment \"glacic: begins no connection\""));
    if let (Placement::Fallback, Ask::Log { .. }) = (plan.placement, plan.ask) {
        // fw4 refuses what is left, and the include behind it logs that.
        return rules;
    }
    let (rate, burst) = ASK_RATE;
    rules.push(format!(
        "update @flood {{ ether saddr limit rate over {rate}/second burst {burst} packets }} {unasked} comment \"glacic: this device asks too much\""
    ));
    let (rate, burst) = ASK_RATE_ALL;
    rules.push(format!(
        "limit rate over {rate}/second burst {burst} packets {unasked} comment \"glacic: all devices together ask too much\""
    ));
    match plan.ask {
        Ask::Queue { first, count } => rules.push(queue(first, count, plan.fail_mode)),
        Ask::Marked { mark, .. } => rules.push(format!("meta mark set meta mark | {mark:#x}")),
        Ask::Log { group } => {
            rules.push(format!("log group {group} prefix \"{LOG_PREFIX}\""));
            rules.push(unasked.to_owned());
        }
    }
    rules
}

fn queue(first: u16, count: u16, fail_mode: FailMode) -> String {
    let last = first.saturating_add(count.saturating_sub(1));
    let to = if last > first { format!("{first}-{last}") } else { first.to_string() };
    let flags = match (fail_mode, last > first) {
        (FailMode::Open, true) => "flags bypass,fanout ",
        (FailMode::Open, false) => "flags bypass ",
        (FailMode::Closed, true) => "flags fanout ",
        (FailMode::Closed, false) => "",
    };
    format!("queue {flags}to {to}")
}

/// Guard placement: undecided, and nobody holds the packet for an answer.
fn unasked(plan: &Plan) -> Vec<String> {
    if plan.learning {
        vec!["ether saddr @enforced goto refuse".to_owned()]
    } else {
        vec!["ether saddr @learners return".to_owned(), "goto refuse".to_owned()]
    }
}

fn deny(plan: &Plan) -> Vec<String> {
    let rules: &[&str] = match plan.deny_with {
        DenyWith::Drop => &["counter drop comment \"glacic: denied\""],
        DenyWith::Reject => &[
            "meta l4proto tcp counter reject with tcp reset comment \"glacic: denied\"",
            "counter reject with icmpx type admin-prohibited comment \"glacic: denied\"",
        ],
    };
    rules.iter().map(|rule| (*rule).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::plan::Guarded;
    use super::*;
    use crate::config::Settings;

    #[test]
    fn without_interfaces_nothing_is_judged() {
        let text = ruleset(&Plan::new(&Settings::default(), true, Vec::<Guarded>::new()));
        assert!(text.contains("return comment \"glacic: nothing is guarded\""));
        assert!(!text.contains("goto decide"));
    }

    #[test]
    fn a_queue_is_named_as_the_kernel_counts() {
        assert_eq!(queue(100, 1, FailMode::Open), "queue flags bypass to 100");
        assert_eq!(queue(100, 1, FailMode::Closed), "queue to 100");
        assert_eq!(queue(100, 4, FailMode::Open), "queue flags bypass,fanout to 100-103");
        assert_eq!(queue(100, 4, FailMode::Closed), "queue flags fanout to 100-103");
        assert_eq!(queue(u16::MAX, 4, FailMode::Closed), "queue to 65535");
    }

    #[test]
    fn no_line_closes_two_blocks() {
        let text = ruleset(&Plan::new(&Settings::default(), true, Vec::new()));
        assert!(!text.lines().any(|line| line.contains("} }")));
    }
}
