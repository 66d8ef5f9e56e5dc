//! Manual and completion, made from the same definitions as the help pages, against the programs that read them.

use super::*;

#[test]
fn every_command_and_option_is_in_the_manual_and_in_every_completion() {
    let manual = run(["man"]).out.replace("\\-", "-");
    let scripts = ["bash", "zsh", "fish"].map(|shell| run(["completion", shell]).out);
    let commands = commands();
    assert!(commands.len() >= 16, "{commands:?}");
    for command in commands {
        assert!(manual.contains(&format!(".SS glacic {command} ")), "{command}");
        assert!(scripts.iter().all(|script| script.contains(&command)), "{command}");
        let options = options(&command);
        assert!(options.len() >= 3, "{command}: {options:?}");
        for option in options {
            assert!(manual.contains(&option) || option == "--help", "{command} {option}");
            let [bash, zsh, fish] = &scripts;
            assert!(bash.contains(&option) && zsh.contains(&option), "{command} {option}");
            assert!(fish.contains(&format!("-l {}", option.trim_start_matches('-'))), "{command} {option}");
        }
    }
}

#[test]
fn the_manual_is_clean() {
    let place = Place::new();
    let page = place.write("glacic.8", &run(["man"]).out);
    // `-l` reads a file; whatever groff has to say goes to standard error.
    let Ok(output) = Command::new("man").args(["--warnings", "-P", "cat", "-l", text(&page)]).output() else {
        return eprintln!("no man here: not checked");
    };
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn the_scripts_are_read_by_their_shells() {
    let place = Place::new();
    for (shell, arguments) in [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")] {
        let script = place.write(shell, &run(["completion", shell]).out);
        match Command::new(shell).args([arguments, text(&script)]).output() {
            Ok(output) => assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr)),
            Err(error) => eprintln!("{shell}: not checked: {error}"),
        }
    }
}

/// What bash offers where the last of these words is being typed.
fn offered(words: &[&str]) -> Vec<String> {
    let place = Place::new();
    let script = place.write("completion", &run(["completion", "bash"]).out);
    let test = format!(
        "source {}; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _glacic; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        text(&script)
    );
    let output = Command::new("bash")
        .args(["--norc", "-c", &test, "bash"])
        .args(words)
        .current_dir(&place.0)
        .output()
        .expect("bash");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut offered: Vec<String> = String::from_utf8_lossy(&output.stdout).split_whitespace().map(Into::into).collect();
    offered.sort();
    offered
}

#[test]
fn bash_completes_commands_options_and_values() {
    assert_eq!(offered(&["glacic", "fl"]), ["flows"]);
    assert_eq!(offered(&["glacic", "--config", "status", "de"]), ["deny", "device", "devices"]);
    assert_eq!(offered(&["glacic", "flows", "--s"]), ["--search", "--socket", "--sort", "--state"]);
    assert_eq!(offered(&["glacic", "flows", "--state", ""]), ["allowed", "denied", "pending"]);
    assert_eq!(offered(&["glacic", "flows", "--state", "=", "p"]), ["pending"]);
    assert_eq!(offered(&["glacic", "flows", "--json", "--sort", "f"]), ["first-seen"]);
    assert_eq!(offered(&["glacic", "learn", "o"]), ["off", "on"]);
    assert_eq!(offered(&["glacic", "flows", "--device", ""]), [""; 0]);
    assert_eq!(offered(&["glacic", "check", ""]), ["completion"]);
    assert_eq!(offered(&["glacic", "check", "--j"]), ["--json"]);
}
