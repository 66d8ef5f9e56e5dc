//! A flow and a device as everybody outside sees them: the same JSON in listings, events and replay.

use serde::{Deserialize, Serialize};

use super::{DeviceMode, FlowId, Key, Mac, Origin, Port, Protocol, Record, State, Wall};

/// A name of a flow's destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name {
    pub name: String,
    /// `sni`, `dns` or `reverse`.
    pub source: String,
    /// 0 to 100: SNI 100, DNS answer 80, reverse DNS 20.
    pub confidence: u8,
}

/// A flow in JSON. Times are seconds since 1970; one before [`Wall::PLAUSIBLE`] was taken before the clock was set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowView {
    /// Absent (null) for a flow that has not been recorded.
    pub id: Option<FlowId>,
    pub mac: Mac,
    /// The device's name, where one is known.
    pub device: Option<String>,
    pub proto: Protocol,
    /// Null means any port; for ICMP the type, for protocols without ports 0.
    #[serde(with = "super::query::port_or_any")]
    pub port: Port,
    /// `any`, or the name or address the flow is bound to.
    pub destination: String,
    pub state: State,
    pub origin: Origin,
    pub zone: Option<String>,
    pub first_seen: Wall,
    pub last_seen: Wall,
    /// When the owner decided; null where nobody has.
    pub decided: Option<Wall>,
    pub connections: u64,
    /// From conntrack accounting; null where that is off.
    pub packets: Option<u64>,
    pub bytes: Option<u64>,
    pub names: Vec<Name>,
    pub app: Option<String>,
}

impl FlowView {
    /// The view of a record; names, and what a record does not hold, are filled in by whoever knows them.
    pub fn new(record: &Record) -> FlowView {
        let Key { mac, protocol, port, destination } = record.key;
        FlowView {
            id: Some(record.id),
            mac,
            device: None,
            proto: protocol,
            port,
            destination: match destination {
                super::Destination::Any => "any".to_owned(),
                super::Destination::Name(id) => format!("name {}", id.0),
                super::Destination::Address(address) => address.to_string(),
            },
            state: record.state,
            origin: record.origin,
            zone: None,
            first_seen: record.first_seen,
            last_seen: record.last_seen,
            decided: None,
            connections: record.connections,
            packets: None,
            bytes: None,
            names: Vec::new(),
            app: None,
        }
    }
}

/// A device in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceView {
    pub mac: Mac,
    pub name: Option<String>,
    /// A locally administered address: probably chosen at random.
    pub randomised: bool,
    pub mode: DeviceMode,
    pub zone: Option<String>,
    pub first_seen: Wall,
    pub last_seen: Wall,
    pub allowed: u32,
    pub pending: u32,
    pub denied: u32,
}
