//! The words of the house: what a flow is, how it is named, and what may become of it.
//!
//! Everything here is a plain value: no I/O, no clock, no knowledge of any other room.

pub mod cache;
mod key;
mod mac;
mod protocol;
pub mod query;
mod service;
mod state;
mod time;
pub mod view;

pub use key::{Destination, Key, NameId, Port};
pub use mac::Mac;
pub use protocol::Protocol;
pub use service::service_name;
pub use state::{Change, DeviceMode, FlowId, Origin, Record, State, Verdict};
pub use time::{Monotonic, Now, Rate, Wall};

/// Text that does not name what it should: says what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// What was expected, for example `a MAC address such as b8:27:eb:00:00:01`.
    pub expected: &'static str,
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "expected {}", self.expected)
    }
}

impl std::error::Error for Unreadable {}
