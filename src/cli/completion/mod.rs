//! `glacic completion`: completion for shells, from the definitions of the commands.
//!
//! What may follow an option is known from its definition: `a|b|c` are words, `file`, `dir` and `path` are paths.
//! busybox's ash has no completion of options.

mod bash;
mod fish;
mod zsh;

use std::io::Write;

use argh::{ArgsInfo, FlagInfo, FlagInfoKind, FromArgs};

use super::Glacic;
use super::exit::Failure;
use super::help::words;

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
        Shell::Bash => bash::script(&whole),
        Shell::Zsh => zsh::script(&whole),
        Shell::Fish => fish::script(&whole),
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
