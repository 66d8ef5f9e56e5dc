//! pcapng (draft-ietf-opsawg-pcapng): sections of blocks. Interfaces and packets are read, other blocks skipped.
//!
//! Nothing but a packet is ever held: options are read one by one, blocks of other kinds stream by.

use std::io::Read;

use super::source::{Order, Source};
use super::{Error, Fault, Link, Record};

/// The type of a section header block: the same in either byte order, and the beginning of every pcapng file.
pub(super) const MAGIC: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

/// Interfaces a section may have.
pub(super) const MAX_INTERFACES: usize = 4096;

const INTERFACE: u32 = 1;
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// Type, length, and length again.
const FRAME: u32 = 12;

/// What holds for the packets of a section.
#[derive(Debug)]
pub(super) struct Section {
    order: Order,
    interfaces: Vec<Interface>,
}

#[derive(Debug, Clone, Copy)]
struct Interface {
    link: Link,
    /// Packets are cut off at this length; 0: they are not.
    snap: u32,
    clock: Clock,
}

/// How an interface counts time.
#[derive(Debug, Clone, Copy)]
struct Clock {
    /// The option if_tsresol: ticks a second as a negative power of 10, or of 2 if the highest bit is set.
    resolution: u8,
    /// The option if_tsoffset: seconds to add.
    offset: i64,
}

impl Clock {
    const DEFAULT: Clock = Clock { resolution: 6, offset: 0 };

    /// Microseconds since 1970; `None` where they do not fit.
    fn micros(self, ticks: u64) -> Option<u64> {
        let millionths = u128::from(ticks).checked_mul(1_000_000)?;
        let power = u32::from(self.resolution & 0x7f);
        let micros = if self.resolution & 0x80 == 0 {
            // A tick too short for the number of them to reach a microsecond in 64 bits: nothing has passed.
            10u128.checked_pow(power).and_then(|ticks| millionths.checked_div(ticks)).unwrap_or(0)
        } else {
            millionths.checked_shr(power).unwrap_or(0)
        };
        let offset = i128::from(self.offset).checked_mul(1_000_000)?;
        u64::try_from(i128::try_from(micros).ok()?.checked_add(offset)?).ok()
    }
}

/// What is left of a block's body: nothing is read beyond it.
struct Body<'s, R> {
    source: &'s mut Source<R>,
    order: Order,
    /// The block's length and where it begins, for faults.
    length: u32,
    start: u64,
    left: u32,
}

impl<R: Read> Body<'_, R> {
    fn take(&mut self, count: u32) -> Result<(), Error> {
        let fault = Error { offset: self.start, fault: Fault::BlockLength(self.length) };
        self.left = self.left.checked_sub(count).ok_or(fault)?;
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        self.take(u32::try_from(N).unwrap_or(u32::MAX))?;
        self.source.array()
    }

    fn u16(&mut self) -> Result<u16, Error> {
        Ok(self.order.u16(self.array()?))
    }

    fn u32(&mut self) -> Result<u32, Error> {
        Ok(self.order.u32(self.array()?))
    }

    fn skip(&mut self, count: u32) -> Result<(), Error> {
        self.take(count)?;
        self.source.skip(count)
    }

    /// Leaves out what is left of the body and compares the length at the block's end with that at its beginning.
    fn finish(mut self) -> Result<(), Error> {
        self.skip(self.left)?;
        let at = self.source.offset();
        let end = self.order.u32(self.source.array()?);
        if end != self.length {
            return Err(Error { offset: at, fault: Fault::BlockEnd { begin: self.length, end } });
        }
        Ok(())
    }
}

impl Section {
    /// Reads a section header block, of which the type has been read.
    pub(super) fn read<R: Read>(source: &mut Source<R>) -> Result<Section, Error> {
        let start = source.record();
        let length = source.array::<4>()?;
        let order = match source.array::<4>()? {
            [0x1a, 0x2b, 0x3c, 0x4d] => Order::Big,
            [0x4d, 0x3c, 0x2b, 0x1a] => Order::Little,
            other => return Err(Error { offset: start, fault: Fault::ByteOrder(other) }),
        };
        let mut body = body(source, order, order.u32(length), start)?;
        body.take(4)?; // The byte-order magic.
        let (major, minor) = (body.u16()?, body.u16()?);
        if major != 1 {
            return Err(Error { offset: start, fault: Fault::Version { major, minor } });
        }
        // The section's length is a help for jumping over it, and may be unknown.
        body.skip(8)?;
        body.finish()?;
        Ok(Section { order, interfaces: Vec::new() })
    }

    /// Reads on to the next packet, over blocks of other kinds and into following sections.
    pub(super) fn record<R: Read>(&mut self, source: &mut Source<R>, packet: &mut Vec<u8>) -> Result<Record, Error> {
        loop {
            let start = source.begin();
            let Some(kind) = source.array_or_end::<4>()? else { return Ok(Record::End) };
            if kind == MAGIC {
                *self = Section::read(source)?;
                continue;
            }
            let order = self.order;
            let length = order.u32(source.array()?);
            let mut body = body(source, order, length, start)?;
            let (interface, ticks, length) = match order.u32(kind) {
                INTERFACE => {
                    let interface = Interface::read(&mut body)?;
                    if self.interfaces.len() >= MAX_INTERFACES {
                        return Err(Error { offset: start, fault: Fault::TooManyInterfaces });
                    }
                    self.interfaces.push(interface);
                    body.finish()?;
                    continue;
                }
                ENHANCED_PACKET => {
                    let interface = self.interface(body.u32()?, start)?;
                    let ticks = ticks(body.u32()?, body.u32()?);
                    let length = body.u32()?;
                    body.skip(4)?; // The length on the wire.
                    (interface, Some(ticks), length)
                }
                PACKET => {
                    let interface = self.interface(u32::from(body.u16()?), start)?;
                    body.skip(2)?; // A count of drops.
                    let ticks = ticks(body.u32()?, body.u32()?);
                    let length = body.u32()?;
                    body.skip(4)?;
                    (interface, Some(ticks), length)
                }
                SIMPLE_PACKET => {
                    let interface = self.interface(0, start)?;
                    let length = body.u32()?;
                    let snap = if interface.snap == 0 { length } else { length.min(interface.snap) };
                    (interface, None, snap.min(body.left))
                }
                _ => {
                    body.finish()?;
                    continue;
                }
            };
            body.take(length)?;
            body.source.packet(length, packet)?;
            body.finish()?;
            return Ok(Record::Packet {
                time: ticks.and_then(|ticks| interface.clock.micros(ticks)),
                link: interface.link,
            });
        }
    }

    fn interface(&self, number: u32, start: u64) -> Result<Interface, Error> {
        let index = usize::try_from(number).ok();
        let interface = index.and_then(|index| self.interfaces.get(index)).copied();
        interface.ok_or(Error { offset: start, fault: Fault::Interface(number) })
    }
}

/// The body of a block whose `length` has been read.
fn body<R: Read>(source: &mut Source<R>, order: Order, length: u32, start: u64) -> Result<Body<'_, R>, Error> {
    match length.checked_sub(FRAME) {
        Some(left) if length.is_multiple_of(4) => Ok(Body { source, order, length, start, left }),
        _ => Err(Error { offset: start, fault: Fault::BlockLength(length) }),
    }
}

fn ticks(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

impl Interface {
    fn read<R: Read>(body: &mut Body<'_, R>) -> Result<Interface, Error> {
        const RESOLUTION: u16 = 9;
        const OFFSET: u16 = 14;
        let link = Link::from(body.u16()?);
        body.skip(2)?;
        let snap = body.u32()?;
        let mut clock = Clock::DEFAULT;
        // Options: code, length, value, padding to four bytes. Code 0 ends them, as does the end of the block.
        while body.left >= 4 {
            let (code, length) = (body.u16()?, body.u16()?);
            let padded = u32::from(length).next_multiple_of(4);
            match (code, length) {
                (0, _) => break,
                (RESOLUTION, 1) => [clock.resolution, ..] = body.array::<4>()?,
                (OFFSET, 8) => clock.offset = body.order.i64(body.array()?),
                _ => body.skip(padded)?,
            }
        }
        Ok(Interface { link, snap, clock })
    }
}
