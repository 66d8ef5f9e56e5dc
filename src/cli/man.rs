//! `glacic man`: the manual page, from the definitions of the commands.

use std::fmt::Write as _;
use std::io::Write;

use argh::{ArgsInfo, CommandInfoWithArgs, FlagInfoKind, FromArgs};

use super::Glacic;
use super::exit::Failure;
use super::help::{common_flags, own_flags, usage};

/// Prints the manual page, in the language of troff with the man macros.
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(
    subcommand,
    name = "man",
    example = "glacic man > /usr/share/man/man8/glacic.8",
    example = "glacic man | man -l -"
)]
pub struct Man {}

impl Man {
    pub fn run(self, out: &mut dyn Write) -> Result<(), Failure> {
        Ok(out.write_all(page().as_bytes())?)
    }
}

/// The page, after man(7).
pub fn page() -> String {
    let whole = Glacic::get_args_info();
    let mut page = format!(".TH GLACIC 8 \"\" \"glacic {}\"\n", env!("CARGO_PKG_VERSION"));
    page.push_str(".SH NAME\nglacic \\- a learning firewall for OpenWrt\n");
    page.push_str(".SH SYNOPSIS\n.B glacic\n.I command\n[options]\n.SH DESCRIPTION\n");
    let _ = writeln!(page, "{}", text(whole.description));
    page.push_str(".SH COMMANDS\n");
    for command in &whole.commands {
        section(&mut page, &command.command);
    }
    page.push_str(".SH OPTIONS OF EVERY COMMAND\n");
    whole.flags.iter().for_each(|flag| option(&mut page, flag));
    page.push_str(".SH EXIT STATUS\n");
    for code in whole.error_codes {
        let _ = write!(page, ".TP\n.B {}\n{}\n", code.code, text(code.description));
    }
    page.push_str(".SH FILES\n");
    for flag in common_flags(&whole) {
        if let Some((what, file)) = flag.description.split_once(" (default ") {
            let _ = write!(page, ".TP\n.I {}\n{}\n", text(file.trim_end_matches(')')), text(what));
        }
    }
    for (index, note) in whole.notes.iter().enumerate() {
        let _ = writeln!(page, "{}\n{}", if index == 0 { ".SH NOTES" } else { ".PP" }, text(note));
    }
    page.push_str(".SH EXAMPLES\n");
    listed(&mut page, &whole);
    page
}

fn section(page: &mut String, command: &CommandInfoWithArgs) {
    let _ = writeln!(page, ".SS {}", text(&usage(command)));
    let _ = writeln!(page, "{}", text(command.description));
    for positional in command.positionals {
        let _ = write!(page, ".TP\n.I {}\n{}\n", text(positional.name), text(positional.description));
    }
    own_flags(command).for_each(|flag| option(page, flag));
    for note in command.notes {
        let _ = write!(page, ".PP\n{}\n", text(note));
    }
    examples(page, command);
}

fn option(page: &mut String, flag: &argh::FlagInfo) {
    page.push_str(".TP\n\\fB");
    if let Some(short) = flag.short {
        let _ = write!(page, "\\-{short}\\fR, \\fB");
    }
    let _ = write!(page, "{}\\fR", text(flag.long));
    if let FlagInfoKind::Option { arg_name } = flag.kind {
        let _ = write!(page, " \\fI{}\\fR", text(arg_name));
    }
    let _ = write!(page, "\n{}\n", text(flag.description));
}

fn examples(page: &mut String, info: &CommandInfoWithArgs) {
    if !info.examples.is_empty() {
        page.push_str(".PP\n");
        listed(page, info);
    }
}

fn listed(page: &mut String, info: &CommandInfoWithArgs) {
    page.push_str(".RS\n.nf\n");
    for example in info.examples {
        let _ = writeln!(page, "{}", text(example));
    }
    page.push_str(".fi\n.RE\n");
}

/// Text in which nothing means anything to troff.
fn text(plain: &str) -> String {
    let mut text = String::with_capacity(plain.len() + 8);
    if plain.starts_with(['.', '\'']) {
        text.push_str("\\&");
    }
    for character in plain.chars() {
        match character {
            '\\' => text.push_str("\\e"),
            '-' => text.push_str("\\-"),
            '\n' => text.push(' '),
            // Long lists of words may be broken here.
            '|' => text.push_str("|\\:"),
            _ => text.push(character),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_option_and_exit_code_is_in_the_manual() {
        let page = page();
        let whole = Glacic::get_args_info();
        for command in &whole.commands {
            let (_, section) = page.split_once(&format!(".SS glacic {} ", command.name)).expect(command.name);
            let section = section.split("\n.S").next().unwrap_or_default();
            for flag in own_flags(&command.command) {
                assert!(section.contains(&text(flag.long)), "{} {}", command.name, flag.long);
            }
        }
        for flag in whole.flags {
            assert!(page.contains(&text(flag.long)), "{}", flag.long);
        }
        for code in whole.error_codes {
            assert!(page.contains(&format!(".B {}\n", code.code)));
        }
        assert!(page.contains("/etc/config/glacic") && page.contains("control.sock"));
    }

    #[test]
    fn nothing_in_a_description_is_a_macro() {
        assert_eq!(text(".SH \\fB a-b"), "\\&.SH \\efB a\\-b");
        assert!(page().is_ascii(), "troff without preconv reads ASCII only");
    }
}
