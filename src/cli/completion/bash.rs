//! Completion for bash: one function that finds the command and looks at the word before the cursor.

use std::fmt::Write;

use argh::CommandInfoWithArgs;

use super::super::help::{common_flags, own_flags};
use super::{Values, joined, spellings, value_of, values};

/// What comes before the list of commands.
const BEGIN: &str = r#"# bash completion of glacic
_glacic() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command= words= paths= index
    # bash splits --name=value into three words.
    [[ $word == = ]] && word=
    [[ $before == = ]] && before=${COMP_WORDS[COMP_CWORD-2]}
    COMPREPLY=()
    for ((index = 1; index < COMP_CWORD; index++)); do
        case ${COMP_WORDS[index]} in
"#;

/// What comes after the lists of words.
const END: &str = r#"    esac
    if [[ $paths && $word != -* ]]; then
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    else
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
    fi
}
complete -F _glacic glacic
"#;

pub fn script(whole: &CommandInfoWithArgs) -> String {
    let names = || whole.commands.iter().map(|command| command.name.to_owned());
    let mut script = BEGIN.to_owned();
    let valued = joined(common_flags(whole).flat_map(spellings), "|");
    let commands = joined(names(), "|");
    let _ = write!(
        script,
        "            {valued}) ((index++)) ;;
            {commands}) command=${{COMP_WORDS[index]}}; break ;;
        esac
    done
    case $command:$before in
"
    );
    let common = common_flags(whole).map(|flag| ("*", flag));
    let own = whole.commands.iter().flat_map(|info| own_flags(&info.command).map(|flag| (info.name, flag)));
    let (mut paths, mut free) = (Vec::new(), Vec::new());
    for (command, flag) in common.chain(own) {
        let patterns = spellings(flag).map(|spelling| format!("{command}:{spelling}"));
        match value_of(flag) {
            Some(Values::Words(words)) => {
                let patterns = joined(patterns, "|");
                let _ = writeln!(script, "        {patterns}) words='{words}' ;;");
            }
            Some(Values::Paths) => paths.extend(patterns),
            Some(Values::Free) => free.extend(patterns),
            None => {}
        }
    }
    let _ = writeln!(script, "        {}) paths=1 ;;", paths.join("|"));
    let _ = writeln!(script, "        {}) return ;;", free.join("|"));
    script.push_str("        *) case $command in\n");
    let top = joined(names().chain(whole.flags.iter().flat_map(spellings)), " ");
    let _ = writeln!(script, "            '') words='{top}' ;;");
    for info in &whole.commands {
        let options = info.command.flags.iter().chain(common_flags(whole)).flat_map(spellings);
        let positional = info.command.positionals.first().map(|positional| values(positional.name));
        let offered = match &positional {
            Some(Values::Words(words)) => joined(std::iter::once(words.clone()).chain(options), " "),
            _ => joined(options, " "),
        };
        let paths = if matches!(positional, Some(Values::Paths)) { " paths=1" } else { "" };
        let _ = writeln!(script, "            {}) words='{offered}'{paths} ;;", info.name);
    }
    script.push_str("        esac ;;\n");
    script.push_str(END);
    script
}
