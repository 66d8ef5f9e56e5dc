use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use crate::control::protocol::{Code, Error, MAX_REQUEST};

/// What a client may leave unread, in bytes: a page of 500 flows takes some 200 KB.
const MAX_OUTPUT: usize = 1024 * 1024;

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

    pub fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    /// Whether it is idle and has sent something.
    pub fn has_input(&self) -> bool {
        self.mode == Mode::Idle && !self.input.is_empty()
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
        match self.output.is_empty()
            && (self.mode == Mode::Closing || self.ended && self.mode != Mode::Busy && self.input.is_empty())
        {
            true => Err(Gone),
            false => Ok(()),
        }
    }

    fn read(&mut self) -> Result<(), Gone> {
        let mut buffer = [0; 4096];
        // One byte beyond the longest request tells that it is too long.
        while !self.ended && self.input.len() <= MAX_REQUEST {
            match self.stream.read(&mut buffer) {
                Ok(0) => self.ended = true,
                Ok(read) if matches!(self.mode, Mode::Idle | Mode::Busy) => {
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
