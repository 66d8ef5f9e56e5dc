//! Writes captures, right ones and wrong ones.

use std::iter::repeat_n;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Little,
    Big,
}

impl Order {
    pub fn u16(self, number: u16) -> [u8; 2] {
        if self == Order::Big { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    pub fn u32(self, number: u32) -> [u8; 4] {
        if self == Order::Big { number.to_be_bytes() } else { number.to_le_bytes() }
    }
}

/// A packet: microseconds since 1970, and bytes.
pub type Packet = (u64, Vec<u8>);

/// Classic pcap; `nanos` chooses the magic of the finer clock.
pub fn classic(order: Order, nanos: bool, link: u32, packets: &[Packet]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(order.u32(if nanos { 0xa1b2_3c4d } else { 0xa1b2_c3d4 }));
    out.extend([order.u16(2), order.u16(4)].concat());
    out.extend([order.u32(0), order.u32(0), order.u32(262_144), order.u32(link)].concat());
    for (time, bytes) in packets {
        let fraction = (time % 1_000_000) as u32 * if nanos { 1000 } else { 1 };
        let length = order.u32(bytes.len() as u32);
        out.extend([order.u32((time / 1_000_000) as u32), order.u32(fraction), length, length].concat());
        out.extend(bytes);
    }
    out
}

/// pcapng, block by block.
pub struct Ng {
    pub order: Order,
    pub bytes: Vec<u8>,
}

impl Ng {
    pub fn new(order: Order) -> Ng {
        let mut ng = Ng { order, bytes: Vec::new() };
        ng.section(order);
        ng
    }

    /// Begins another section; its numbers may be in another order.
    pub fn section(&mut self, order: Order) {
        self.order = order;
        let body = [&order.u32(0x1a2b_3c4d)[..], &order.u16(1), &order.u16(0), &[0xff; 8]].concat();
        self.block(0x0a0d_0d0a, &body);
    }

    pub fn block(&mut self, kind: u32, body: &[u8]) {
        let padding = body.len().next_multiple_of(4) - body.len();
        let length = self.order.u32((12 + body.len() + padding) as u32);
        self.bytes.extend([self.order.u32(kind), length].concat());
        self.bytes.extend(body);
        self.bytes.extend(repeat_n(0, padding));
        self.bytes.extend(length);
    }

    /// An interface, with options that are code and value.
    pub fn interface(&mut self, link: u16, snap: u32, options: &[(u16, &[u8])]) {
        let order = self.order;
        let mut body = [&order.u16(link)[..], &order.u16(0), &order.u32(snap)].concat();
        for (code, value) in options {
            body.extend([order.u16(*code), order.u16(value.len() as u16)].concat());
            body.extend(*value);
            body.extend(repeat_n(0, value.len().next_multiple_of(4) - value.len()));
        }
        if !options.is_empty() {
            body.extend([0; 4]);
        }
        self.block(1, &body);
    }

    fn times_and_lengths(&self, ticks: u64, bytes: &[u8]) -> Vec<u8> {
        let length = self.order.u32(bytes.len() as u32);
        [&self.order.u32((ticks >> 32) as u32)[..], &self.order.u32(ticks as u32), &length, &length, bytes].concat()
    }

    pub fn enhanced(&mut self, interface: u32, ticks: u64, bytes: &[u8]) {
        let body = [&self.order.u32(interface)[..], &self.times_and_lengths(ticks, bytes)].concat();
        self.block(6, &body);
    }

    /// The packet block of before 2010.
    pub fn obsolete(&mut self, interface: u16, ticks: u64, bytes: &[u8]) {
        let head = [self.order.u16(interface), self.order.u16(0xffff)].concat();
        let body = [head, self.times_and_lengths(ticks, bytes)].concat();
        self.block(2, &body);
    }

    pub fn simple(&mut self, original: u32, bytes: &[u8]) {
        let body = [&self.order.u32(original)[..], bytes].concat();
        self.block(3, &body);
    }
}
