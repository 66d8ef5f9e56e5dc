//! The language of the packet queue (linux/netfilter/nfnetlink_queue.h).

use std::io;

use super::attributes::{Attribute, Message, NETFILTER_HEADER};
use super::message::{ACKNOWLEDGE, Builder, Header, REQUEST, Subsystem};
use super::{Error, Packet, procfs};
use crate::flow::Mac;

/// The kernel's module, and its file in `/proc/net/netfilter`.
pub const MODULE: &str = "nfnetlink_queue";

/// `NFQNL_MSG_*`.
const PACKET: u8 = 0;
const VERDICT: u8 = 1;
const CONFIG: u8 = 2;

/// `NFQA_*`.
const PACKET_HEADER: u16 = 1;
const VERDICT_HEADER: u16 = 2;
const MARK: u16 = 3;
const IN_INTERFACE: u16 = 5;
const OUT_INTERFACE: u16 = 6;
const HARDWARE_ADDRESS: u16 = 9;
const PAYLOAD: u16 = 10;

/// `NFQA_CFG_*`.
const CFG_COMMAND: u16 = 1;
const CFG_PARAMETERS: u16 = 2;
const CFG_LENGTH: u16 = 3;
const CFG_MASK: u16 = 4;
const CFG_FLAGS: u16 = 5;
const BIND: u8 = 1;
pub const COPY_PACKET: u8 = 2;
/// `NFQA_CFG_F_FAIL_OPEN`: packets pass while the queue is full.
pub const FAIL_OPEN: u32 = 1;
/// `NFQA_CFG_F_GSO`: large packets come as they are, instead of being cut up first.
pub const GSO: u32 = 4;

const NF_DROP: u32 = 0;
const NF_ACCEPT: u32 = 1;

/// Binds a queue and says how packets are copied and how many it holds: one message, so that no packet meets half of it.
pub fn bind(builder: &mut Builder, sequence: u32, number: u16, copy_range: u32, length: u32) {
    configure(builder, sequence, number, |body| {
        // struct nfqnl_msg_config_cmd: command, padding, protocol family (unused since Linux 3.8).
        body.put(CFG_COMMAND, &[BIND, 0, 0, 0]);
        // struct nfqnl_msg_config_params: copy range (big-endian), copy mode.
        let [a, b, c, d] = copy_range.to_be_bytes();
        body.put(CFG_PARAMETERS, &[a, b, c, d, COPY_PACKET]);
        body.put_be32(CFG_LENGTH, length);
    });
}

/// Sets the flags of a queue that are in `mask`.
pub fn set_flags(builder: &mut Builder, sequence: u32, number: u16, mask: u32, flags: u32) {
    configure(builder, sequence, number, |body| {
        body.put_be32(CFG_MASK, mask);
        body.put_be32(CFG_FLAGS, flags);
    });
}

fn configure(builder: &mut Builder, sequence: u32, number: u16, fill: impl FnOnce(&mut super::message::Body<'_>)) {
    let header = Header { kind: Subsystem::Queue.kind(CONFIG), flags: REQUEST | ACKNOWLEDGE, sequence };
    builder.netfilter(header, libc::AF_UNSPEC as u8, number, fill);
}

/// The verdict of one packet, with the whole mark it shall have, if that changes. The kernel answers only if it refuses.
pub fn verdict(builder: &mut Builder, number: u16, id: u32, accept: bool, mark: Option<u32>) {
    let header = Header { kind: Subsystem::Queue.kind(VERDICT), flags: REQUEST, sequence: 0 };
    builder.netfilter(header, libc::AF_UNSPEC as u8, number, |body| {
        // struct nfqnl_msg_verdict_hdr: verdict, packet id (both big-endian).
        let verdict = u64::from(if accept { NF_ACCEPT } else { NF_DROP });
        body.put(VERDICT_HEADER, &(verdict << 32 | u64::from(id)).to_be_bytes());
        if let Some(mark) = mark {
            body.put_be32(MARK, mark);
        }
    });
}

/// Whether `request` (of an answer) was a verdict.
pub const fn is_verdict(request: u16) -> bool {
    request == Subsystem::Queue.kind(VERDICT)
}

/// A queued packet: its queue, its number there, and itself. `None` if the message is none, or not even its number is there.
pub fn packet<'a>(message: &Message<'a>) -> Option<(u16, u32, Packet<'a>)> {
    if message.kind != Subsystem::Queue.kind(PACKET) {
        return None;
    }
    let queue = message.resource()?;
    let mut id = None;
    let mut packet = Packet::EMPTY;
    for attribute in message.attributes(NETFILTER_HEADER) {
        match attribute.kind {
            PACKET_HEADER => {
                // struct nfqnl_msg_packet_hdr: id, ethertype (both big-endian), hook.
                if let Some([a, b, c, d, high, low, hook]) = attribute.array() {
                    id = Some(u32::from_be_bytes([a, b, c, d]));
                    packet.ethertype = u16::from_be_bytes([high, low]);
                    packet.hook = hook;
                }
            }
            MARK => packet.mark = attribute.be32().unwrap_or(0),
            IN_INTERFACE => packet.in_interface = attribute.be32(),
            OUT_INTERFACE => packet.out_interface = attribute.be32(),
            HARDWARE_ADDRESS => packet.mac = hardware_address(&attribute),
            PAYLOAD => packet.bytes = attribute.value,
            _ => (),
        }
    }
    Some((queue, id?, packet))
}

/// `struct nfqnl_msg_packet_hw`, which the log has too: length (big-endian), padding, up to eight bytes of address.
pub(super) fn hardware_address(attribute: &Attribute<'_>) -> Option<Mac> {
    match attribute.array()? {
        [0, 6, _, _, a, b, c, d, e, f] => Some(Mac([a, b, c, d, e, f])),
        _ => None,
    }
}

/// A queue as `/proc/net/netfilter/nfnetlink_queue` shows it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shown {
    /// The reader's netlink port.
    pub port: u32,
    /// Packets in the queue now.
    pub total: u32,
    pub copy_mode: u8,
    pub copy_range: u32,
    pub queue_dropped: u32,
    pub user_dropped: u32,
    pub id_sequence: u32,
}

/// What the kernel shows of queue `number`; `None` if it is not bound.
pub fn shown(number: u16) -> io::Result<Option<Shown>> {
    Ok(row(&procfs::netfilter(MODULE)?, number))
}

fn row(text: &str, number: u16) -> Option<Shown> {
    // One format string in every kernel since 2.6.14 (seq_show in nfnetlink_queue.c).
    let rows = text.lines().map(procfs::numbers);
    rows.filter_map(|row| match *row {
        [shown, port, total, mode, range, queue_dropped, user_dropped, id_sequence, ..]
            if shown == u64::from(number) =>
        {
            let narrow = |wide: u64| u32::try_from(wide).unwrap_or(u32::MAX);
            Some(Shown {
                port: narrow(port),
                total: narrow(total),
                copy_mode: u8::try_from(mode).unwrap_or(u8::MAX),
                copy_range: narrow(range),
                queue_dropped: narrow(queue_dropped),
                user_dropped: narrow(user_dropped),
                id_sequence: narrow(id_sequence),
            })
        }
        _ => None,
    })
    .next()
}

/// Why a queue could not be bound.
pub fn explain_bind(error: Error, number: u16) -> Error {
    let mut error = procfs::explain_bind(error, MODULE, number);
    error.what = format!("bind queue {number}").into();
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::attributes::messages;

    fn built(fill: impl FnOnce(&mut super::super::message::Body<'_>)) -> Builder {
        let mut builder = Builder::default();
        let header = Header { kind: Subsystem::Queue.kind(PACKET), flags: 0, sequence: 0 };
        builder.netfilter(header, libc::AF_INET as u8, 100, fill);
        builder
    }

    #[test]
    fn reads_all_of_a_packet() {
        let builder = built(|body| {
            body.put(PACKET_HEADER, &[0, 0, 1, 2, 0x86, 0xdd, 2]);
            body.put_be32(MARK, 0x1000);
            body.put_be32(IN_INTERFACE, 3);
            body.put_be32(OUT_INTERFACE, 4);
            body.put(HARDWARE_ADDRESS, &[0, 6, 0, 0, 2, 0, 0, 0, 0, 9, 0, 0]);
            body.put(PAYLOAD, b"payload");
        });
        let message = messages(builder.bytes().unwrap()).next().unwrap().unwrap();
        let packet = packet(&message).unwrap();
        let expected = Packet {
            mac: Some(Mac([2, 0, 0, 0, 0, 9])),
            in_interface: Some(3),
            out_interface: Some(4),
            hook: 2,
            ethertype: 0x86dd,
            mark: 0x1000,
            bytes: b"payload",
        };
        assert_eq!(packet, (100, 0x102, expected));
    }

    #[test]
    fn everything_but_the_number_may_be_absent() {
        let builder = built(|body| body.put(PACKET_HEADER, &[0, 0, 0, 7, 8, 0, 1]));
        let message = messages(builder.bytes().unwrap()).next().unwrap().unwrap();
        assert_eq!(packet(&message).unwrap().1, 7);
        let builder = built(|body| body.put(PAYLOAD, b"payload"));
        let message = messages(builder.bytes().unwrap()).next().unwrap().unwrap();
        assert_eq!(packet(&message), None);
    }

    #[test]
    fn an_address_of_another_length_is_no_mac() {
        let address = |value| hardware_address(&Attribute { kind: 9, value });
        assert_eq!(address(&[0, 8, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]), None);
        assert_eq!(address(&[0, 6, 0, 0, 1, 2, 3, 4, 5]), None);
    }

    #[test]
    fn a_verdict_is_in_network_order() {
        let mut builder = Builder::default();
        verdict(&mut builder, 100, 0x0102_0304, true, Some(0x0500_0000));
        let message = messages(builder.bytes().unwrap()).next().unwrap().unwrap();
        assert!(is_verdict(message.kind));
        let attributes = message.attributes(NETFILTER_HEADER);
        assert_eq!(attributes.find(VERDICT_HEADER).unwrap().value, [0, 0, 0, 1, 1, 2, 3, 4]);
        assert_eq!(attributes.find(MARK).unwrap().value, [5, 0, 0, 0]);
    }

    #[test]
    fn reads_what_proc_shows() {
        let text =
            "    5   4242     0 2   512     0     0        0  1\n  100  31337     3 2   512     7     9       11  1\n";
        let expected = Shown {
            port: 31337,
            total: 3,
            copy_mode: 2,
            copy_range: 512,
            queue_dropped: 7,
            user_dropped: 9,
            id_sequence: 11,
        };
        assert_eq!(row(text, 100), Some(expected));
        assert_eq!(row(text, 1), None);
        assert_eq!(row("100 5", 100), None);
    }
}
