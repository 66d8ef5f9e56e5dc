//! Where packets come from: the kernel's queue, the kernel's log, or a capture file.

pub mod pcap;
pub mod replay;
