//! The door: subcommands, their arguments and what they print.
//!
//! One file a subcommand: its definition and what it does. Help, man page and shell completion are rendered from
//! these definitions ([`help`], [`man`], [`completion`]). Text that came over the network never reaches a terminal
//! raw: everything goes through [`screen::visible`].

mod allow;
mod arguments;
mod check;
mod completion;
mod daemon;
mod deny;
mod describe;
mod device;
mod devices;
mod exit;
mod flows;
mod forget;
mod help;
mod learn;
mod man;
mod monitor;
mod replay;
mod rpcd;
mod rules;
mod screen;
mod selection;
mod source;
mod stats;
mod status;
mod table;
mod values;
mod vendors;
mod when;

use std::ffi::OsString;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use argh::{ArgsInfo, FromArgs};

use crate::config::{DEFAULT_PATH, Settings};
use crate::flow::Wall;
use arguments::Line;
use exit::{Exit, Failure};
use screen::{Screen, visible};

/// Learns what each device of a home network does, and enforces it afterwards.
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(
    example = "glacic status",
    example = "glacic flows --state pending",
    example = "glacic allow 12 13",
    example = "glacic learn on --for 7d",
    note = "Options may stand before or after the command, as --name value or --name=value.",
    note = "Colours are off where NO_COLOR is set, where TERM is dumb, and where the output is no terminal.",
    error_code(0, "done; also when the reader of the output went away"),
    error_code(64, "the command line makes no sense"),
    error_code(65, "a value or a file has the wrong form"),
    error_code(66, "no such file, flow or device"),
    error_code(69, "the daemon is not running, does not answer or has no room; or another one runs already"),
    error_code(70, "something failed inside glacic"),
    error_code(73, "a file or socket could not be created"),
    error_code(74, "reading or writing failed"),
    error_code(77, "no permission"),
    error_code(78, "the configuration has errors, or says that glacic is off")
)]
struct Glacic {
    /// configuration to use (default /etc/config/glacic)
    #[argh(option, arg_name = "file", default = "PathBuf::from(DEFAULT_PATH)")]
    config: PathBuf,

    /// control socket of the daemon (default /var/run/glacic/control.sock)
    #[argh(option, arg_name = "path", default = "PathBuf::from(\"/var/run/glacic/control.sock\")")]
    socket: PathBuf,

    /// print the version
    #[argh(switch)]
    version: bool,

    #[argh(subcommand)]
    command: Option<Command>,
}

#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(subcommand)]
enum Command {
    Daemon(daemon::Daemon),
    Status(status::Status),
    Stats(stats::Stats),
    Flows(flows::Flows),
    Allow(allow::Allow),
    Deny(deny::Deny),
    Forget(forget::Forget),
    Devices(devices::Devices),
    Device(device::Device),
    Learn(learn::Learn),
    Rules(rules::Rules),
    Check(check::Check),
    Monitor(monitor::Monitor),
    Replay(replay::Replay),
    Rpcd(rpcd::Rpcd),
    Completion(completion::Completion),
    Man(man::Man),
}

/// What every subcommand is told.
struct Context {
    config: PathBuf,
    socket: PathBuf,
    screen: Screen,
    now: Wall,
}

impl Context {
    /// The owner's settings; those of an empty file where there is no configuration in its usual place.
    fn settings(&self) -> Result<Settings, Failure> {
        let outcome = match crate::config::load(&self.config) {
            Ok(outcome) => outcome,
            Err(error) if error.kind() == ErrorKind::NotFound && self.config == Path::new(DEFAULT_PATH) => {
                return Ok(Settings::default());
            }
            Err(error) => return Err(exit::of_reading(&self.config, &error)),
        };
        outcome.settings.ok_or_else(|| {
            let file = visible(&outcome.file);
            Failure::new(Exit::Config, format!("{file} has errors: `glacic check {file}` names them"))
        })
    }
}

/// Parses the arguments, runs what they ask for and returns the exit code (sysexits).
pub fn run(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let program = arguments.next();
    let arguments = rpcd::arguments(program.as_deref(), arguments);
    let mut out = BufWriter::new(std::io::stdout().lock());
    let outcome = answer(arguments, &mut out).and_then(|()| Ok(out.flush()?));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // What is still in the buffer belongs before the message; if it cannot be written, the message tells why.
            let _ = out.flush();
            failure.report()
        }
    }
}

fn answer(arguments: impl Iterator<Item = OsString>, out: &mut dyn Write) -> Result<(), Failure> {
    let screen = Screen::of_stdout();
    let Glacic { config, socket, version, command } = match arguments::parse(arguments)? {
        Line::Run(glacic) => glacic,
        Line::Help(command) => return Ok(out.write_all(help::page(command.as_deref(), screen.width).as_bytes())?),
    };
    if version {
        return Ok(writeln!(out, "glacic {}", env!("CARGO_PKG_VERSION"))?);
    }
    let Some(command) = command else {
        return Err(Failure::new(Exit::Usage, "a command is missing: glacic --help lists them"));
    };
    let context = Context { config, socket, screen, now: when::now() };
    match command {
        Command::Daemon(daemon) => daemon.run(&context),
        Command::Status(status) => status.run(&context, out),
        Command::Stats(stats) => stats.run(&context, out),
        Command::Flows(flows) => flows.run(&context, out),
        Command::Allow(allow) => allow.run(&context, out),
        Command::Deny(deny) => deny.run(&context, out),
        Command::Forget(forget) => forget.run(&context, out),
        Command::Devices(devices) => devices.run(&context, out),
        Command::Device(device) => device.run(&context, out),
        Command::Learn(learn) => learn.run(&context, out),
        Command::Rules(rules) => rules.run(&context, out),
        Command::Check(check) => check.run(&context, out),
        Command::Monitor(monitor) => monitor.run(&context, out),
        Command::Replay(replay) => replay.run(&context, out),
        Command::Rpcd(rpcd) => rpcd.run(&context, out),
        Command::Completion(completion) => completion.run(out),
        Command::Man(man) => man.run(out),
    }
}
