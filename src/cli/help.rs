//! Help pages, from the definitions of the commands.

use argh::{ArgsInfo, CommandInfoWithArgs, FlagInfo, FlagInfoKind, Optionality, PositionalInfo};

use super::Glacic;

/// The widest a page gets: longer lines are hard to read.
const WIDEST: usize = 100;

/// Where descriptions begin.
const INDENT: usize = 24;

/// The page of a command, or of the whole.
pub fn page(command: Option<&str>, width: Option<usize>) -> String {
    let whole = Glacic::get_args_info();
    let width = width.unwrap_or(80).clamp(40, WIDEST);
    match command.and_then(|name| whole.commands.iter().find(|command| command.name == name)) {
        Some(command) => of_command(&command.command, &whole, width),
        None => of_whole(&whole, width),
    }
}

fn of_whole(whole: &CommandInfoWithArgs, width: usize) -> String {
    let mut page = "Usage: glacic <command> [options]\n\n".to_owned();
    wrap(&mut page, whole.description, 0, 0, width);
    page.push_str("\nCommands:\n");
    for command in &whole.commands {
        entry(&mut page, command.name, summary(&command.command), width);
    }
    page.push_str("\nOptions of every command:\n");
    for flag in own_flags(whole).chain(help_flag(whole)) {
        entry(&mut page, &spelling(flag), flag.description, width);
    }
    rest(&mut page, whole, width);
    page.push_str("\nExit codes:\n");
    for code in whole.error_codes {
        entry(&mut page, &code.code.to_string(), code.description, width);
    }
    page.push_str("\nMore about a command: glacic <command> --help\n");
    page
}

fn of_command(command: &CommandInfoWithArgs, whole: &CommandInfoWithArgs, width: usize) -> String {
    let mut page = format!("Usage: {}\n\n", usage(command));
    wrap(&mut page, command.description, 0, 0, width);
    if !command.positionals.is_empty() {
        page.push_str("\nArguments:\n");
        for positional in command.positionals {
            entry(&mut page, positional.name, positional.description, width);
        }
    }
    page.push_str("\nOptions:\n");
    for flag in own_flags(command).chain(common_flags(whole)).chain(help_flag(command)) {
        entry(&mut page, &spelling(flag), flag.description, width);
    }
    rest(&mut page, command, width);
    page
}

fn rest(page: &mut String, info: &CommandInfoWithArgs, width: usize) {
    if !info.examples.is_empty() {
        page.push_str("\nExamples:\n");
        for example in info.examples {
            page.push_str(&format!("  {example}\n"));
        }
    }
    if !info.notes.is_empty() {
        page.push_str("\nNotes:\n");
        for note in info.notes {
            wrap(page, note, 2, 2, width);
        }
    }
}

/// `glacic allow [options] [<id>...]`.
pub fn usage(command: &CommandInfoWithArgs) -> String {
    let mut usage = format!("glacic {} [options]", command.name);
    for positional in command.positionals {
        usage.push(' ');
        usage.push_str(&place(positional));
    }
    usage
}

fn place(positional: &PositionalInfo) -> String {
    match positional.optionality {
        Optionality::Required => format!("<{}>", positional.name),
        Optionality::Optional => format!("[<{}>]", positional.name),
        Optionality::Repeating | Optionality::Greedy => format!("[<{}>...]", positional.name),
    }
}

/// `-v, --verbose` or `--state <pending|allowed|denied>`.
pub fn spelling(flag: &FlagInfo) -> String {
    let mut spelling = flag.short.map(|short| format!("-{short}, ")).unwrap_or_default();
    spelling.push_str(flag.long);
    if let FlagInfoKind::Option { arg_name } = flag.kind {
        spelling.push_str(&format!(" <{arg_name}>"));
    }
    spelling
}

type Flags = &'static [FlagInfo<'static>];

/// The options of a command alone.
pub fn own_flags(command: &CommandInfoWithArgs) -> impl Iterator<Item = &'static FlagInfo<'static>> {
    (command.flags as Flags).iter().filter(|flag| flag.long != "--help")
}

fn help_flag(command: &CommandInfoWithArgs) -> impl Iterator<Item = &'static FlagInfo<'static>> {
    (command.flags as Flags).iter().filter(|flag| flag.long == "--help")
}

/// The options that every command takes.
pub fn common_flags(whole: &CommandInfoWithArgs) -> impl Iterator<Item = &'static FlagInfo<'static>> {
    (whole.flags as Flags).iter().filter(|flag| matches!(flag.kind, FlagInfoKind::Option { .. }))
}

/// The words that may stand where `name` does: `pending|allowed|denied`.
pub fn words(name: &'static str) -> Option<impl Iterator<Item = &'static str>> {
    name.contains('|').then(|| name.split('|'))
}

/// The first sentence of a command's description.
pub fn summary(command: &CommandInfoWithArgs) -> &'static str {
    let description: &'static str = command.description;
    match description.split_once(['.', ':', ';']) {
        Some((first, _)) => first,
        None => description,
    }
}

/// `  name      description`, the description on a line of its own where the name is long.
fn entry(page: &mut String, name: &str, description: &str, width: usize) {
    if name.len() + 4 > INDENT {
        page.push_str(&format!("  {name}\n"));
        wrap(page, description, INDENT, INDENT, width);
    } else {
        page.push_str(&format!("  {name:<room$}", room = INDENT - 2));
        wrap(page, description, 0, INDENT, width);
    }
}

/// Appends `text` in lines of at most `width`, the first indented by `first` and the others by `others`; with
/// `first` less than `others`, the line has begun already.
pub fn wrap(page: &mut String, text: &str, first: usize, others: usize, width: usize) {
    let mut column = others;
    page.extend(std::iter::repeat_n(' ', first));
    let mut begun = false;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if begun && column + 1 + length > width {
            page.push('\n');
            page.extend(std::iter::repeat_n(' ', others));
            column = others;
        } else if begun {
            page.push(' ');
            column += 1;
        }
        page.push_str(word);
        column += length;
        begun = true;
    }
    page.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_page_names_every_command_and_every_exit_code() {
        let page = page(None, None);
        for command in Glacic::get_args_info().commands {
            assert!(page.contains(&format!("\n  {} ", command.name)), "{}", command.name);
        }
        for code in ["0", "64", "65", "66", "69", "70", "73", "74", "77", "78"] {
            assert!(page.contains(&format!("\n  {code} ")), "{code}");
        }
        assert!(page.contains("--version"));
    }

    #[test]
    fn the_page_of_a_command_names_all_it_takes_and_gives_an_example() {
        for command in Glacic::get_args_info().commands {
            let page = page(Some(command.name), None);
            for flag in command.command.flags {
                assert!(page.contains(&spelling(flag)), "{} {}", command.name, flag.long);
                assert!(!flag.description.is_empty(), "{} {}", command.name, flag.long);
            }
            for positional in command.command.positionals {
                assert!(page.contains(&format!("\n  {}", positional.name)), "{} {}", command.name, positional.name);
                assert!(!positional.description.is_empty(), "{} {}", command.name, positional.name);
            }
            for always in ["--config <file>", "--socket <path>", "--help", "Examples:\n"] {
                assert!(page.contains(always), "{} {always}", command.name);
            }
        }
    }

    #[test]
    fn listings_take_json() {
        for command in Glacic::get_args_info().commands {
            let json = command.command.flags.iter().any(|flag| flag.long == "--json");
            // What rpcd asks for is JSON in any case.
            let text = ["daemon", "rules", "rpcd", "completion", "man"].contains(&command.name);
            assert_eq!(json, !text, "{}", command.name);
        }
    }

    #[test]
    fn examples_are_command_lines_that_parse() {
        let whole = Glacic::get_args_info();
        for info in whole.commands.iter().map(|command| &command.command).chain([&whole]) {
            for example in info.examples {
                for piece in example.split(['|', ';', '&', '>']).map(str::trim) {
                    let Some(arguments) = piece.strip_prefix("glacic ") else { continue };
                    let words = arguments.split_whitespace().map(std::ffi::OsString::from);
                    let line = super::super::arguments::parse(words);
                    assert!(matches!(line, Ok(super::super::arguments::Line::Run(_))), "{piece}: {line:?}");
                }
            }
        }
    }

    #[test]
    fn lines_keep_to_the_width() {
        for width in [40, 80, 100] {
            for line in page(Some("flows"), Some(width)).lines().filter(|line| !line.contains("--")) {
                assert!(line.chars().count() <= width || !line.trim().contains(' '), "{width}: {line}");
            }
        }
    }
}
