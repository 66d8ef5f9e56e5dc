//! The control protocol: one JSON request a line, one JSON reply a line, over a Unix socket.
//!
//! [`protocol`] holds the shapes, which the daemon, the command line and rpcd share; [`client`] is the asking side.
//! The answering side lives in the daemon.

pub mod client;
pub mod protocol;
