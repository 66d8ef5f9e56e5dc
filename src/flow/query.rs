//! Which flows somebody asks for: the filters, order and page of listings, and the selection of a decision.

use serde::{Deserialize, Serialize};

use super::{FlowId, Mac, Origin, Port, Protocol, State};

/// Which flows. Every given field must match; an empty filter matches all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// A device's MAC address, or its name (whole, case ignored).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proto: Option<Protocol>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// First seen at most so many seconds ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newer_than: Option<u64>,
    /// Last seen at least so many seconds ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_for: Option<u64>,
    /// Text that occurs in the device's MAC or name, in the protocol, the port or the service's name; or a state's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search: Option<String>,
}

/// What a listing is sorted by; flows that are equal in it come in the order of their ids.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    #[default]
    Id,
    Device,
    Service,
    State,
    FirstSeen,
    LastSeen,
    Connections,
}

/// One page of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Query {
    pub filter: Filter,
    pub sort: Sort,
    pub descending: bool,
    /// Flows to leave out at the beginning.
    pub offset: u32,
    /// Flows to return; absent or 0 means [`Query::DEFAULT_LIMIT`], more than [`Query::MAX_LIMIT`] means that.
    pub limit: u32,
}

impl Query {
    pub const DEFAULT_LIMIT: u32 = 100;
    pub const MAX_LIMIT: u32 = 500;

    /// The number of flows a page holds at most.
    pub fn page_size(&self) -> u32 {
        match self.limit {
            0 => Query::DEFAULT_LIMIT,
            limit => limit.min(Query::MAX_LIMIT),
        }
    }
}

/// The flows a decision is about. In JSON an object with exactly one of these members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    /// By number.
    Ids(Vec<FlowId>),
    /// All that match; an empty filter is refused by the control room, not here.
    Filter(Filter),
    /// One service of one device, whether it was ever seen or not.
    Service(Service),
}

/// A flow named by its parts. `port` absent means any port of the protocol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// A MAC address, or the name of a known device.
    pub device: String,
    pub proto: Protocol,
    #[serde(default, with = "port_or_any")]
    pub port: Port,
}

/// What the owner says about flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    Allow,
    Deny,
    /// As if it had never been seen.
    Forget,
}

/// A port in JSON: its number, or null for any.
pub mod port_or_any {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Port;

    pub fn serialize<S: Serializer>(port: &Port, out: S) -> Result<S::Ok, S::Error> {
        port.number().serialize(out)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Port, D::Error> {
        Ok(Option::<u16>::deserialize(input)?.map_or(Port::Any, Port::Number))
    }
}

/// The MAC address a device is named by, where the text is one.
pub fn as_mac(device: &str) -> Option<Mac> {
    device.parse().ok()
}
