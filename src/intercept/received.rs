//! What a source of packets tells besides packets: counts of one call, and warnings when it is opened.

use std::fmt;
use std::ops::AddAssign;

/// What one call of `receive` brought, in counts. Add them up for statistics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Received {
    pub packets: u64,
    /// Messages that could not be read.
    pub malformed: u64,
    /// Times the kernel said that the socket's buffer was full: an episode, not a count of packets.
    pub overflows: u64,
    /// Verdicts the kernel did not take, for example because the packet was gone.
    pub verdict_errors: u64,
    /// Log records lost, exactly: gaps in the sequence numbers.
    pub lost: u64,
}

impl AddAssign for Received {
    fn add_assign(&mut self, other: Received) {
        self.packets = self.packets.saturating_add(other.packets);
        self.malformed = self.malformed.saturating_add(other.malformed);
        self.overflows = self.overflows.saturating_add(other.overflows);
        self.verdict_errors = self.verdict_errors.saturating_add(other.verdict_errors);
        self.lost = self.lost.saturating_add(other.lost);
    }
}

/// Something that works less well than it could; glacic goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// The socket's buffer is smaller than asked for, in bytes.
    SmallBuffer { wanted: usize, got: usize },
    /// The kernel did not take a setting.
    NotTaken { setting: &'static str, why: String },
    /// The kernel shows a setting differently than it was set.
    Mismatch { setting: &'static str, set: u64, found: u64 },
    /// What the kernel took could not be read back.
    Unread { file: &'static str, why: String },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::SmallBuffer { wanted, got } => write!(
                f,
                "the packet socket's buffer has {got} bytes instead of {wanted}: bursts may overflow it; \
                 run as root or with CAP_NET_ADMIN, or raise net.core.rmem_max"
            ),
            Warning::NotTaken { setting, why } => write!(f, "the kernel did not take {setting}: {why}"),
            Warning::Mismatch { setting, set, found } => {
                write!(f, "{setting} was set to {set}, but the kernel shows {found}")
            }
            Warning::Unread { file, why } => write!(f, "cannot read {file} to check the settings: {why}"),
        }
    }
}
