//! The answering side of the control protocol: a Unix socket, a bounded number of connections, bounded buffers.
//!
//! Nothing here waits: what a client does not read is kept up to a bound, and beyond it the client is let go. A
//! connection has one request under way at a time; what it sends meanwhile waits in the socket.

mod connection;

use std::collections::HashMap;
use std::fs::{self, Permissions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::poll::{Interest, PollSet};
use crate::control::protocol::{Code, Error, Event, Request};
use connection::Connection;

/// Connections at once, at most.
const CAPACITY: usize = 32;

/// Names one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Client(u32);

/// The socket and who is connected to it.
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
    clients: HashMap<Client, Connection>,
    next: u32,
}

impl Control {
    /// Opens the socket. One that a dead daemon left behind is replaced; a living daemon is an error.
    pub fn open(path: &Path) -> io::Result<Control> {
        match UnixListener::bind(path) {
            Ok(listener) => Control::with(listener, path),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                if UnixStream::connect(path).is_ok() {
                    return Err(io::Error::new(io::ErrorKind::AddrInUse, "another glacic daemon answers there"));
                }
                // Not everything that stands in the way is a socket.
                if !fs::symlink_metadata(path)?.file_type().is_socket() {
                    return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file that is no socket"));
                }
                fs::remove_file(path)?;
                Control::with(UnixListener::bind(path)?, path)
            }
            Err(error) => Err(error),
        }
    }

    fn with(listener: UnixListener, path: &Path) -> io::Result<Control> {
        fs::set_permissions(path, Permissions::from_mode(0o660))?;
        listener.set_nonblocking(true)?;
        Ok(Control { listener, path: path.to_owned(), clients: HashMap::new(), next: 0 })
    }

    /// Adds the descriptors to wait for.
    pub fn watch<T: Copy>(&self, set: &mut PollSet<T>, listener: T, client: impl Fn(Client) -> T) {
        if self.clients.len() < CAPACITY {
            set.add(listener, self.listener.as_fd(), Interest::READ);
        }
        for (name, connection) in &self.clients {
            set.add(client(*name), connection.as_fd(), connection.interest());
        }
    }

    /// Takes in a new connection.
    pub fn accept(&mut self) {
        let Ok((stream, _)) = self.listener.accept() else { return };
        let Ok(connection) = Connection::new(stream) else { return };
        let name = Client(self.next);
        self.next = self.next.wrapping_add(1);
        self.clients.insert(name, connection);
    }

    /// Reads and writes what is possible on a connection; returns the next request, if one is complete.
    pub fn serve(&mut self, client: Client) -> Option<Request> {
        let connection = self.clients.get_mut(&client)?;
        if connection.exchange().is_err() {
            self.clients.remove(&client);
            return None;
        }
        self.next_request(client)
    }

    /// Connections whose next request has arrived already, with the one before.
    pub fn waiting(&self) -> Vec<Client> {
        self.clients.iter().filter(|(_, connection)| connection.has_request()).map(|(client, _)| *client).collect()
    }

    /// The next request that has arrived, unless one is under way. Lines that are no request are answered here.
    pub fn next_request(&mut self, client: Client) -> Option<Request> {
        loop {
            let line = self.clients.get_mut(&client)?.next_line()?;
            let parsed = match line {
                Ok(line) => Request::parse(&line),
                Err(error) => Err(error),
            };
            match parsed {
                Ok(Request::Events) => {
                    // Whoever has this answer misses nothing from then on.
                    self.reply(client, "{}");
                    self.clients.get_mut(&client)?.follow();
                    return None;
                }
                Ok(request) => return Some(request),
                Err(error) => self.fail(client, error),
            }
        }
    }

    /// Answers with a result that is JSON already.
    pub fn reply(&mut self, client: Client, json: &str) {
        self.send(client, format!("{{\"result\":{json}}}\n"));
    }

    /// Answers with an error.
    pub fn fail(&mut self, client: Client, error: Error) {
        self.send(client, format!("{}\n", serde_json::json!({ "error": error })));
    }

    /// Answers with a result.
    pub fn answer<T: serde::Serialize>(&mut self, client: Client, result: &T) {
        match serde_json::to_string(result) {
            Ok(json) => self.reply(client, &json),
            Err(fault) => self.fail(client, Error::new(Code::Internal, fault.to_string())),
        }
    }

    fn send(&mut self, client: Client, line: String) {
        if let Some(connection) = self.clients.get_mut(&client)
            && connection.answer(&line).is_err()
        {
            self.clients.remove(&client);
        }
    }

    /// Tells everybody who listens.
    pub fn broadcast(&mut self, event: &Event) {
        if !self.clients.values().any(Connection::follows) {
            return;
        }
        let Ok(mut line) = serde_json::to_string(event) else { return };
        line.push('\n');
        self.clients.retain(|_, connection| !connection.follows() || connection.tell(&line).is_ok());
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // Gone already, or not ours any more: nothing to do about either.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests;
