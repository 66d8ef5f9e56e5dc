use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use crate::control::protocol::{Code, Error, MAX_REQUEST};
use crate::daemon::poll::Interest;

/// What a client may leave unread, in bytes: a page of 500 flows takes some 200 KB.
const MAX_OUTPUT: usize = 1024 * 1024;

/// Pieces that are read of one client before others get their turn.
const PIECES: usize = 16;

/// The client has left, or does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// The next line is a request.
    Idle,
    /// A request is under way.
    Busy,
    /// It listens to events; what it says is not read.
    Following,
    /// Nothing more is read; it is closed once everything is written.
    Closing,
}

/// One client.
pub struct Connection {
    stream: UnixStream,
    input: Vec<u8>,
    output: VecDeque<u8>,
    mode: Mode,
    /// The client has said all it has to say.
    ended: bool,
}

impl Connection {
    pub fn new(stream: UnixStream) -> io::Result<Connection> {
        stream.set_nonblocking(true)?;
        Ok(Connection { stream, input: Vec::new(), output: VecDeque::new(), mode: Mode::Idle, ended: false })
    }

    /// What there is to wait for. A client whose request is under way is not read, nor is its end noticed: either
    /// would end every wait until the answer is there.
    pub fn interest(&self) -> Interest {
        Interest { read: self.mode != Mode::Busy, write: !self.output.is_empty() }
    }

    /// Whether it is idle and has sent all of a request.
    pub fn has_request(&self) -> bool {
        self.mode == Mode::Idle && (self.input.contains(&b'\n') || self.input.len() > MAX_REQUEST)
    }

    pub fn follows(&self) -> bool {
        self.mode == Mode::Following
    }

    /// Turns the connection into a stream of events.
    pub fn follow(&mut self) {
        self.mode = Mode::Following;
    }

    /// Reads and writes as much as is possible without waiting.
    pub fn exchange(&mut self) -> Result<(), Gone> {
        self.write()?;
        self.read()?;
        let done = match self.mode {
            Mode::Busy => false,
            Mode::Closing => true,
            Mode::Idle | Mode::Following => self.ended && !self.has_request(),
        };
        if done && self.output.is_empty() { Err(Gone) } else { Ok(()) }
    }

    fn read(&mut self) -> Result<(), Gone> {
        let mut buffer = [0; 4096];
        for _ in 0..PIECES {
            // One byte beyond the longest request tells that it is too long.
            if self.ended || self.mode == Mode::Busy || self.input.len() > MAX_REQUEST {
                break;
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => self.ended = true,
                Ok(read) if self.mode == Mode::Idle => {
                    self.input.extend_from_slice(buffer.get(..read).unwrap_or_default());
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(Gone),
            }
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), Gone> {
        while !self.output.is_empty() {
            let (front, _) = self.output.as_slices();
            match self.stream.write(front) {
                Ok(written) => drop(self.output.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(Gone),
            }
        }
        Ok(())
    }

    /// The next complete line, if the connection is idle; it is busy from then on, until it is answered.
    pub fn next_line(&mut self) -> Option<Result<String, Error>> {
        if self.mode != Mode::Idle {
            return None;
        }
        let Some(end) = self.input.iter().position(|byte| *byte == b'\n') else {
            if self.input.len() <= MAX_REQUEST {
                return None;
            }
            self.input = Vec::new();
            self.mode = Mode::Closing;
            return Some(Err(Error::new(Code::InvalidRequest, format!("a request has at most {MAX_REQUEST} bytes"))));
        };
        let line: Vec<u8> = self.input.drain(..=end).collect();
        self.mode = Mode::Busy;
        Some(String::from_utf8(line).map_err(|_| Error::new(Code::InvalidRequest, "a request is UTF-8 text")))
    }

    /// Writes an answer; the connection is idle again.
    pub fn answer(&mut self, line: &str) -> Result<(), Gone> {
        if self.mode == Mode::Busy {
            self.mode = Mode::Idle;
        }
        self.tell(line)
    }

    /// Writes a line, now or as soon as the client reads.
    pub fn tell(&mut self, line: &str) -> Result<(), Gone> {
        if self.output.len().saturating_add(line.len()) > MAX_OUTPUT {
            return Err(Gone);
        }
        self.output.extend(line.as_bytes());
        self.write()
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
