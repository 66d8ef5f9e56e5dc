//! How a command ends: exit codes after sysexits.h, and failures with a message the owner can act on.

use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use super::screen::visible;
use crate::control::client::Fault;
use crate::control::protocol::Code;

/// Exit codes of sysexits.h. The list in `glacic --help` says what each means here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// `EX_USAGE`
    Usage = 64,
    /// `EX_DATAERR`
    Data = 65,
    /// `EX_NOINPUT`
    NoInput = 66,
    /// `EX_UNAVAILABLE`
    Unavailable = 69,
    /// `EX_SOFTWARE`
    Internal = 70,
    /// `EX_CANTCREAT`: the daemon's socket, directory or database.
    CantCreate = 73,
    /// `EX_IOERR`
    Io = 74,
    /// `EX_NOPERM`
    NoPermission = 77,
    /// `EX_CONFIG`
    Config = 78,
}

/// Why a command did not do what it was asked to.
#[derive(Debug, PartialEq)]
pub enum Failure {
    /// Said on standard error, with this exit code.
    Told { exit: Exit, message: String },
    /// Everything has been said already.
    Silent(Exit),
    /// Whoever read our output went away: nothing is wrong.
    ReaderGone,
}

impl Failure {
    pub fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure::Told { exit, message: message.into() }
    }

    pub fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Usage, message)
    }

    pub fn internal(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Internal, message)
    }

    /// Says what is to be said and returns the exit code.
    pub fn report(&self) -> ExitCode {
        match self {
            Failure::Told { exit, message } => {
                // Nobody is left to tell if standard error is closed.
                let _ = writeln!(std::io::stderr(), "glacic: {}", message.trim_end());
                ExitCode::from(*exit as u8)
            }
            Failure::Silent(exit) => ExitCode::from(*exit as u8),
            Failure::ReaderGone => ExitCode::SUCCESS,
        }
    }
}

/// From writing to standard output, the only thing whose errors are passed on bare.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        match error.kind() {
            ErrorKind::BrokenPipe => Failure::ReaderGone,
            _ => Failure::new(Exit::Io, format!("cannot write to standard output: {error}")),
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Failure {
        let exit = match &fault {
            Fault::NotRunning { .. } | Fault::NoAnswer { .. } | Fault::Closed => Exit::Unavailable,
            Fault::NoPermission { .. } => Exit::NoPermission,
            Fault::Io(_) => Exit::Io,
            Fault::TooLong | Fault::Unreadable(_) => Exit::Internal,
            Fault::Refused(error) => match error.code {
                Code::InvalidParams => Exit::Data,
                Code::NotFound => Exit::NoInput,
                Code::Busy => Exit::Unavailable,
                Code::Denied => Exit::NoPermission,
                Code::NotSaved => Exit::Io,
                Code::InvalidRequest | Code::UnknownMethod | Code::Internal => Exit::Internal,
            },
        };
        // The daemon may repeat names from the network.
        Failure::new(exit, visible(&fault.to_string()))
    }
}

/// A file that could not be read.
pub fn of_reading(file: &Path, error: &std::io::Error) -> Failure {
    let exit = match error.kind() {
        ErrorKind::NotFound => Exit::NoInput,
        ErrorKind::PermissionDenied => Exit::NoPermission,
        _ => Exit::Io,
    };
    Failure::new(exit, format!("cannot read {}: {error}", visible(&file.to_string_lossy())))
}
