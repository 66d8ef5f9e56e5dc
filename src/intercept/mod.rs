//! Where packets come from: the kernel's queue, the kernel's log, or a capture file.

#[cfg(all(test, target_os = "linux"))]
mod live;
#[cfg(target_os = "linux")]
pub mod log;
pub mod pcap;
#[cfg(target_os = "linux")]
pub mod queue;
mod received;
pub mod replay;
pub mod verdict;

#[cfg(target_os = "linux")]
pub use crate::netlink::Packet;
pub use received::{Received, Warning};
