//! The language of the packet log (linux/netfilter/nfnetlink_log.h).

use super::attributes::{Attribute, Message, NETFILTER_HEADER};
use super::message::{ACKNOWLEDGE, Builder, Header, REQUEST, Subsystem};
use super::{Error, Packet, nfqueue, procfs};
use crate::flow::Mac;

/// The kernel's module, and its file in `/proc/net/netfilter`.
pub const MODULE: &str = "nfnetlink_log";

/// `NFULNL_MSG_*`.
const PACKET: u8 = 0;
const CONFIG: u8 = 1;

/// `NFULA_*`.
const PACKET_HEADER: u16 = 1;
const MARK: u16 = 2;
const IN_INTERFACE: u16 = 4;
const OUT_INTERFACE: u16 = 5;
const HARDWARE_ADDRESS: u16 = 8;
const PAYLOAD: u16 = 9;
const PREFIX: u16 = 10;
const SEQUENCE: u16 = 12;
const HARDWARE_TYPE: u16 = 15;
const HARDWARE_HEADER: u16 = 16;

/// `NFULA_CFG_*`.
const CFG_COMMAND: u16 = 1;
const CFG_MODE: u16 = 2;
const CFG_BUFFER: u16 = 3;
const CFG_TIMEOUT: u16 = 4;
const CFG_THRESHOLD: u16 = 5;
const CFG_FLAGS: u16 = 6;
const BIND: u8 = 1;
const COPY_PACKET: u8 = 2;
/// `NFULNL_CFG_F_SEQ`: number the records of this group.
const NUMBER_RECORDS: u16 = 1;
/// `ARPHRD_ETHER`.
const ETHERNET: u16 = 1;

/// How the kernel gathers records before it sends them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gathering {
    /// Bytes of each packet that are copied, from the IP header on.
    pub copy_range: u32,
    /// Bytes of the kernel's buffer. The kernel rounds its allocation up, and uses all of it: a datagram can be twice as long.
    pub buffer: u32,
    /// Hundredths of a second a record waits at most.
    pub timeout: u32,
    /// Records after which the buffer is sent.
    pub threshold: u32,
}

/// Binds a group, all settings in one message.
pub fn bind(builder: &mut Builder, sequence: u32, group: u16, gathering: &Gathering) {
    let header = Header { kind: Subsystem::Log.kind(CONFIG), flags: REQUEST | ACKNOWLEDGE, sequence };
    builder.netfilter(header, libc::AF_UNSPEC as u8, group, |body| {
        body.put(CFG_COMMAND, &[BIND]);
        // struct nfulnl_msg_config_mode: copy range (big-endian), copy mode, padding.
        let [a, b, c, d] = gathering.copy_range.to_be_bytes();
        body.put(CFG_MODE, &[a, b, c, d, COPY_PACKET, 0]);
        body.put_be32(CFG_BUFFER, gathering.buffer);
        body.put_be32(CFG_TIMEOUT, gathering.timeout);
        body.put_be32(CFG_THRESHOLD, gathering.threshold);
        body.put_be16(CFG_FLAGS, NUMBER_RECORDS);
    });
}

/// A logged packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    pub packet: Packet<'a>,
    /// The `prefix` of the rule that logged it; empty if it has none.
    pub prefix: &'a [u8],
    /// Counts up by one a record of the group, also over those that were lost.
    pub sequence: Option<u32>,
}

/// A record; `None` if the message is none.
pub fn record<'a>(message: &Message<'a>) -> Option<Record<'a>> {
    if message.kind != Subsystem::Log.kind(PACKET) {
        return None;
    }
    let mut record = Record { packet: Packet::EMPTY, prefix: &[], sequence: None };
    let packet = &mut record.packet;
    let (mut header, mut hardware) = (None, None);
    for attribute in message.attributes(NETFILTER_HEADER) {
        match attribute.kind {
            PACKET_HEADER => {
                // struct nfulnl_msg_packet_hdr: ethertype (big-endian), hook, padding.
                if let Some([high, low, hook]) = attribute.array() {
                    packet.ethertype = u16::from_be_bytes([high, low]);
                    packet.hook = hook;
                }
            }
            MARK => packet.mark = attribute.be32().unwrap_or(0),
            IN_INTERFACE => packet.in_interface = attribute.be32(),
            OUT_INTERFACE => packet.out_interface = attribute.be32(),
            HARDWARE_ADDRESS => packet.mac = nfqueue::hardware_address(&attribute),
            HARDWARE_TYPE => hardware = attribute.be16(),
            HARDWARE_HEADER => header = Some(attribute),
            PAYLOAD => packet.bytes = attribute.value,
            PREFIX => record.prefix = attribute.until_nul(),
            SEQUENCE => record.sequence = attribute.be32(),
            _ => (),
        }
    }
    if hardware == Some(ETHERNET) {
        packet.mac = packet.mac.or_else(|| header.and_then(|header| ethernet_source(&header)));
    }
    Some(record)
}

/// The source in an Ethernet header: behind the destination, before the ethertype.
fn ethernet_source(header: &Attribute<'_>) -> Option<Mac> {
    match header.array::<14>()? {
        [_, _, _, _, _, _, a, b, c, d, e, f, _, _] => Some(Mac([a, b, c, d, e, f])),
    }
}

/// Counts lost records by the gaps in their numbers, which wrap around and may begin anywhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gaps {
    next: Option<u32>,
}

impl Gaps {
    /// Of a group that was just bound: the kernel counts from 0.
    pub const fn after_bind() -> Gaps {
        Gaps { next: Some(0) }
    }

    /// Takes in a record's number; says how many were lost since the one before. A number that lies behind (somebody else
    /// set up the group anew) is a new beginning.
    pub fn lost_before(&mut self, sequence: u32) -> u32 {
        let gap = self.next.map_or(0, |next| sequence.wrapping_sub(next));
        self.next = Some(sequence.wrapping_add(1));
        if gap > u32::MAX / 2 { 0 } else { gap }
    }
}

/// Why a group could not be bound.
pub fn explain_bind(error: Error, group: u16) -> Error {
    let mut error = procfs::explain_bind(error, MODULE, group);
    error.what = format!("bind log group {group}").into();
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::attributes::messages;

    fn read(fill: impl FnOnce(&mut super::super::message::Body<'_>), check: impl FnOnce(Record<'_>)) {
        let mut builder = Builder::default();
        let header = Header { kind: Subsystem::Log.kind(PACKET), flags: 0, sequence: 0 };
        builder.netfilter(header, libc::AF_INET as u8, 100, fill);
        check(record(&messages(builder.bytes().unwrap()).next().unwrap().unwrap()).unwrap());
    }

    #[test]
    fn reads_all_of_a_record() {
        read(
            |body| {
                body.put(PACKET_HEADER, &[0x08, 0x00, 2, 0]);
                body.put_be32(MARK, 5);
                body.put_be32(IN_INTERFACE, 3);
                body.put_be32(OUT_INTERFACE, 4);
                body.put(HARDWARE_ADDRESS, &[0, 6, 0, 0, 2, 0, 0, 0, 0, 9, 0, 0]);
                body.put(PAYLOAD, b"payload");
                body.put_text(PREFIX, "DROP_FWD: ");
                body.put_be32(SEQUENCE, 17);
            },
            |record| {
                let packet = Packet {
                    mac: Some(Mac([2, 0, 0, 0, 0, 9])),
                    in_interface: Some(3),
                    out_interface: Some(4),
                    hook: 2,
                    ethertype: 0x0800,
                    mark: 5,
                    bytes: b"payload",
                };
                assert_eq!(record, Record { packet, prefix: b"DROP_FWD: ", sequence: Some(17) });
            },
        );
    }

    #[test]
    fn the_ethernet_header_names_the_sender_where_nothing_else_does() {
        let header = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 7, 8, 0];
        for (hardware, expected) in [(ETHERNET, Some(Mac([2, 0, 0, 0, 0, 7]))), (512, None)] {
            let fill = |body: &mut super::super::message::Body<'_>| {
                body.put(HARDWARE_HEADER, &header);
                body.put_be16(HARDWARE_TYPE, hardware);
            };
            read(fill, |record| assert_eq!(record.packet.mac, expected));
        }
    }

    #[test]
    fn everything_may_be_absent() {
        read(|_| (), |record| assert_eq!(record, Record { packet: Packet::EMPTY, prefix: b"", sequence: None }));
    }

    #[test]
    fn gaps_are_counted_exactly() {
        let lost = |numbers: &[u32]| {
            let mut gaps = Gaps::default();
            numbers.iter().map(|number| gaps.lost_before(*number)).collect::<Vec<_>>()
        };
        assert_eq!(lost(&[700, 701, 705, 706]), [0, 0, 3, 0], "begins anywhere");
        assert_eq!(lost(&[u32::MAX - 1, u32::MAX, 0, 3]), [0, 0, 0, 2], "wraps around");
        assert_eq!(lost(&[u32::MAX - 1, 2]), [0, 3], "a gap over the end");
        assert_eq!(Gaps::after_bind().lost_before(2), 2);
        assert_eq!(lost(&[50, 0, 1]), [0, 0, 0], "begins anew");
    }
}
