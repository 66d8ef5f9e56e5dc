//! `glacic check`: every problem of a configuration in one run.

use std::io::Write;
use std::path::PathBuf;

use argh::{ArgsInfo, FromArgs};

use super::Context;
use super::describe;
use super::exit::{self, Exit, Failure};
use super::screen::{Screen, Tone, painted, print_json, visible};
use crate::config::{Outcome, Settings, Severity};
#[cfg(target_os = "linux")]
use crate::firewall;

/// Checks a configuration and names every problem with its line, and on a router what cannot be guarded there. Changes nothing.
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(
    subcommand,
    name = "check",
    example = "glacic check",
    example = "glacic check ./glacic && cp ./glacic /etc/config/glacic",
    note = "The exit code is 0 if there is no error (warnings are none), 78 if there is one, and 66, 74 or 77 if the file cannot be read."
)]
pub struct Check {
    /// file to check (default: what --config says)
    #[argh(positional, arg_name = "file")]
    pub file: Option<PathBuf>,

    /// print one JSON document
    #[argh(switch)]
    pub json: bool,
}

impl Check {
    pub fn run(self, context: &Context, out: &mut dyn Write) -> Result<(), Failure> {
        let file = self.file.as_ref().unwrap_or(&context.config);
        let outcome = crate::config::load(file).map_err(|error| exit::of_reading(file, &error))?;
        let here = outcome.settings.as_ref().map(here).unwrap_or_default();
        match self.json {
            true => print_json(
                out,
                &serde_json::json!({
                    "file": outcome.file,
                    "valid": outcome.settings.is_some(),
                    "problems": outcome.problems,
                    "here": here,
                }),
            )?,
            false => out.write_all(report(&outcome, &here, context.screen).as_bytes())?,
        }
        match outcome.settings {
            Some(_) => Ok(()),
            None => Err(Failure::Silent(Exit::Config)),
        }
    }
}

/// What would not be as it is wanted on this router; elsewhere nothing can be said.
#[cfg(target_os = "linux")]
fn here(settings: &Settings) -> Vec<String> {
    firewall::here::shortcomings(settings, &firewall::Tools::default())
}

#[cfg(not(target_os = "linux"))]
fn here(_settings: &Settings) -> Vec<String> {
    Vec::new()
}

/// A line a problem, as compilers write them, and a line for the whole.
fn report(outcome: &Outcome, here: &[String], screen: Screen) -> String {
    let file = visible(&outcome.file);
    let mut text = String::new();
    for sentence in here {
        text.push_str(&format!("{}: {}\n", painted(screen, Tone::Waiting, "on this router"), visible(sentence)));
    }
    for problem in &outcome.problems {
        let (word, tone) = match problem.severity {
            Severity::Error => ("error", Tone::Bad),
            Severity::Warning => ("warning", Tone::Waiting),
            Severity::Note => ("note", Tone::Plain),
        };
        let (line, column, message) = (problem.line, problem.column, visible(&problem.message));
        text.push_str(&format!("{file}:{line}:{column}: {}: {message}\n", painted(screen, tone, word)));
    }
    let counted = [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Note, "note")]
        .map(|(severity, word)| (outcome.count(severity), word))
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| describe::count(count as u64, word))
        .collect::<Vec<_>>();
    match counted.is_empty() {
        true => text.push_str(&format!("{file}: no problems\n")),
        false => text.push_str(&format!("{file}: {}\n", counted.join(", "))),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_a_line_with_its_place() {
        let text = b"config rule_learning 'main'\n\toption inline_mode '2'\n\toption \x1bqueues '99'\n";
        let outcome = crate::config::read(text, "x");
        let told = report(&outcome, &[], Screen::PLAIN);
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines.len(), outcome.problems.len() + 1);
        assert!(lines.iter().any(|line| line.starts_with("x:2:") && line.contains(": error: ")), "{told}");
        assert!(lines.last().is_some_and(|line| line.starts_with("x: ") && line.contains("error")), "{told}");
        assert!(!told.contains('\x1b'), "{told:?}");
    }

    #[test]
    fn a_good_file_is_called_so() {
        assert_eq!(
            report(&Outcome { file: "x".into(), settings: None, problems: vec![] }, &[], Screen::PLAIN),
            "x: no problems\n"
        );
    }

    #[test]
    fn what_cannot_be_on_this_router_is_told_first() {
        let outcome = Outcome { file: "x".into(), settings: None, problems: vec![] };
        let here = ["zone wan is not guarded: it is masqueraded".to_owned()];
        let told = report(&outcome, &here, Screen::PLAIN);
        assert_eq!(told, "on this router: zone wan is not guarded: it is masqueraded\nx: no problems\n");
    }
}
