//! What the owner may want to hear, in the form in which it reaches everybody: monitor, log and LuCI.

use serde::{Deserialize, Serialize};

use crate::flow::view::FlowView;
use crate::flow::{DeviceMode, Mac, Wall};

/// Something the owner may want to know. On the line `{"time":…,"event":"flow_new",…}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub time: Wall,
    #[serde(flatten)]
    pub what: What,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
