//! Completion for fish: a line an option.

use std::fmt::Write;

use argh::{CommandInfoWithArgs, FlagInfo, FlagInfoKind};

use super::super::help::{common_flags, summary};
use super::{Values, value_of, values};

pub fn script(whole: &CommandInfoWithArgs) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
    let value = |values: Values| match values {
        Values::Words(words) => format!(" -x -a '{words}'"),
        Values::Paths => " -r -F".to_owned(),
        Values::Free => " -x".to_owned(),
    };
    let option = |flag: &FlagInfo<'static>| {
        let short = flag.short.map(|short| format!(" -s {short}")).unwrap_or_default();
        let value = value_of(flag).map(value).unwrap_or_default();
        format!("{short} -l {}{value} -d {}", flag.long.trim_start_matches("--"), quoted(flag.description))
    };
    let mut script = "# fish completion of glacic\ncomplete -c glacic -f\n".to_owned();
    for flag in common_flags(whole) {
        let _ = writeln!(script, "complete -c glacic{}", option(flag));
    }
    for flag in whole.flags.iter().filter(|flag| matches!(flag.kind, FlagInfoKind::Switch)) {
        let _ = writeln!(script, "complete -c glacic -n __fish_use_subcommand{}", option(flag));
    }
    for command in &whole.commands {
        let name = command.name;
        let told = quoted(summary(&command.command));
        let _ = writeln!(script, "complete -c glacic -n __fish_use_subcommand -a {name} -d {told}");
        for flag in command.command.flags {
            let _ = writeln!(script, "complete -c glacic -n '__fish_seen_subcommand_from {name}'{}", option(flag));
        }
        for positional in command.command.positionals {
            let offered = match values(positional.name) {
                Values::Words(words) => format!(" -a '{words}'"),
                Values::Paths => " -F".to_owned(),
                Values::Free => continue,
            };
            let _ = writeln!(script, "complete -c glacic -n '__fish_seen_subcommand_from {name}'{offered}");
        }
    }
    script
}
