//! What the owner may want to hear, in the form in which it reaches everybody: monitor, log and LuCI.

use serde::{Deserialize, Serialize};

use crate::flow::view::FlowView;
use crate::flow::{DeviceMode, Mac, Wall};

/// Something the owner may want to know. On the line `{"time":…,"event":"flow_new",…}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Members")]
pub struct Event {
    pub time: Wall,
    #[serde(flatten)]
    pub what: What,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What {
    /// A flow was seen for the first time.
    FlowNew {
        flow: FlowView,
    },
    /// A flow's state changed.
    FlowChanged {
        flow: FlowView,
    },
    FlowForgotten {
        flow: FlowView,
    },
    /// So many more flows were changed or forgotten by the same decision.
    FlowsChanged {
        count: u64,
    },
    /// A device was seen for the first time.
    DeviceNew {
        mac: Mac,
        zone: Option<String>,
    },
    DeviceChanged {
        mac: Mac,
        mode: DeviceMode,
    },
    /// Something that wants attention: folded, at most one an hour of a kind and device.
    Alert {
        kind: String,
        mac: Option<Mac>,
        message: String,
    },
    LearningChanged {
        learning: bool,
    },
    ConfigReloaded,
    ConfigRefused {
        message: String,
    },
}

/// Every member that an event on the line may have. What serde makes for reading a flattened enum takes twenty times as much
/// code as this.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Members {
    time: Option<Wall>,
    event: String,
    flow: Option<FlowView>,
    count: Option<u64>,
    mac: Option<Mac>,
    zone: Option<String>,
    mode: Option<DeviceMode>,
    kind: Option<String>,
    message: Option<String>,
    learning: Option<bool>,
}

impl TryFrom<Members> for Event {
    type Error = String;

    fn try_from(members: Members) -> Result<Event, String> {
        let Members { time, event, flow, count, mac, zone, mode, kind, message, learning } = members;
        let missing = |member: &str| format!("missing field `{member}`");
        let flow = flow.ok_or_else(|| missing("flow"));
        let some_mac = mac.ok_or_else(|| missing("mac"));
        let message = message.ok_or_else(|| missing("message"));
        let what = match event.as_str() {
            "flow_new" => What::FlowNew { flow: flow? },
            "flow_changed" => What::FlowChanged { flow: flow? },
            "flow_forgotten" => What::FlowForgotten { flow: flow? },
            "flows_changed" => What::FlowsChanged { count: count.ok_or_else(|| missing("count"))? },
            "device_new" => What::DeviceNew { mac: some_mac?, zone },
            "device_changed" => What::DeviceChanged { mac: some_mac?, mode: mode.ok_or_else(|| missing("mode"))? },
            "alert" => What::Alert { kind: kind.ok_or_else(|| missing("kind"))?, mac, message: message? },
            "learning_changed" => What::LearningChanged { learning: learning.ok_or_else(|| missing("learning"))? },
            "config_reloaded" => What::ConfigReloaded,
            "config_refused" => What::ConfigRefused { message: message? },
            other => return Err(format!("unknown event `{other}`")),
        };
        Ok(Event { time: time.ok_or_else(|| missing("time"))?, what })
    }
}
