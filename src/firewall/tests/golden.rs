//! Every combination of settings against the text it should give, in the folder `cases`.
//!
//! `cases/sets.nft` holds the table before it judges anything. Every other file is one combination of placement, mode, `fail_mode` and
//! learning. At its head stands which chains and includes each combination of interfaces, `deny_with` and `guard_input`
//! has, by name and number; below, each of them once. `GLACIC_BLESS=1 cargo test firewall::` rewrites the folder, and
//! `GLACIC_RULESETS=FOLDER` writes every combination in full, to be loaded elsewhere.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::config::settings::{Baseline, DenyWith, FailMode, Placement};
use crate::flow::{Port, Protocol};

use super::support::{guarded, in_namespace, judgeable, kernel_queues, must, plan};
use crate::firewall::includes::includes;
use crate::firewall::plan::{Ask, Plan};
use crate::firewall::ruleset::{ruleset, sets, swap};

/// An element that leads to a chain.
const DENIED: &str = "{ 02:00:00:00:00:01 . tcp . 443 : goto deny }";

/// One file.
struct Case {
    name: String,
    plan: Plan,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for placement in [Placement::Guard, Placement::Fallback] {
        for ask in [Ask::Queue { first: 100, count: 1 }, Ask::Log { group: 100 }] {
            for fail_mode in [FailMode::Open, FailMode::Closed] {
                for learning in [true, false] {
                    let name = [
                        if placement == Placement::Guard { "guard" } else { "fallback" },
                        if matches!(ask, Ask::Queue { .. }) { "queue" } else { "log" },
                        if fail_mode == FailMode::Open { "open" } else { "closed" },
                        if learning { "learning" } else { "enforcing" },
                    ];
                    let plan = Plan { placement, ask, fail_mode, learning, ..plan() };
                    cases.push(Case { name: name.join("-"), plan });
                }
            }
        }
    }
    cases
}

/// The plan of a file, and in the order of the file its variants, each with its name.
fn variants(plan: &Plan) -> Vec<(String, Plan)> {
    let mut variants = Vec::new();
    for several in [false, true] {
        for deny_with in [DenyWith::Drop, DenyWith::Reject] {
            for guard_input in [false, true] {
                let mut plan = Plan { deny_with, guard_input, ..plan.clone() };
                if several {
                    plan.anti_lockout = false;
                    plan.guarded = vec![
                        guarded("br-guest", Some("guest"), true),
                        guarded("br-lan", Some("lan"), false),
                        guarded("eth0.7", None, false),
                    ];
                    if let Ask::Queue { count, .. } = &mut plan.ask {
                        *count = 2;
                    }
                    plan.baseline =
                        [(17, Port::Number(123)), (6, Port::Number(123)), (1, Port::Number(8)), (50, Port::Any)]
                            .map(|(protocol, port)| Baseline { protocol: Protocol(protocol), port })
                            .to_vec();
                }
                let name = [
                    if several {
                        "several interfaces (two queues, a baseline, no anti_lockout)"
                    } else {
                        "one interface"
                    },
                    if deny_with == DenyWith::Drop { "drop" } else { "reject" },
                    if guard_input { "guard_input" } else { "forward only" },
                ];
                variants.push((name.join("; "), plan));
            }
        }
    }
    variants
}

/// The blocks of a plan's chains and includes, each with its name.
fn blocks(plan: &Plan) -> Vec<(String, String)> {
    let text = ruleset(plan);
    let chains = text.find("\tchain").map_or("", |start| &text[start..]);
    let chains = chains.strip_suffix("}\n").unwrap().split_inclusive("\t}\n").map(str::to_owned);
    let includes =
        includes(plan).into_iter().map(|include| format!("# chain-post/{}\n{}", include.chain, include.text));
    let name = |block: &str| block.split_whitespace().nth(1).unwrap().trim_start_matches("chain-post/").to_owned();
    let chains = chains.map(|block| (name(&block), block));
    chains.chain(includes.map(|block| (format!("post-{}", name(&block)), block))).collect()
}

/// What stands in a file: which blocks each variant has, then every block once.
fn golden(plan: &Plan) -> String {
    let (mut table, mut text) = (String::new(), String::new());
    let mut seen: Vec<(String, String)> = Vec::new();
    for (variant, plan) in variants(plan) {
        let _ = write!(table, "# {variant}:");
        for (name, block) in blocks(&plan) {
            let of_name = |seen: &[(String, String)]| seen.iter().filter(|(other, _)| *other == name).count();
            if !seen.iter().any(|(_, other)| *other == block) {
                let _ = write!(text, "\n# {name} {}\n{block}", of_name(&seen) + 1);
                seen.push((name.clone(), block.clone()));
            }
            let number = seen.iter().filter(|(other, _)| *other == name).position(|(_, other)| *other == block);
            let _ = write!(table, " {name} {}", number.unwrap() + 1);
        }
        table.push('\n');
    }
    table + &text
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/firewall/tests/cases")
}

fn compare(file: &str, text: &str) {
    let path = folder().join(file);
    if std::env::var_os("GLACIC_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(text == expected, "{file} differs; GLACIC_BLESS=1 rewrites it, git diff shows how. Now:\n{text}");
}

#[test]
fn every_combination_gives_the_text_in_its_file() {
    compare("sets.nft", &sets(&plan()));
    for case in cases() {
        compare(&format!("{}.nft", case.name), &golden(&case.plan));
    }
}

#[test]
fn no_file_is_left_over() {
    let mut expected: Vec<String> = cases().iter().map(|case| format!("{}.nft", case.name)).collect();
    expected.push("sets.nft".to_owned());
    for entry in std::fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(expected.contains(&name), "{name} belongs to no case");
    }
}

#[test]
fn the_kernel_takes_every_combination() {
    in_namespace(|| {
        if !kernel_queues() {
            eprintln!("this kernel has no nft queue: judged with a mark in its place");
        }
        for case in cases() {
            for (name, plan) in variants(&case.plan) {
                let wrapped = |include: &crate::firewall::Include| {
                    format!("table inet fw4 {{\n\tchain {} {{\n{}\t}}\n}}\n", include.chain, include.text)
                };
                let includes: String = includes(&plan).iter().map(wrapped).collect();
                if let Some(folder) = std::env::var_os("GLACIC_RULESETS") {
                    let file = format!("{}-{}.nft", case.name, name.replace([';', ' ', ','], "-").replace("--", "-"));
                    std::fs::write(Path::new(&folder).join(file), ruleset(&plan) + &includes).unwrap();
                }
                must("nft", &["-c", "-f", "-"], &judgeable(&(ruleset(&plan) + &includes)));
            }
        }
    });
}

/// From every combination to the next: the same sets stay, only chains change.
#[test]
fn chains_swap_from_any_combination_to_any_other() {
    in_namespace(|| {
        must("nft", &["-f", "-"], &sets(&plan()));
        must("nft", &["add", "element", "inet", "glacic", "flows", DENIED], "");
        for case in cases() {
            for (name, plan) in variants(&case.plan).into_iter().step_by(3) {
                must("nft", &["-f", "-"], &judgeable(&swap(&plan)));
                let loaded = must("nft", &["list", "table", "inet", "glacic"], "");
                must("nft", &["-f", "-"], &judgeable(&ruleset(&plan)));
                let fresh = must("nft", &["list", "table", "inet", "glacic"], "");
                must("nft", &["add", "element", "inet", "glacic", "flows", DENIED], "");
                let element = "02:00:00:00:00:01 . tcp . 443 counter packets 0 bytes 0 : goto deny";
                assert!(loaded.contains(element), "{name}: the swap lost an element");
                assert_eq!(chains_of(&loaded), chains_of(&fresh), "{}: {name}", case.name);
            }
        }
    });
}

fn chains_of(listing: &str) -> std::collections::BTreeSet<String> {
    let chains = listing.split("\n\tchain ").skip(1);
    chains.map(|chain| chain.trim_end_matches(['}', '\n', '\t', ' ']).to_owned()).collect()
}
