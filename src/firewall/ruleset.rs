//! The ruleset as nft text: a pure function of the plan.
//!
//! ```text
//! output ──┬─► ended4, ended6: answers to what a denial has ended ──► ended
//! forward ─┤  whole_devices, flows: decided ──► accept, allow (marked, then accepted) or deny
//! input ───┴─► decide ─► flows_icmp… ─► ask ─┬─► unasked  (undecided, and nobody can be asked) ─► refuse
//!                                            └─► return   (on to fw4)
//! ```
//!
//! The order is that of how often it is needed: a decided flow of the usual kind meets two lookups and nothing else. What
//! only the undecided need (which addresses a device has, whether its own is one) stands behind them.
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
use super::set::{self, ALLOW, Answer, DENY, ENDED4, ENDED6, NO_MAC, TABLE};

/// The prefix of log records in guard placement.
pub const LOG_PREFIX: &str = "glacic: ";

/// New flows a second that one device may ask about, and how many at once.
const ASK_RATE: (u32, u32) = (100, 200);
/// The same for all devices together: what bounds those that invent hardware addresses.
const ASK_RATE_ALL: (u32, u32) = (1000, 2000);

/// The usual ways of being decided. `th dport` reads nonsense from protocols without ports: no element has such a protocol.
const DECIDED: [&str; 2] = [
    "ether saddr vmap @whole_devices comment \"glacic: decided devices\"",
    "ether saddr . meta l4proto . th dport vmap @flows comment \"glacic: decided flows\"",
];
/// What every base chain begins with.
const ONGOING: &str = "ct state established,related return comment \"glacic: only the first packet is judged\"";
const NOT_OPENING: &str = "tcp flags & (fin | syn | rst | ack) != syn";

/// Every chain a table of ours can have, callers before the called.
const CHAINS: [&str; 9] = ["forward", "input", "output", "decide", "unasked", "refuse", "ended", ALLOW, DENY];
/// Those of them that elements of the sets lead to: they are there before these, and cannot be deleted.
const LED_TO: [&str; 2] = [ALLOW, DENY];

/// The whole table without elements. Loading it twice leaves one copy.
pub fn ruleset(plan: &Plan) -> String {
    whole(plan, &[])
}

/// The whole table and its elements, in place of any table of ours that is loaded.
pub fn whole(plan: &Plan, elements: &[Element]) -> String {
    let sets = set::definitions(plan.limits, |set| elements::listed(elements, set, plan.placement));
    format!("table inet {TABLE}\ndelete table inet {TABLE}\n{}", table(plan, &[sets, chains(plan)]))
}

/// The table with its sets and the chains they lead to, which are empty: nothing of it is consulted yet.
pub fn sets(plan: &Plan) -> String {
    let led_to = chain_list(plan).into_iter().filter(|(name, _)| LED_TO.contains(name));
    let empty: String = led_to.map(|(name, _)| format!("\tchain {name} {{\n\t}}\n")).collect();
    table(plan, &[empty, set::definitions(plan.limits, |_| String::new())])
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
    format!("table inet {TABLE} {{\n\tcomment \"{}\"\n{}}}\n", set::schema(plan), parts.concat())
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
        "forward" | "input" | "output" => {
            format!("\t\ttype filter hook {chain} priority filter - 10; policy accept;\n")
        }
        _ => String::new(),
    }
}

/// The chains this plan needs, each with its rules, in the order of [`CHAINS`].
fn chain_list(plan: &Plan) -> Vec<(&'static str, Vec<String>)> {
    let guarded = interfaces(plan.guarded.iter().map(|guarded| guarded.interface.as_str()));
    let ended = guarded.as_ref().map(|guarded| ended(guarded)).unwrap_or_default();
    let mut chains = vec![("forward", base(plan, guarded.as_deref(), ended.clone(), Vec::new()))];
    if plan.guard_input {
        chains.push(("input", base(plan, guarded.as_deref(), Vec::new(), never_refused(plan))));
        chains.push(("output", [vec![ONGOING.to_owned()], never_ended(plan), ended].concat()));
    }
    chains.push(("decide", decide(plan)));
    if plan.placement == Placement::Guard {
        chains.push(("unasked", unasked(plan)));
        chains.push(("refuse", vec!["counter drop comment \"glacic: allowed by nobody\"".to_owned()]));
    }
    if plan.placement == Placement::Fallback {
        // What follows is the end of the base chain, and fw4. Without a connection there is no translation of addresses
        // either: what belongs to none is not opened.
        let mark =
            format!("ct state != invalid meta mark set meta mark | {:#010x} comment \"glacic: allowed\"", plan.mark);
        chains.push((ALLOW, vec![mark]));
    }
    if guarded.is_some() {
        chains.push(("ended", drop_as_denied(plan, "answers what a denial has ended")));
    }
    chains.push((DENY, drop_as_denied(plan, "denied")));
    chains
}

/// A base chain: what is decided, and what reaches [`decide`].
fn base(plan: &Plan, guarded: Option<&str>, ended: Vec<String>, exempt: Vec<String>) -> Vec<String> {
    let Some(guarded) = guarded else {
        return vec!["return comment \"glacic: nothing is guarded\"".to_owned()];
    };
    let mut rules = vec![ONGOING.to_owned()];
    rules.extend(ended);
    rules.push(format!("iifname != {guarded} return comment \"glacic: not guarded\""));
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
    rules.extend(DECIDED.map(str::to_owned));
    rules.extend([
        "ether saddr & 01:00:00:00:00:00 == 00:00:00:00:00:00 goto decide".to_owned(),
        format!("ether saddr & 01:00:00:00:00:00 != 00:00:00:00:00:00 {group_address} comment \"glacic: a group address is no device\""),
        format!("counter name {NO_MAC} comment \"glacic: no hardware address, no flow\""),
    ]);
    rules
}

/// When a denial ends a connection, the other end does not know: what it sends then, an answer under way or a repetition, is
/// the first packet of a connection to the kernel, and the device's own packets would be answers in that. It stays ended for
/// as long as the other end goes on, and an hour.
fn ended(guarded: &str) -> Vec<String> {
    let rule = |family, set| {
        let key = format!("{family} saddr . {family} daddr . meta l4proto . th sport . th dport");
        format!("oifname {guarded} {key} @{set} update @{set} {{ {key} }} goto ended")
    };
    vec![rule("ip", ENDED4), rule("ip6", ENDED6)]
}

/// What the router says whatever is denied: it is not asked about either, see [`never_refused`].
fn never_ended(plan: &Plan) -> Vec<String> {
    let mut rules = vec![
        "udp sport { 53, 67, 547 } return comment \"glacic: never DNS, DHCP, DHCPv6\"".to_owned(),
        "tcp sport 53 return comment \"glacic: never DNS\"".to_owned(),
    ];
    if plan.anti_lockout {
        rules.push("tcp sport { 22, 80, 443 } return comment \"glacic: anti_lockout\"".to_owned());
    }
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
    let allow = Answer::Allow.verdict(plan.placement);
    let unasked = match plan.placement {
        Placement::Guard => "goto unasked",
        Placement::Fallback => "return",
    };
    let mut rules = [
        "meta l4proto icmp ether saddr . icmp type vmap @flows_icmp comment \"glacic: decided flows\"",
        "meta l4proto icmpv6 ether saddr . icmpv6 type vmap @flows_icmp6 comment \"glacic: decided flows\"",
        "ether saddr . meta l4proto vmap @flows_proto comment \"glacic: decided flows\"",
        "update @dev4 { ether saddr . ip saddr } comment \"glacic: whose addresses these are\"",
        "update @dev6 { ether saddr . ip6 saddr } comment \"glacic: whose addresses these are\"",
    ]
    .map(str::to_owned)
    .to_vec();
    rules.extend(baseline(&plan.baseline).map(|matched| format!("{matched} {allow} comment \"glacic: baseline\"")));
    rules.extend(
        networks(&plan.ignore_networks).map(|matched| format!("{matched} return comment \"glacic: ignored network\"")),
    );
    // Neither makes a flow; but it can carry something, so what is decided about its device and its service comes first.
    rules.push(format!("ct state invalid {unasked} comment \"glacic: belongs to no connection\""));
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

fn drop_as_denied(plan: &Plan, why: &str) -> Vec<String> {
    match plan.deny_with {
        DenyWith::Drop => vec![format!("counter drop comment \"glacic: {why}\"")],
        DenyWith::Reject => vec![
            format!("meta l4proto tcp counter reject with tcp reset comment \"glacic: {why}\""),
            format!("counter reject with icmpx type admin-prohibited comment \"glacic: {why}\""),
        ],
    }
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
