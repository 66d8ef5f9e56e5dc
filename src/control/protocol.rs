//! Requests, replies and events, as they stand on the line.

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use crate::engine::events::{Event, What};
use crate::flow::query::{Query, Selection};
use crate::flow::view::{DeviceView, FlowView};
use crate::flow::{DeviceMode, Mac, Port, Protocol, Wall};

/// The longest request line the daemon reads, in bytes.
pub const MAX_REQUEST: usize = 64 * 1024;

/// What can be asked. On the line: `{"method":"flow_list","params":{…}}`; `params` may be absent.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    Status,
    Stats,
    FlowList(Query),
    FlowGet(FlowGet),
    FlowAllow(Selection),
    FlowDeny(Selection),
    FlowForget(Selection),
    DeviceList(DeviceQuery),
    DeviceSet(DeviceSet),
    LearningSet(LearningSet),
    Activity,
    EventList(EventList),
    /// Turns the connection into a stream: one [`Event`] a line until it is closed.
    Events,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowGet {
    pub id: crate::flow::FlowId,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeviceQuery {
    /// Text that occurs in the device's MAC or name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<DeviceMode>,
    pub sort: DeviceSort,
    pub descending: bool,
    pub offset: u32,
    /// As in [`Query::limit`].
    pub limit: u32,
}

/// What a list of devices is sorted by; those that are equal in it come in the order of their addresses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceSort {
    #[default]
    Mac,
    Name,
    Mode,
    Zone,
    FirstSeen,
    LastSeen,
    Allowed,
    Pending,
    Denied,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceSet {
    /// A MAC address, or the name of a known device.
    pub device: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<DeviceMode>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LearningSet {
    pub on: bool,
    /// Seconds of uptime after which the other mode returns; absent: for good.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
}

/// Which of the last events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventList {
    /// The number of the last event that is known already; absent: the last events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// Events to return; absent or 0 means [`EventList::DEFAULT_LIMIT`].
    pub limit: u32,
}

impl EventList {
    pub const DEFAULT_LIMIT: usize = 100;
}

impl Request {
    /// Reads one line. The error is what the asker is told.
    pub fn parse(line: &str) -> Result<Request, Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Envelope {
            method: String,
            #[serde(default)]
            params: Option<Value>,
        }
        fn params<T: for<'de> Deserialize<'de>>(params: Option<Value>) -> Result<T, Error> {
            serde_json::from_value(params.unwrap_or_else(|| Value::Object(Default::default())))
                .map_err(|fault| Error::new(Code::InvalidParams, fault.to_string()))
        }
        fn none(params: Option<Value>, request: Request) -> Result<Request, Error> {
            match params {
                None | Some(Value::Null) => Ok(request),
                Some(Value::Object(members)) if members.is_empty() => Ok(request),
                Some(_) => Err(Error::new(Code::InvalidParams, "this method takes no parameters")),
            }
        }
        let Envelope { method, params: given } =
            serde_json::from_str(line).map_err(|fault| Error::new(Code::InvalidRequest, fault.to_string()))?;
        Ok(match method.as_str() {
            "status" => none(given, Request::Status)?,
            "stats" => none(given, Request::Stats)?,
            "flow_list" => Request::FlowList(params(given)?),
            "flow_get" => Request::FlowGet(params(given)?),
            "flow_allow" => Request::FlowAllow(params(given)?),
            "flow_deny" => Request::FlowDeny(params(given)?),
            "flow_forget" => Request::FlowForget(params(given)?),
            "device_list" => Request::DeviceList(params(given)?),
            "device_set" => Request::DeviceSet(params(given)?),
            "learning_set" => Request::LearningSet(params(given)?),
            "activity" => none(given, Request::Activity)?,
            "event_list" => Request::EventList(params(given)?),
            "events" => none(given, Request::Events)?,
            _ => return Err(Error::new(Code::UnknownMethod, format!("there is no method {method:?}"))),
        })
    }

    /// The request as a line, without the newline.
    pub fn to_line(&self) -> String {
        fn value<T: Serialize>(params: &T) -> Value {
            serde_json::to_value(params).unwrap_or(Value::Null)
        }
        let (method, params) = match self {
            Request::Status => ("status", Value::Null),
            Request::Stats => ("stats", Value::Null),
            Request::FlowList(query) => ("flow_list", value(query)),
            Request::FlowGet(get) => ("flow_get", value(get)),
            Request::FlowAllow(selection) => ("flow_allow", value(selection)),
            Request::FlowDeny(selection) => ("flow_deny", value(selection)),
            Request::FlowForget(selection) => ("flow_forget", value(selection)),
            Request::DeviceList(query) => ("device_list", value(query)),
            Request::DeviceSet(set) => ("device_set", value(set)),
            Request::LearningSet(set) => ("learning_set", value(set)),
            Request::Activity => ("activity", Value::Null),
            Request::EventList(list) => ("event_list", value(list)),
            Request::Events => ("events", Value::Null),
        };
        match params {
            Value::Null => serde_json::json!({ "method": method }).to_string(),
            params => serde_json::json!({ "method": method, "params": params }).to_string(),
        }
    }
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

/// The reply to `status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    pub version: String,
    /// The time by the router's clock.
    pub time: Wall,
    /// Seconds since the daemon started.
    pub uptime: u64,
    /// Whether the owner has turned glacic on.
    pub enabled: bool,
    pub learning: bool,
    /// Seconds of uptime until the learning mode changes by itself.
    pub learning_left: Option<u64>,
    /// `log` or `queue`, as it runs now.
    pub mode: String,
    /// `guard` or `fallback`.
    pub placement: String,
    /// `open` or `closed`.
    pub fail_mode: String,
    /// Guarded interfaces.
    pub interfaces: Vec<String>,
    pub flows: FlowCounts,
    pub devices: u64,
    /// Packets, as far as it is known who dropped them; of up to five minutes more.
    pub dropped_last_hour: u64,
    pub database: DatabaseStatus,
    /// Whether the ruleset is in the kernel.
    pub ruleset: bool,
    /// Whether the wall clock has been set.
    pub clock_set: bool,
    pub confinement: Confinement,
    /// What the owner should know.
    pub warnings: Vec<Warning>,
}

/// What the daemon may do, as the kernel shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    /// Who it runs as.
    pub user: String,
    /// What it is permitted, by the kernel's names in lower case and without their `CAP_`.
    pub capabilities: Vec<String>,
    /// Whether programs that it starts can gain nothing by being started.
    pub no_new_privileges: bool,
    /// Whether the kernel refuses system calls that it never needs.
    pub filter: bool,
    /// What could not be given up, and why.
    pub trouble: Vec<String>,
}

/// Something that is wrong right now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    pub code: WarningCode,
    /// A sentence: what is wrong and what to do.
    pub message: String,
}

/// What a warning is about, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WarningCode {
    RulesetMissing,
    ModuleMissing,
    Offload,
    QueueOverflow,
    LogLost,
    DatabaseTrouble,
    DatabaseMoved,
    TableFull,
    ConfigRefused,
    ClockNotSet,
    /// A zone or interface that is not guarded although it should be.
    Interface,
    /// The router's own firewall does not do its part.
    Fw4,
    /// Everything else, and what a newer daemon may tell.
    #[serde(other)]
    Other,
}

impl WarningCode {
    pub const ALL: [WarningCode; 13] = [
        WarningCode::RulesetMissing,
        WarningCode::ModuleMissing,
        WarningCode::Offload,
        WarningCode::QueueOverflow,
        WarningCode::LogLost,
        WarningCode::DatabaseTrouble,
        WarningCode::DatabaseMoved,
        WarningCode::TableFull,
        WarningCode::ConfigRefused,
        WarningCode::ClockNotSet,
        WarningCode::Interface,
        WarningCode::Fw4,
        WarningCode::Other,
    ];
}

/// The reply to `activity`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// Seconds of a slot.
    pub step: u64,
    /// When the first slot began.
    pub since: i64,
    /// The oldest first; the last one is not over yet.
    pub slots: Vec<Slot>,
    /// The most active ones, the first of them first.
    pub devices: Vec<ActiveDevice>,
    pub services: Vec<ActiveService>,
}

/// What happened in one span of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// When it began, in seconds since 1970.
    pub at: i64,
    pub new_flows: u32,
    pub dropped: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveDevice {
    pub mac: Mac,
    /// Its name, where one is known.
    pub device: Option<String>,
    pub connections: u32,
    /// Packets.
    pub dropped: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveService {
    pub proto: Protocol,
    #[serde(with = "crate::flow::query::port_or_any")]
    pub port: Port,
    pub connections: u32,
    pub dropped: u32,
}

/// The reply to `event_list`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventPage {
    pub events: Vec<Numbered>,
    /// The number of the last event there was.
    pub last: u64,
}

/// An event with its number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Numbered {
    pub seq: u64,
    #[serde(flatten)]
    pub event: Event,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowCounts {
    pub allowed: u64,
    pub pending: u64,
    pub denied: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatabaseStatus {
    pub path: String,
    /// Why nothing is being written, where that is so.
    pub trouble: Option<String>,
    /// Where a damaged or foreign file was moved at start.
    pub moved_aside: Option<String>,
}

/// The reply to `stats`. Counts are since the daemon started.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    pub uptime: u64,
    /// Packets the daemon saw.
    pub packets: u64,
    pub accepted: u64,
    pub dropped: u64,
    /// Packets that could not be read.
    pub malformed: u64,
    /// Verdicts the kernel did not take.
    pub verdict_errors: u64,
    /// Packets held right now, and the most at any time.
    pub held: u64,
    pub held_peak: u64,
    /// Held packets that were answered by `fail_mode` because nobody answered in time.
    pub held_expired: u64,
    pub no_mac: u64,
    /// Packets the kernel dropped because the queue was full, and because the socket was.
    pub queue_dropped: u64,
    pub queue_user_dropped: u64,
    /// Times the kernel said that the socket's buffer was full.
    pub overflows: u64,
    pub log_lost: u64,
    pub cache_hits: u64,
    pub cache_misses: u64,
    pub cache_entries: u64,
    /// Requests waiting for the store, and for the firewall.
    pub store_queue: u64,
    pub firewall_queue: u64,
    /// Milliseconds from a request to the store's last reply to one.
    pub store_lag_ms: u64,
    /// Changes that reached the store, and that it could not take.
    pub store_writes: u64,
    pub store_errors: u64,
    pub events: u64,
    pub events_suppressed: u64,
    /// Elements in each kernel set, as far as glacic put them there.
    pub sets: std::collections::BTreeMap<String, u64>,
    pub firewall_errors: u64,
}
