//! The program as it is run: exit codes, what goes to which stream, help, manual and completion, and its conversation
//! with a daemon that these tests play themselves.

mod conversation;
mod definitions;
mod exit;
mod files;
mod rpcd;
mod terminal;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A run that has ended.
struct Run {
    code: i32,
    out: String,
    err: String,
}

/// The program with these arguments, no terminal, and nothing of the owner's environment.
fn command(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_glacic"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

fn run(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Run {
    finish(&mut command(arguments))
}

/// The same, with its standard output going elsewhere.
fn finish_with(mut command: Command, out: impl Into<Stdio>) -> Run {
    command.stdout(out).stderr(Stdio::piped());
    let child = command.spawn().expect("the program starts");
    // It holds the other end of the output as well.
    drop(command);
    ended(child.wait_with_output())
}

fn finish(command: &mut Command) -> Run {
    ended(command.output())
}

fn ended(output: std::io::Result<Output>) -> Run {
    let output = output.expect("the program starts");
    Run {
        code: output.status.code().expect("the program ends by itself"),
        out: String::from_utf8(output.stdout).expect("output is UTF-8"),
        err: String::from_utf8(output.stderr).expect("messages are UTF-8"),
    }
}

/// A directory of its own, gone at the end.
struct Place(PathBuf);

impl Place {
    fn new() -> Place {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let place = std::env::temp_dir().join(format!("glacic-cli-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&place).expect("a directory for the test");
        Place(place)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.file(name);
        std::fs::write(&file, text).expect("a file for the test");
        file
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The names of all commands, read from the first help page.
fn commands() -> Vec<String> {
    let help = run(["--help"]).out;
    let (_, list) = help.split_once("\nCommands:\n").expect("a list of commands");
    let (list, _) = list.split_once("\n\n").expect("an end of the list");
    list.lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

/// The long options of a command, read from its help page.
fn options(command: &str) -> Vec<String> {
    let help = run([command, "--help"]).out;
    help.lines()
        .filter(|line| line.starts_with("  -"))
        // The spelling ends where two spaces lead to the description.
        .filter_map(|line| line.trim_start().split("  ").next())
        .flat_map(str::split_whitespace)
        .filter(|word| word.starts_with("--"))
        .map(str::to_owned)
        .collect()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a temporary directory with a plain name")
}
