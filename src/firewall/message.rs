//! What the firewall thread is asked, and what it answers.

use std::collections::BTreeMap;
use std::fmt;

use crate::config::settings::{FailMode, Placement};
use crate::flow::{DeviceMode, Key, Mac, State};

use super::plan::Plan;

/// A flow's decision changed. `None` is a flow nobody knows (any more).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    pub key: Key,
    pub before: Option<State>,
    pub after: Option<State>,
}

/// What the firewall thread can be asked for.
#[derive(Debug, Clone)]
pub enum Request {
    /// Bring this ruleset and these decisions into the kernel, replacing whatever of ours is there.
    Load(Box<Load>),
    /// Decisions changed: all of the group become valid at once. A denial also cuts the connections it is about.
    Change { ticket: Option<u32>, changes: Vec<Change> },
    /// A device is treated differently from now on.
    Device { ticket: Option<u32>, mac: Mac, before: DeviceMode, after: DeviceMode },
    /// How many connections began, by flow, since the last such report.
    Counters { ticket: Option<u32> },
    /// How many packets the rules have dropped.
    Drops,
    /// Leave the kernel as the placement and `fail_mode` want it, whoever loaded what is there, and end the thread.
    Unload { placement: Placement, fail_mode: FailMode },
}

/// The whole of what the kernel should know.
#[derive(Debug, Clone)]
pub struct Load {
    pub plan: Plan,
    /// Every decided flow; pending ones are left out by the firewall.
    pub elements: Vec<(Key, State)>,
    /// Every device that does not follow the house.
    pub devices: Vec<(Mac, DeviceMode)>,
}

/// What the firewall thread has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// The ruleset is in the kernel.
    Loaded { warnings: Vec<String>, failed: Vec<Failure>, sizes: SetSizes },
    /// It is not; what was there before still is.
    Refused(LoadError),
    /// A change of flows or of a device was carried out, except for what `failed` names.
    Applied { ticket: Option<u32>, failed: Vec<Failure>, sizes: SetSizes },
    /// Connections that began since the last such report. Flows without any are left out.
    /// `denied` are packets that were dropped because a flow or a whole device is denied, since then.
    /// `no_mac` counts packets without a hardware address since the thread began.
    Counters { ticket: Option<u32>, flows: Vec<(Key, u64)>, denied: Vec<(Subject, u64)>, no_mac: u64 },
    /// Packets that the rules have dropped since the thread began.
    Drops(u64),
    /// Connections that a denial ended. Reported when there were any, or when something failed.
    Cut { what: Subject, connections: u32, trouble: Option<String> },
    /// fw4 has been started anew; what its ruleset lacks of ours now.
    Fw4 { warnings: Vec<String> },
    /// Somebody removed something of ours: the answer is another [`Request::Load`].
    Damaged(Damage),
    /// The thread has ended after [`Request::Unload`].
    Unloaded { trouble: Option<String> },
}

/// What somebody removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    Table,
    Rules,
    Elements,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Damage::Table => "somebody removed glacic's table: putting it back",
            Damage::Rules => "somebody removed rules from glacic's table: putting them back",
            Damage::Elements => "somebody removed decisions from glacic's table: putting them back",
        })
    }
}

/// What a failure is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    Flow(Key),
    Device(Mac),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Flow(key) => key.fmt(f),
            Subject::Device(mac) => mac.fmt(f),
        }
    }
}

/// One decision that did not reach the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub what: Subject,
    pub why: String,
}

/// Elements in each set, as far as glacic put them there.
pub type SetSizes = BTreeMap<&'static str, u32>;

/// Why a ruleset was not loaded. What was loaded before is untouched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadError {
    /// This kernel has no `queue` expression.
    NoQueue,
    /// This kernel has no `log` expression, or none that reaches user space.
    NoLog,
    /// This kernel lacks something else: the expression, and the package that brings it.
    NoExpression { what: &'static str, package: &'static str },
    /// The program `nft` cannot be started.
    NoNft { path: String, why: String },
    /// A program took too long.
    Timeout { program: String, seconds: u64 },
    /// Somebody killed a program: the kernel does, when memory ends.
    Killed { program: String },
    /// nft refused the text.
    Invalid { what: String, why: String },
    /// The kernel refused, by netlink.
    Kernel { what: &'static str, why: String },
    /// An include could not be written.
    Publish { path: String, why: String },
    /// The daemon was told to stop meanwhile.
    Leaving,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::NoQueue => {
                f.write_str("this kernel cannot queue packets: install kmod-nft-queue, or set inline_mode to 0")
            }
            LoadError::NoLog => f.write_str("this kernel cannot log packets to user space: install kmod-nfnetlink-log"),
            LoadError::NoExpression { what, package } => write!(f, "this kernel has no {what}: install {package}"),
            LoadError::NoNft { path, why } => write!(f, "{path} cannot be run ({why}): install nftables"),
            LoadError::Timeout { program, seconds } => write!(f, "{program} did not end within {seconds} s"),
            LoadError::Killed { program } => {
                write!(f, "{program} was killed, perhaps by the kernel for want of memory (see `logread`)")
            }
            LoadError::Invalid { what, why } => write!(f, "nft refused {what}: {why}"),
            LoadError::Kernel { what, why } => write!(f, "the kernel refused {what}: {why}"),
            LoadError::Publish { path, why } => write!(f, "{path} cannot be written: {why}"),
            LoadError::Leaving => f.write_str("glacic is leaving"),
        }
    }
}

impl std::error::Error for LoadError {}
