//! Classic pcap (draft-ietf-opsawg-pcap): a header, then packets, each behind its time and its length.

use std::io::Read;

use super::source::{Order, Source};
use super::{Error, Fault, Link, Record};

/// What holds for every packet of the file.
#[derive(Debug)]
pub(super) struct Header {
    order: Order,
    /// How many units of the fraction of a second make a microsecond.
    per_micro: u32,
    link: Link,
}

impl Header {
    /// Reads the rest of the header; `magic` was its beginning.
    pub(super) fn read<R: Read>(magic: [u8; 4], source: &mut Source<R>) -> Result<Header, Error> {
        let (order, per_micro) = match magic {
            [0xa1, 0xb2, 0xc3, 0xd4] => (Order::Big, 1),
            [0xd4, 0xc3, 0xb2, 0xa1] => (Order::Little, 1),
            [0xa1, 0xb2, 0x3c, 0x4d] => (Order::Big, 1000),
            [0x4d, 0x3c, 0xb2, 0xa1] => (Order::Little, 1000),
            _ => return Err(Error { offset: 0, fault: Fault::NoCapture(Some(magic)) }),
        };
        let at = source.offset();
        let [a, b, c, d] = source.array::<4>()?;
        let (major, minor) = (order.u16([a, b]), order.u16([c, d]));
        // Before 2.4 lengths stood in another order; nothing has written such files since 1998.
        if (major, minor) != (2, 4) {
            return Err(Error { offset: at, fault: Fault::Version { major, minor } });
        }
        // Time zone and accuracy, always 0, and the snapshot length, which the packets' own lengths make superfluous.
        source.skip(12)?;
        // The upper half tells about check sequences behind Ethernet frames: they do no harm here.
        let link = Link::from(order.u32(source.array()?) as u16);
        Ok(Header { order, per_micro, link })
    }

    pub(super) fn record<R: Read>(&self, source: &mut Source<R>, packet: &mut Vec<u8>) -> Result<Record, Error> {
        source.begin();
        let Some(seconds) = source.array_or_end::<4>()? else { return Ok(Record::End) };
        let seconds = u64::from(self.order.u32(seconds));
        let fraction = self.order.u32(source.array()?);
        let length = self.order.u32(source.array()?);
        source.skip(4)?; // The length on the wire.
        source.packet(length, packet)?;
        let micros = u64::from(fraction.checked_div(self.per_micro).unwrap_or(0));
        let time = seconds.saturating_mul(1_000_000).saturating_add(micros);
        Ok(Record::Packet { time: Some(time), link: self.link })
    }
}
