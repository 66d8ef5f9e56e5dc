//! Whatever a netlink socket may deliver: queued and logged packets, set elements, connections, notifications, errors.
#![no_main]

use glacic::netlink::attributes::messages;
use glacic::netlink::{conntrack, link, neighbours, nflog, nfqueue, tables};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|datagram: &[u8]| {
    for message in messages(datagram).flatten() {
        message.answer();
        nfqueue::packet(&message);
        nflog::record(&message);
        tables::elements(&message).for_each(drop);
        tables::notice(&message);
        conntrack::connection(&message);
        link::link(&message);
        neighbours::neighbour(&message);
        neighbours::route(&message);
    }
});
