//! Requests, replies and events, as they stand on the line.

mod activity;
mod request;
mod status;

use serde::{Deserialize, Serialize};

pub use self::activity::*;
pub use self::request::*;
pub use self::status::*;
pub use crate::engine::events::{Event, What};
use crate::flow::view::{DeviceView, FlowView};

/// The longest request line the daemon reads, in bytes.
pub const MAX_REQUEST: usize = 64 * 1024;

/// The reply to `flow_list`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FlowPage {
    pub flows: Vec<FlowView>,
    /// Flows that match, on all pages.
    pub total: u64,
}

/// The reply to `device_list`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DevicePage {
    pub devices: Vec<DeviceView>,
    pub total: u64,
}

/// The reply to `flow_allow`, `flow_deny` and `flow_forget`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decided {
    /// Flows whose state is now as asked, those that were so before included.
    pub matched: u64,
    /// Flows that changed, at most [`Decided::SHOWN`] of them.
    pub changed: Vec<FlowView>,
    /// How many changed.
    pub changed_total: u64,
}

impl Decided {
    pub const SHOWN: usize = 100;
}

/// Why a request was not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The line is no request.
    InvalidRequest,
    UnknownMethod,
    InvalidParams,
    /// No such flow or device.
    NotFound,
    /// Too much at once: ask again later.
    Busy,
    /// The asker may not do this.
    Denied,
    /// The decision stands in memory and in the kernel, but could not be written to the database.
    NotSaved,
    /// Something failed inside; the message says what.
    Internal,
}

/// An error on the line: `{"error":{"code":"not_found","message":"…"}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    pub code: Code,
    pub message: String,
}

impl Error {
    pub fn new(code: Code, message: impl Into<String>) -> Error {
        Error { code, message: message.into() }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
