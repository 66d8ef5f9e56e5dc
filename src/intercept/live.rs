//! Queue and log against this kernel, in network namespaces.

use std::net::UdpSocket;

use super::log::Log;
use super::queue::{Held, Queue, QueueSettings, counters};
use super::{Packet, Received};
use crate::config::settings::Placement;
use crate::flow::{Mac, Verdict};
use crate::netlink::namespace::{Namespace, give_up_net_admin, nft, run, udp, wait_readable};
use crate::netlink::{Cause, Error};

const CLIENT: Mac = Mac([2, 0, 0, 0, 0, 2]);

const SETTINGS: QueueSettings = QueueSettings {
    number: 5,
    fail_open: false,
    length: 1024,
    copy_range: 512,
    mark_mask: 0x0100_0000,
    placement: Placement::Guard,
};

fn open(settings: QueueSettings) -> Queue {
    let (queue, warnings) = Queue::open(&settings).unwrap();
    assert_eq!(warnings, []);
    queue
}

fn send(from: &'static str, to: &'static str, payloads: &'static [&'static str]) -> impl FnOnce() + Send + 'static {
    move || {
        let socket = udp(from);
        payloads.iter().for_each(|payload| assert_eq!(socket.send_to(payload.as_bytes(), to).unwrap(), payload.len()));
    }
}

/// Receives until `count` packets came.
fn receive(queue: &mut Queue, count: u64, mut decide: impl FnMut(Held, &Packet<'_>) -> Option<Verdict>) -> Received {
    let mut received = Received::default();
    while received.packets < count {
        wait_readable(queue);
        received += queue.receive(&mut decide).unwrap();
    }
    received
}

fn heard(server: &UdpSocket) -> String {
    let mut buffer = [0; 64];
    let length = server.recv(&mut buffer).unwrap();
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

#[test]
fn verdicts_decide_and_may_come_later_and_in_any_order() {
    let Some((router, client)) = Namespace::router_and_client() else { return };
    router.run(move || {
        run("iptables-nft -A INPUT -p udp -j NFQUEUE --queue-num 5");
        let server = udp("10.9.0.1:7");
        let mut queue = open(SETTINGS);
        client.run(send("10.9.0.2:0", "10.9.0.1:7", &["pass", "drop", "first", "second"]));
        let mut held = Vec::new();
        let received = receive(&mut queue, 4, |packet, seen| {
            assert_eq!((seen.mac, seen.hook, seen.ethertype), (Some(CLIENT), 1, 0x0800));
            assert!(seen.in_interface.is_some() && seen.out_interface.is_none());
            match &seen.bytes[28..] {
                b"pass" => Some(Verdict::Pass),
                b"drop" => Some(Verdict::Deny),
                _ => {
                    held.push(packet);
                    None
                }
            }
        });
        assert_eq!(received, Received { packets: 4, ..Received::default() });
        assert_eq!(heard(&server), "pass");
        assert_eq!(counters(SETTINGS.number).unwrap().queue_total, 2);
        held.into_iter().rev().for_each(|held| queue.verdict(held, Verdict::Pass));
        queue.flush().unwrap();
        assert_eq!([heard(&server), heard(&server)], ["second", "first"]);
    });
}

#[test]
fn a_verdict_on_a_packet_that_is_gone_is_counted() {
    let Some(namespace) = Namespace::new() else { return };
    namespace.run(|| {
        let mut queue = open(SETTINGS);
        queue.verdict(Held { queue: 5, id: 99, mark: 0 }, Verdict::Pass);
        queue.verdict(Held { queue: 5, id: 98, mark: 0 }, Verdict::Pass);
        queue.flush().unwrap();
        let received = queue.receive(|_, _| None).unwrap();
        assert_eq!(received, Received { verdict_errors: 2, ..Received::default() });
    });
}

#[test]
fn our_mark_is_added_and_others_survive() {
    let Some((router, client)) = Namespace::router_and_client() else { return };
    router.run(move || {
        run("iptables-nft -t mangle -A PREROUTING -p udp -j MARK --or-mark 0x10");
        run("iptables-nft -A INPUT -p udp -j NFQUEUE --queue-num 5");
        nft("table inet after { chain input { type filter hook input priority 300
            udp dport 7 log group 6 prefix \"after \" \n }\n }");
        let server = udp("10.9.0.1:7");
        let (mut log, _) = Log::open(6).unwrap();
        let mut queue = open(QueueSettings { placement: Placement::Fallback, ..SETTINGS });
        client.run(send("10.9.0.2:0", "10.9.0.1:7", &["pass", "refused"]));
        receive(&mut queue, 2, |held, seen| {
            assert_eq!((held.mark, seen.mark), (0x10, 0x10));
            Some(if &seen.bytes[28..] == b"pass" { Verdict::Pass } else { Verdict::Refuse })
        });
        assert_eq!([heard(&server), heard(&server)], ["pass", "refused"]);
        let mut marks = Vec::new();
        while marks.len() < 2 {
            wait_readable(&log);
            log.receive(|prefix, packet| {
                assert_eq!(prefix, b"after ");
                marks.push(packet.mark);
            })
            .unwrap();
        }
        assert_eq!(marks, [0x0100_0010, 0x10]);
    });
}

#[test]
fn a_full_queue_drops_or_lets_pass_as_asked() {
    for fail_open in [false, true] {
        let Some((router, client)) = Namespace::router_and_client() else { return };
        router.run(move || {
            run("iptables-nft -A INPUT -p udp -j NFQUEUE --queue-num 5");
            let server = udp("10.9.0.1:7");
            let mut queue = open(QueueSettings { length: 1, fail_open, ..SETTINGS });
            client.run(send("10.9.0.2:0", "10.9.0.1:7", &["held", "over", "over"]));
            receive(&mut queue, 1, |_, _| Some(Verdict::Pass));
            let expected: &[&str] = if fail_open { &["over", "over", "held"] } else { &["held"] };
            expected.iter().for_each(|expected| assert_eq!(heard(&server), *expected));
            let dropped = counters(SETTINGS.number).unwrap().queue_dropped;
            assert_eq!(dropped, if fail_open { 0 } else { 2 });
        });
    }
}

#[test]
fn a_second_reader_is_named() {
    let Some(namespace) = Namespace::new() else { return };
    namespace.run(|| {
        let _queue = open(SETTINGS);
        let _log = Log::open(5).unwrap();
        let errors = [Queue::open(&SETTINGS).map(drop).unwrap_err(), Log::open(5).map(drop).unwrap_err()];
        for error in errors {
            assert!(matches!(error.cause, Cause::SecondReader { port: 1.. }), "{error:?}");
        }
    });
}

#[test]
fn missing_rights_are_told_from_a_second_reader() {
    let Some(namespace) = Namespace::new() else { return };
    namespace.run(|| {
        let _queue = open(SETTINGS);
        give_up_net_admin();
        let errors: [Error; 2] = [Queue::open(&SETTINGS).map(drop).unwrap_err(), Log::open(5).map(drop).unwrap_err()];
        for error in errors {
            assert_eq!(error.cause, Cause::Rights, "{error}");
        }
    });
}

#[test]
fn the_log_shows_copies_with_prefix_and_sender() {
    let Some((router, client)) = Namespace::router_and_client() else { return };
    router.run(move || {
        nft("table inet t { chain input { type filter hook input priority 0
            udp dport 7 log group 5 prefix \"NEW \" \n }\n }");
        let (mut log, warnings) = Log::open(5).unwrap();
        assert_eq!(warnings, []);
        client.run(send("10.9.0.2:0", "10.9.0.1:7", &["four"]));
        client.run(send("[fd09::2]:0", "[fd09::1]:7", &["six"]));
        let mut seen = Vec::new();
        while seen.len() < 2 {
            wait_readable(&log);
            log.receive(|prefix, packet| {
                assert_eq!((prefix, packet.mac, packet.hook), (&b"NEW "[..], Some(CLIENT), 1));
                seen.push((packet.ethertype, packet.bytes.last().copied()));
            })
            .unwrap();
        }
        // The two travel independently of each other.
        seen.sort();
        assert_eq!(seen, [(0x0800, Some(b'r')), (0x86dd, Some(b'x'))]);
    });
}

/// A UDP packet with its checksum blanked: without segmentation offload in the queue (nfq's default) the kernel completes
/// checksums that the network card would have, with it (ours) it leaves them.
fn without_checksum(packet: &[u8]) -> Vec<u8> {
    let mut packet = packet.to_vec();
    let transport = if packet[0] >> 4 == 4 { 20 } else { 40 };
    packet[transport + 6..transport + 8].fill(0);
    packet
}

/// The crate nfq stays outside: it gives no descriptor to poll and no batches. What it reads, we must read.
#[test]
fn nfq_reads_the_same_packets() {
    let Some((router, client)) = Namespace::router_and_client() else { return };
    router.run(move || {
        for iptables in ["iptables-nft", "ip6tables-nft"] {
            run(&format!("{iptables} -t mangle -A PREROUTING -p udp -j MARK --set-mark 0x1234"));
            run(&format!("{iptables} -t mangle -A INPUT -p udp -j NFQUEUE --queue-num 5"));
            run(&format!("{iptables} -A INPUT -p udp -j NFQUEUE --queue-num 6"));
        }
        let mut ours = open(SETTINGS);
        let mut theirs = nfq::Queue::open().unwrap();
        theirs.bind(6).unwrap();
        client.run(send("10.9.0.2:0", "10.9.0.1:7", &["one", "two", "three"]));
        client.run(send("[fd09::2]:0", "[fd09::1]:7", &["four", "five"]));
        let mut seen = Vec::new();
        receive(&mut ours, 5, |_, packet| {
            let mac = packet.mac.map(|mac| mac.0.to_vec());
            seen.push((
                without_checksum(packet.bytes),
                mac,
                packet.mark,
                packet.hook,
                packet.in_interface,
                packet.ethertype,
            ));
            Some(Verdict::Pass)
        });
        for ours in seen {
            let mut message = theirs.recv().unwrap();
            let mac = message.get_hw_addr().map(<[u8]>::to_vec);
            let interface = Some(message.get_indev()).filter(|index| *index != 0);
            let (mark, hook, protocol) = (message.get_nfmark(), message.get_hook(), message.get_hw_protocol());
            assert_eq!(ours, (without_checksum(message.get_payload()), mac, mark, hook, interface, protocol));
            message.set_verdict(nfq::Verdict::Accept);
            theirs.verdict(message).unwrap();
        }
    });
}
