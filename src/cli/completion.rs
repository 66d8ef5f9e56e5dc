//! `glacic completion`: completion for shells, from the definitions of the commands.
//!
//! An option's values are known from its definition: `a|b|c` are words, `file`, `dir` and `path` are paths. busybox's ash has no completion.

use std::fmt::Write as _;
use std::io::Write;

use argh::{ArgsInfo, CommandInfoWithArgs, FlagInfo, FlagInfoKind, FromArgs};

use super::Glacic;
use super::exit::Failure;
use super::help::{common_flags, own_flags, summary, words};

/// Prints a completion script for a shell.
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(
    subcommand,
    name = "completion",
    example = "glacic completion bash > /usr/share/bash-completion/completions/glacic",
    example = "glacic completion zsh > /usr/share/zsh/site-functions/_glacic",
    example = "glacic completion fish > /etc/fish/completions/glacic.fish"
)]
pub struct Completion {
    /// the shell
    #[argh(positional, arg_name = "bash|zsh|fish", from_str_fn(shell))]
    pub shell: Shell,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

fn shell(text: &str) -> Result<Shell, String> {
    match text {
        "bash" => Ok(Shell::Bash),
        "zsh" => Ok(Shell::Zsh),
        "fish" => Ok(Shell::Fish),
        _ => Err("expected bash, zsh or fish".to_owned()),
    }
}

impl Completion {
    pub fn run(self, out: &mut dyn Write) -> Result<(), Failure> {
        Ok(out.write_all(script(self.shell).as_bytes())?)
    }
}

pub fn script(shell: Shell) -> String {
    let whole = Glacic::get_args_info();
    match shell {
        Shell::Bash => bash(&whole),
        Shell::Zsh => zsh(&whole),
        Shell::Fish => fish(&whole),
    }
}

/// What may follow an option or stand as an argument.
enum Values {
    Words(String),
    Paths,
    Free,
}

fn values(name: &'static str) -> Values {
    match words(name) {
        Some(words) => Values::Words(words.collect::<Vec<_>>().join(" ")),
        None if ["file", "dir", "path"].contains(&name) => Values::Paths,
        None => Values::Free,
    }
}

fn value_of(flag: &FlagInfo<'static>) -> Option<Values> {
    match flag.kind {
        FlagInfoKind::Switch => None,
        FlagInfoKind::Option { arg_name } => Some(values(arg_name)),
    }
}

fn spellings(flag: &FlagInfo) -> impl Iterator<Item = String> {
    flag.short.map(|short| format!("-{short}")).into_iter().chain([flag.long.to_owned()])
}

fn joined(words: impl Iterator<Item = String>, separator: &str) -> String {
    words.collect::<Vec<_>>().join(separator)
}

fn bash(whole: &CommandInfoWithArgs) -> String {
    let names = || whole.commands.iter().map(|command| command.name.to_owned());
    let valued = joined(common_flags(whole).flat_map(spellings), "|");
    let mut script = format!(
        "# bash completion of glacic
_glacic() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} command= index words=
    COMPREPLY=()
    for ((index = 1; index < COMP_CWORD; index++)); do
        case ${{COMP_WORDS[index]}} in
            {valued}) ((index++)) ;;
            {commands}) command=${{COMP_WORDS[index]}}; break ;;
        esac
    done
    case $command:$before in
",
        commands = joined(names(), "|"),
    );
    let mut answer = |pattern: String, values: Values| {
        let answer = match values {
            Values::Words(words) => format!("mapfile -t COMPREPLY < <(compgen -W '{words}' -- \"$word\")"),
            Values::Paths => {
                "compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- \"$word\")".to_owned()
            }
            Values::Free => ":".to_owned(),
        };
        let _ = writeln!(script, "        {pattern}) {answer}; return ;;");
    };
    for flag in common_flags(whole) {
        if let Some(values) = value_of(flag) {
            answer(joined(spellings(flag).map(|spelling| format!("*:{spelling}")), "|"), values);
        }
    }
    for command in &whole.commands {
        for flag in own_flags(&command.command) {
            if let Some(values) = value_of(flag) {
                let pattern = spellings(flag).map(|spelling| format!("{}:{spelling}", command.name));
                answer(joined(pattern, "|"), values);
            }
        }
    }
    script.push_str("    esac\n    case $command in\n");
    let top = names().chain(whole.flags.iter().flat_map(spellings));
    let _ = writeln!(script, "        '') words='{}' ;;", joined(top, " "));
    for command in &whole.commands {
        let mut offered = joined(command.command.flags.iter().chain(common_flags(whole)).flat_map(spellings), " ");
        let mut more = "";
        match command.command.positionals.first().map(|positional| values(positional.name)) {
            Some(Values::Words(words)) => offered = format!("{words} {offered}"),
            Some(Values::Paths) => more = " paths=1",
            Some(Values::Free) | None => {}
        }
        let _ = writeln!(script, "        {}) words='{offered}'{more} ;;", command.name);
    }
    script.push_str(
        "    esac
    if [[ $paths && $word != -* ]]; then
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- \"$word\")
    else
        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")
    fi
}
complete -F _glacic glacic
",
    );
    script.replace("index words=\n", "index words= paths=\n")
}

fn zsh(whole: &CommandInfoWithArgs) -> String {
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

fn fish(whole: &CommandInfoWithArgs) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_and_option_is_completed_in_every_shell() {
        let whole = Glacic::get_args_info();
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = script(shell);
            for command in &whole.commands {
                assert!(script.contains(command.name), "{shell:?} {}", command.name);
                for flag in command.command.flags {
                    let spelling = match shell {
                        Shell::Bash => format!("{} ", flag.long),
                        Shell::Zsh => format!("'{}[", flag.long),
                        Shell::Fish => {
                            format!("from {}'{} -l {}", command.name, short(flag), flag.long.trim_start_matches("--"))
                        }
                    };
                    assert!(script.contains(&spelling), "{shell:?} {} {spelling}", command.name);
                }
            }
        }
    }

    fn short(flag: &FlagInfo) -> String {
        flag.short.map(|short| format!(" -s {short}")).unwrap_or_default()
    }

    #[test]
    fn descriptions_cannot_end_a_quote() {
        // A quote in a description would be the end of the script's own.
        for line in script(Shell::Fish).lines() {
            assert_eq!(line.replace("\\'", "").matches('\'').count() % 2, 0, "{line}");
        }
    }
}
