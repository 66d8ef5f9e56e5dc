//! Completion for zsh: specifications of `_arguments`.

use std::fmt::Write;

use argh::{CommandInfoWithArgs, FlagInfo, FlagInfoKind};

use super::super::help::{common_flags, summary};
use super::{Values, joined, spellings, values};

pub fn script(whole: &CommandInfoWithArgs) -> String {
    // In a specification brackets and colons mean something, and so does the quote around it.
    let plain = |text: &str| {
        let mut plain = String::new();
        for character in text.chars() {
            match character {
                '[' | ']' | ':' | '\\' => plain.extend(['\\', character]),
                '\'' => plain.push_str("'\\''"),
                _ => plain.push(character),
            }
        }
        plain
    };
    let action = |values: Values| match values {
        Values::Words(words) => format!("({words})"),
        Values::Paths => "_files".to_owned(),
        Values::Free => " ".to_owned(),
    };
    let specification = |flag: &FlagInfo<'static>| {
        let description = plain(flag.description);
        let value = match flag.kind {
            FlagInfoKind::Switch => String::new(),
            FlagInfoKind::Option { arg_name } if arg_name.contains('|') => {
                format!(":value:{}", action(values(arg_name)))
            }
            FlagInfoKind::Option { arg_name } => format!(":{arg_name}:{}", action(values(arg_name))),
        };
        joined(spellings(flag).map(|spelling| format!(" '{spelling}[{description}]{value}'")), "")
    };
    let common = joined(common_flags(whole).map(specification), "");
    let mut script =
        "#compdef glacic\n_glacic() {\n    local -a commands\n    local state line\n    commands=(\n".to_owned();
    for command in &whole.commands {
        let _ = writeln!(script, "        '{}:{}'", command.name, plain(summary(&command.command)));
    }
    let _ = write!(
        script,
        "    )
    _arguments -C{} '1:command:->command' '*::argument:->argument'
    case $state in
        command) _describe command commands ;;
        argument) case $words[1] in
",
        joined(whole.flags.iter().map(specification), "")
    );
    for command in &whole.commands {
        let mut specifications = joined(command.command.flags.iter().map(specification), "");
        for positional in command.command.positionals {
            let many = match positional.optionality {
                argh::Optionality::Repeating | argh::Optionality::Greedy => "*",
                argh::Optionality::Required | argh::Optionality::Optional => "",
            };
            let name = if positional.name.contains('|') { "value" } else { positional.name };
            let _ = write!(specifications, " '{many}:{name}:{}'", action(values(positional.name)));
        }
        let _ = writeln!(script, "            {}) _arguments{specifications}{common} ;;", command.name);
    }
    script.push_str("        esac ;;\n    esac\n}\ncompdef _glacic glacic\n");
    script
}
