//! The door: subcommands, their arguments and what they print.

use std::ffi::OsString;
use std::process::ExitCode;

/// Parses the arguments, runs what they ask for and returns the exit code (sysexits).
pub fn run(_arguments: impl Iterator<Item = OsString>) -> ExitCode {
    ExitCode::from(64)
}
