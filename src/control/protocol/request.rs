//! What is asked, and how it is read from a line.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Code, Error};
use crate::flow::query::{Query, Selection};
use crate::flow::{DeviceMode, FlowId};

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
    pub id: FlowId,
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
