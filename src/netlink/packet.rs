//! A packet and what the kernel says of it: the same shape from the queue and from the log.

use std::fmt;

use crate::flow::Mac;

/// A packet as the kernel hands it over, from the queue or the log. Everything but the bytes may be missing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The sender's hardware address; none where the packet came from no Ethernet-like interface.
    pub mac: Option<Mac>,
    /// Interface numbers, as the rule saw them (a bridge, not its port).
    pub in_interface: Option<u32>,
    pub out_interface: Option<u32>,
    /// The netfilter hook: `NF_INET_LOCAL_IN` 1, `NF_INET_FORWARD` 2, `NF_INET_LOCAL_OUT` 3 (linux/netfilter.h).
    pub hook: u8,
    /// 0x0800 or 0x86dd.
    pub ethertype: u16,
    /// The packet's mark; 0 if it has none.
    pub mark: u32,
    /// From the IP header on, as far as it was copied.
    pub bytes: &'a [u8],
}

impl Packet<'_> {
    /// What is known of a packet before any attribute is read.
    pub(super) const EMPTY: Packet<'static> =
        Packet { mac: None, in_interface: None, out_interface: None, hook: 0, ethertype: 0, mark: 0, bytes: &[] };
}

impl fmt::Debug for Packet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packet")
            .field("mac", &self.mac)
            .field("in", &self.in_interface)
            .field("out", &self.out_interface)
            .field("hook", &self.hook)
            .field("ethertype", &format_args!("{:#06x}", self.ethertype))
            .field("mark", &format_args!("{:#x}", self.mark))
            .field("bytes", &self.bytes.len())
            .finish()
    }
}
