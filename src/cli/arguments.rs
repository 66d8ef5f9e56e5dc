//! From raw arguments to a parsed command line.
//!
//! argh takes an option only where it is defined and knows no `--name=value`. This module rewrites what people type
//! into what argh understands: the options of every command are moved to the front, `--name=value` is split.

use std::ffi::OsString;

use argh::{ArgsInfo, CommandInfoWithArgs, EarlyExit, FlagInfoKind, FromArgs};

use super::Glacic;
use super::exit::Failure;
use super::screen::visible;

/// What a command line asks for.
#[derive(Debug, PartialEq)]
pub enum Line {
    Run(Glacic),
    /// The help page of this command, or of the whole.
    Help(Option<String>),
}

/// Parses the arguments that follow the program's name.
pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Line, Failure> {
    let texts = arguments
        .map(|argument| {
            argument.into_string().map_err(|bad| {
                Failure::usage(format!("an argument is not UTF-8 text: {}", visible(&bad.to_string_lossy())))
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let whole = Glacic::get_args_info();
    let Arranged { arguments, command, stray } = arrange(texts, &whole);
    if let Some(stray) = stray {
        return Err(Failure::usage(format!("there is no command {}: glacic --help lists them", visible(&stray))));
    }
    let borrowed: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match Glacic::from_args(&["glacic"], &borrowed) {
        Ok(glacic) => Ok(Line::Run(glacic)),
        Err(EarlyExit { status: Ok(()), .. }) => Ok(Line::Help(command)),
        Err(EarlyExit { output, status: Err(()) }) => Err(Failure::usage(match command {
            Some(command) => format!("{}\nTry: glacic {command} --help", visible_lines(&output)),
            None => format!("{}\nTry: glacic --help", visible_lines(&output)),
        })),
    }
}

/// argh repeats the argument it stumbled over; its own line breaks stay.
fn visible_lines(output: &str) -> String {
    output.trim_end().lines().map(visible).collect::<Vec<_>>().join("\n")
}

struct Arranged {
    arguments: Vec<String>,
    /// The subcommand that is named in them.
    command: Option<String>,
    /// The word that stands where a subcommand should and is none.
    stray: Option<String>,
}

fn arrange(texts: Vec<String>, whole: &CommandInfoWithArgs) -> Arranged {
    let mut front = Vec::new();
    let mut rest = Vec::new();
    let mut command: Option<&argh::SubCommandInfo> = None;
    let mut stray = None;
    let mut texts = texts.into_iter();
    while let Some(text) = texts.next() {
        if text == "--" {
            rest.push(text);
            rest.extend(texts);
            break;
        }
        if !text.starts_with('-') {
            // `glacic help flows` asks for the page of flows.
            if command.is_none() && stray.is_none() && text != "help" {
                command = whole.commands.iter().find(|candidate| candidate.name == text);
                stray = command.is_none().then(|| text.clone());
            }
            rest.push(text);
            continue;
        }
        let (name, value) = match text.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name.to_owned(), Some(value.to_owned())),
            _ => (text, None),
        };
        let common = takes_value(whole, &name);
        let valued = common || command.is_some_and(|command| takes_value(&command.command, &name));
        let value = value.or_else(|| if valued { texts.next() } else { None });
        // An option without its value must stay last: in front, it would take the command for the value.
        let place = if common && value.is_some() { &mut front } else { &mut rest };
        place.push(name);
        place.extend(value);
    }
    front.append(&mut rest);
    Arranged { arguments: front, command: command.map(|command| command.name.to_owned()), stray }
}

/// Whether `name` is an option of this command that is followed by a value.
fn takes_value(info: &CommandInfoWithArgs, name: &str) -> bool {
    info.flags.iter().any(|flag| {
        matches!(flag.kind, FlagInfoKind::Option { .. })
            && (flag.long == name || flag.short.is_some_and(|short| name == format!("-{short}")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Result<Line, Failure> {
        parse(text.split_whitespace().map(OsString::from))
    }

    fn glacic(text: &str) -> Glacic {
        match line(text) {
            Ok(Line::Run(glacic)) => glacic,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn options_of_every_command_stand_anywhere() {
        let expected = glacic("--config /tmp/c --socket /tmp/s flows --json");
        for text in [
            "flows --json --config /tmp/c --socket /tmp/s",
            "flows --config=/tmp/c --json --socket=/tmp/s",
            "--socket /tmp/s flows --config /tmp/c --json",
        ] {
            assert_eq!(glacic(text), expected, "{text}");
        }
    }

    #[test]
    fn a_value_that_looks_like_an_option_is_a_value() {
        let glacic = glacic("flows --search --config");
        assert_eq!(glacic.config, std::path::Path::new("/etc/config/glacic"));
        let Some(super::super::Command::Flows(flows)) = glacic.command else { panic!() };
        assert_eq!(flows.search.as_deref(), Some("--config"));
    }

    #[test]
    fn what_follows_two_dashes_is_left_alone() {
        let glacic = glacic("device -- --config=x");
        let Some(super::super::Command::Device(device)) = glacic.command else { panic!() };
        assert_eq!(device.device, "--config=x");
    }

    #[test]
    fn help_is_asked_for_in_every_usual_way() {
        for text in ["--help", "help"] {
            assert_eq!(line(text), Ok(Line::Help(None)), "{text}");
        }
        for text in ["flows --help", "help flows", "--help flows", "flows help", "--config x flows --help"] {
            assert_eq!(line(text), Ok(Line::Help(Some("flows".into()))), "{text}");
        }
    }

    #[test]
    fn nonsense_is_a_usage_error_that_says_where_help_is() {
        for text in ["frobnicate", "flows --frobnicate", "flows --config", "flows --limit many", "learn", "learn maybe"]
        {
            let Err(Failure::Told { exit, message }) = line(text) else { panic!("{text}") };
            assert_eq!(exit, super::super::Exit::Usage, "{text}");
            assert!(message.contains("--help"), "{message}");
        }
    }

    #[test]
    fn a_command_that_does_not_exist_is_called_so() {
        for text in ["alow 3", "--config x alow", "help alow", "alow flows"] {
            let Err(Failure::Told { message, .. }) = line(text) else { panic!("{text}") };
            assert_eq!(message, "there is no command alow: glacic --help lists them", "{text}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        use std::os::unix::ffi::OsStringExt;
        let bad = [OsString::from("device"), OsString::from_vec(vec![0xff, 0x1b])];
        let Err(Failure::Told { message, .. }) = parse(bad.into_iter()) else { panic!() };
        assert!(message.contains("not UTF-8"), "{message}");
        assert!(!message.contains('\u{1b}'), "{message}");
    }
}
