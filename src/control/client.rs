//! The asking side of the control protocol: a blocking client over the daemon's Unix socket.
//!
//! Whatever answers, a request ends: replies are bounded in length, and both connecting and answering in time.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::protocol::{Error, Event, Request};

/// The longest line a reply may have, in bytes: a full page of flows with all their names fits several times over.
pub const MAX_REPLY: usize = 4 * 1024 * 1024;

/// How long one request may take. Most are answered within milliseconds; a decision when it is on the flash and in the
/// kernel, another learning mode when the new ruleset is, and both can take their time on a slow router.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Why there is no answer.
#[derive(Debug)]
pub enum Fault {
    /// Nobody listens there.
    NotRunning {
        socket: PathBuf,
        /// A socket is there, left behind by a daemon that died.
        stale: bool,
    },
    /// The socket belongs to somebody else.
    NoPermission {
        socket: PathBuf,
    },
    /// The daemon has the request, but did not answer in time.
    NoAnswer {
        patience: Duration,
    },
    /// The daemon closed the connection before the reply was complete.
    Closed,
    /// The reply is longer than [`MAX_REPLY`].
    TooLong,
    /// The reply is not what the protocol says.
    Unreadable(String),
    /// The daemon understood, and refused.
    Refused(Error),
    Io(std::io::Error),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::NotRunning { socket, stale } => write!(
                f,
                "the daemon is not running ({} at {}): start it with `service glacic start`",
                if *stale { "nobody listens" } else { "no socket" },
                socket.display()
            ),
            Fault::NoPermission { socket } => {
                write!(f, "no permission to use {}: ask as root or as its group", socket.display())
            }
            Fault::NoAnswer { patience } => write!(
                f,
                "the daemon did not answer within {} s: see `logread -e glacic`, or restart it with \
                 `service glacic restart`",
                patience.as_secs().max(1)
            ),
            Fault::Closed => {
                write!(f, "the daemon closed the connection before it had answered: see `logread -e glacic`")
            }
            Fault::TooLong => write!(f, "the daemon's reply is longer than {MAX_REPLY} bytes: ask for less at once"),
            Fault::Unreadable(what) => {
                write!(f, "the daemon's reply makes no sense ({what}): do both have the same version?")
            }
            Fault::Refused(error) => write!(f, "{error}"),
            Fault::Io(error) => write!(f, "the connection to the daemon failed: {error}"),
        }
    }
}

impl std::error::Error for Fault {}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Fault {
        match error.kind() {
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof => Fault::Closed,
            _ => Fault::Io(error),
        }
    }
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Fault {
        Fault::Unreadable(error.to_string())
    }
}

/// One connection to the daemon.
pub struct Client {
    stream: UnixStream,
    /// What has arrived and was not asked for yet.
    received: Vec<u8>,
    patience: Duration,
}

impl Client {
    /// Connects to the daemon that listens at `socket`.
    pub fn connect(socket: &Path) -> Result<Client, Fault> {
        Client::connect_within(socket, PATIENCE)
    }

    /// As [`Client::connect`], with another limit of time for connecting and for each request.
    pub fn connect_within(socket: &Path, patience: Duration) -> Result<Client, Fault> {
        // A stopped daemon with a full backlog lets connect() wait for ever, and the standard library has no limit
        // for it: it waits in a thread of its own, which ends with the process.
        let (sender, receiver) = mpsc::sync_channel(1);
        let path = socket.to_owned();
        std::thread::Builder::new().name("connect".into()).spawn(move || {
            let _ = sender.send(UnixStream::connect(path));
        })?;
        let stream = match receiver.recv_timeout(patience) {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                let socket = socket.to_owned();
                return Err(match error.kind() {
                    ErrorKind::NotFound => Fault::NotRunning { socket, stale: false },
                    ErrorKind::ConnectionRefused => Fault::NotRunning { socket, stale: true },
                    ErrorKind::PermissionDenied => Fault::NoPermission { socket },
                    _ => Fault::Io(error),
                });
            }
            Err(_) => return Err(Fault::NoAnswer { patience }),
        };
        Ok(Client { stream, received: Vec::new(), patience })
    }

    /// The same connection, with another limit of time for each request from now on.
    pub fn waiting(self, patience: Duration) -> Client {
        // None at all would mean for ever to the socket.
        Client { patience: patience.max(Duration::from_millis(1)), ..self }
    }

    /// Asks and waits for the reply.
    pub fn ask<T: DeserializeOwned>(&mut self, request: &Request) -> Result<T, Fault> {
        Ok(serde_json::from_value(self.ask_json(request)?)?)
    }

    /// The same, with a result of whatever shape the daemon gives it.
    pub fn ask_json(&mut self, request: &Request) -> Result<Value, Fault> {
        let deadline = Instant::now() + self.patience;
        self.send(request)?;
        let line = self.line(Some(deadline))?.ok_or(Fault::Closed)?;
        members(&line)?.remove("result").ok_or_else(|| Fault::Unreadable("there is no result".into()))
    }

    /// Asks for the events, which come until the daemon goes away.
    pub fn events(mut self) -> Result<Events, Fault> {
        self.ask_json(&Request::Events)?;
        Ok(Events { client: self })
    }

    fn send(&mut self, request: &Request) -> Result<(), Fault> {
        let mut line = request.to_line();
        line.push('\n');
        self.stream.set_write_timeout(Some(self.patience))?;
        self.stream.write_all(line.as_bytes()).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Fault::NoAnswer { patience: self.patience },
            _ => error.into(),
        })
    }

    /// The next line without its newline; `None` when the daemon closed the connection between two lines.
    fn line(&mut self, deadline: Option<Instant>) -> Result<Option<Vec<u8>>, Fault> {
        let mut searched = 0;
        let mut piece = [0; 8192];
        loop {
            if let Some(length) = self.received.iter().skip(searched).position(|byte| *byte == b'\n') {
                let rest = self.received.split_off(searched + length + 1);
                let mut line = std::mem::replace(&mut self.received, rest);
                line.pop();
                return Ok(Some(line));
            }
            searched = self.received.len();
            if searched > MAX_REPLY {
                return Err(Fault::TooLong);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Err(Fault::NoAnswer { patience: self.patience });
            }
            self.stream.set_read_timeout(left)?;
            match self.stream.read(&mut piece) {
                Ok(0) if self.received.is_empty() => return Ok(None),
                Ok(0) => return Err(Fault::Closed),
                Ok(length) => self.received.extend_from_slice(piece.get(..length).unwrap_or_default()),
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut => {}
                    _ => return Err(error.into()),
                },
            }
        }
    }
}

/// The members of a line that is no refusal. Types are read from values, not from the text: code that reads text exists
/// once then, where it would once for each type.
fn members(line: &[u8]) -> Result<serde_json::Map<String, Value>, Fault> {
    let mut members: serde_json::Map<String, Value> = serde_json::from_slice(line)?;
    match members.remove("error") {
        None => Ok(members),
        Some(error) => Err(Fault::Refused(serde_json::from_value(error)?)),
    }
}

/// Events as they happen; ends when the daemon goes away.
pub struct Events {
    client: Client,
}

impl Iterator for Events {
    type Item = Result<Event, Fault>;

    fn next(&mut self) -> Option<Result<Event, Fault>> {
        let line = match self.client.line(None) {
            Ok(line) => line?,
            Err(fault) => return Some(Err(fault)),
        };
        Some(members(&line).and_then(|event| Ok(serde_json::from_value(Value::Object(event))?)))
    }
}

#[cfg(test)]
mod tests;
