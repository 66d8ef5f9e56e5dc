//! Every command of README.md is run, and must succeed and print what README says it prints.
//!
//! A block of language `sh` runs in the source tree. After `<!-- at home -->` it runs inside `scripts/home`, all such
//! blocks in one shell. After `<!-- not run: REASON -->` it is not run. A `text` block that follows is its output: numbers
//! and blanks may differ, and a line `…` stands for any lines.
//! `scripts/demo` and `scripts/test` take minutes and are run by others (this is one of the tests of `scripts/test`): here
//! they only have to be there and to tell about themselves.

use std::process::{Command, Stdio};

use super::markdown::{Block, blocks};
use super::{document, root};

/// Stands between the outputs of two blocks.
const NEXT: &str = "@@ next block";
const AT_HOME: &str = "at home";
const NOT_RUN: &str = "not run: ";
/// Blocks that may go without being run.
const MOST_NOT_RUN: usize = 2;

/// A block of commands and what README says that it prints.
struct Step {
    commands: Block,
    output: Option<Block>,
}

fn steps() -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for block in blocks(&document("README.md")) {
        match block.language.as_str() {
            "sh" => steps.push(Step { commands: block, output: None }),
            "text" if block.follows => {
                let before = steps.last_mut().expect("output stands behind commands");
                before.output = Some(block);
            }
            _ => {}
        }
    }
    steps
}

/// Runs these steps one after the other in one shell, as the arguments of `program`.
fn run(program: &[&str], steps: &[&Step]) {
    let mut script = String::from("set -eu\nexec 2>&1\n");
    for step in steps {
        script += &format!("{}echo '{NEXT}'\n", brief(&step.commands.text));
    }
    let mut command = Command::new(program[0]);
    command.args(&program[1..]).args(["sh", "-c", &script]);
    // The program of this build, by the name README calls it.
    let built = std::path::Path::new(env!("CARGO_BIN_EXE_glacic"));
    let path = std::env::var("PATH").unwrap_or_default();
    let folder = built.parent().expect("a program lies in a folder").display();
    command.env("PATH", format!("{folder}:{path}:/usr/sbin:/sbin")).env("GLACIC_BIN", built).env("NO_COLOR", "1");
    command.current_dir(root()).stdin(Stdio::null());
    let ended = command.output().unwrap_or_else(|fault| panic!("cannot run {}: {fault}", program[0]));
    let printed = String::from_utf8_lossy(&ended.stdout);
    let mut outputs: Vec<&str> = printed.split(&format!("{NEXT}\n")).collect();
    // What stands behind the last mark, or what the block printed that failed.
    let rest = outputs.pop().unwrap_or_default();
    if let Some(failed) = steps.get(outputs.len()) {
        let Block { line, text, .. } = &failed.commands;
        let errors = String::from_utf8_lossy(&ended.stderr);
        panic!("README.md, line {line}: these commands fail:\n{text}\nThey print:\n{rest}{errors}");
    }
    assert!(ended.status.success(), "{}: {rest}{}", ended.status, String::from_utf8_lossy(&ended.stderr));
    for (step, printed) in steps.iter().zip(outputs) {
        let Some(said) = &step.output else { continue };
        assert!(
            agrees(&said.text, printed),
            "README.md, line {}, says:\n{}\nbut it prints:\n{printed}",
            said.line,
            said.text
        );
    }
}

/// The commands, those that take minutes replaced by the proof that they are there.
fn brief(commands: &str) -> String {
    let replaced = commands.lines().map(|line| match line {
        "./scripts/demo" => "./scripts/demo --help >/dev/null",
        "./scripts/test" => "./scripts/test --list >/dev/null",
        line => line,
    });
    replaced.map(|line| format!("{line}\n")).collect()
}

/// Whether output is as it was said to be.
fn agrees(said: &str, printed: &str) -> bool {
    let printed: Vec<String> = printed.lines().map(plain).collect();
    let said: Vec<String> = said.lines().map(plain).collect();
    let mut parts = said.split(|line| line == "…");
    let first = parts.next().unwrap_or_default();
    let Some(mut left) = printed.strip_prefix(first) else { return false };
    let mut open_end = false;
    for part in parts {
        let Some(place) = (0..=left.len()).find(|place| left[*place..].starts_with(part)) else { return false };
        left = &left[place + part.len()..];
        open_end = part.is_empty();
    }
    open_end || left.is_empty()
}

/// A line with one 0 for every number, one blank for several, and one way of saying when.
fn plain(line: &str) -> String {
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ").replace("just now", "1s ago");
    let mut plain = String::new();
    for character in line.chars() {
        match character.is_ascii_digit() {
            true if plain.ends_with('0') => {}
            true => plain.push('0'),
            false => plain.push(character),
        }
    }
    plain
}

#[test]
fn its_commands_run_and_print_what_it_says() {
    let steps = steps();
    let marked = |mark: &str| steps.iter().filter(|s| s.commands.comment.as_deref() == Some(mark)).collect::<Vec<_>>();
    let in_tree: Vec<&Step> = steps.iter().filter(|step| step.commands.comment.is_none()).collect();
    let at_home = marked(AT_HOME);
    assert!(in_tree.len() > 2 && at_home.len() > 2, "README.md has lost its commands");
    run(&["env"], &in_tree);
    run(&["scripts/home"], &at_home);
}

#[test]
fn nearly_all_of_its_commands_are_run() {
    let mut skipped = 0;
    for Step { commands, .. } in steps() {
        match commands.comment.as_deref() {
            None | Some(AT_HOME) => {}
            Some(comment) => {
                let reason = comment.strip_prefix(NOT_RUN).unwrap_or_default();
                assert!(!reason.is_empty(), "README.md, line {}: {comment:?} is no mark", commands.line);
                skipped += 1;
            }
        }
    }
    assert!(skipped <= MOST_NOT_RUN, "{skipped} blocks of README.md are not run");
}

#[test]
fn the_two_commands_of_a_fresh_machine_are_there() {
    let text: String = steps().into_iter().map(|step| step.commands.text).collect();
    for script in ["./scripts/demo\n", "./scripts/test\n"] {
        assert!(text.contains(script), "{script}");
    }
}

#[test]
fn outputs_differ_in_what_is_not_the_same_twice() {
    assert!(agrees("ID  SEEN\n 1  3s ago\n", "ID SEEN\n12 just now\n"));
    assert!(agrees("a\n…\nc\n", "a\nb\nb\nc\n") && agrees("a\n…\n", "a\nb\n"));
    for (said, printed) in [("a\n", "b\n"), ("a\n", "a\nb\n"), ("a\nb\n", "a\n"), ("a\n…\nc\n", "a\nb\n")] {
        assert!(!agrees(said, printed), "{said:?} {printed:?}");
    }
}
