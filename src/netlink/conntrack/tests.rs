//! Against the kernel's own table.

use std::net::Ipv6Addr;

use super::*;
use crate::netlink::namespace::{Namespace, nft, run, udp};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const HERE6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

fn with_tracking(check: impl FnOnce(&mut Conntrack) + Send + 'static) {
    let Some(namespace) = Namespace::new() else { return };
    namespace.run(move || {
        std::fs::write("/proc/sys/net/netfilter/nf_conntrack_acct", "1").unwrap();
        nft("table inet t { chain output { type filter hook output priority 0
            ct state new accept \n }\n }");
        check(&mut Conntrack::open().unwrap());
    });
}

fn all_of(sources: &[IpAddr]) -> Selection<'_> {
    Selection { sources, networks: &[], protocol: None, port: None }
}

fn listed(conntrack: &mut Conntrack, which: &Selection<'_>) -> Vec<(IpAddr, Protocol, u16)> {
    let mut found = Vec::new();
    conntrack.list(which, |connection| found.push((connection.source, connection.protocol, connection.port))).unwrap();
    found.sort();
    found
}

#[test]
fn connections_are_listed_and_deleted_by_their_source() {
    with_tracking(|conntrack| {
        let (server, server6) = (udp("127.0.0.1:7"), udp("[::1]:7"));
        for (from, to) in
            [("127.0.0.1:0", "127.0.0.1:7"), ("127.0.0.2:0", "127.0.0.1:7"), ("127.0.0.1:0", "127.0.0.1:9")]
        {
            udp(from).send_to(b"x", to).unwrap();
        }
        udp("[::1]:0").send_to(b"x", "[::1]:7").unwrap();
        run("ping -c1 -W1 127.0.0.1");
        run("ping -c1 -W1 ::1");

        let here = [(HERE, Protocol::ICMP, 8), (HERE, Protocol::UDP, 7), (HERE, Protocol::UDP, 9)];
        let here6 = [(HERE6, Protocol::UDP, 7), (HERE6, Protocol::ICMPV6, 128)];
        assert_eq!(listed(conntrack, &all_of(&[HERE])), here);
        assert_eq!(listed(conntrack, &all_of(&[HERE6])), here6);
        let all = [&here[..], &[(THERE, Protocol::UDP, 7)], &here6].concat();
        assert_eq!(listed(conntrack, &all_of(&[HERE, THERE, HERE6])), all);
        assert_eq!(listed(conntrack, &all_of(&[THERE, Ipv4Addr::BROADCAST.into()])), [(THERE, Protocol::UDP, 7)]);
        assert_eq!(listed(conntrack, &all_of(&[Ipv6Addr::UNSPECIFIED.into()])), []);
        assert_eq!(listed(conntrack, &all_of(&[])), []);
        let networks = ["127.0.0.2/31".parse().unwrap(), "::/64".parse().unwrap()];
        let within = Selection { networks: &networks, ..all_of(&[]) };
        assert_eq!(listed(conntrack, &within), [&[(THERE, Protocol::UDP, 7)][..], &here6].concat());
        assert_eq!(listed(conntrack, &Selection { sources: &[HERE], ..within }), all);

        let echo = Selection { protocol: Some(Protocol::ICMP), port: Some(8), ..all_of(&[HERE]) };
        assert_eq!(conntrack.delete_all(&echo).unwrap(), 1);
        let seven = Selection { protocol: Some(Protocol::UDP), port: Some(7), ..all_of(&[HERE]) };
        assert_eq!(conntrack.delete_all(&seven).unwrap(), 1);
        assert_eq!(listed(conntrack, &all_of(&[HERE])), [(HERE, Protocol::UDP, 9)]);
        assert_eq!(listed(conntrack, &all_of(&[THERE])).len(), 1, "others' stay");
        assert_eq!(conntrack.delete_all(&all_of(&[HERE6])).unwrap(), 2);
        assert_eq!(conntrack.delete_all(&all_of(&[HERE6])).unwrap(), 0);
        drop((server, server6));
    });
}

#[test]
fn accounting_shows_and_what_is_gone_is_told() {
    with_tracking(|conntrack| {
        let server = udp("127.0.0.1:7");
        let client = udp("127.0.0.1:0");
        client.send_to(b"xx", "127.0.0.1:7").unwrap();
        client.send_to(b"xx", "127.0.0.1:7").unwrap();
        let mut found = Vec::new();
        conntrack.list(&all_of(&[HERE]), |connection| found.push(connection)).unwrap();
        let [connection] = &found[..] else { panic!("{found:?}") };
        assert_eq!((connection.packets, connection.bytes), (Some(2), Some(60)));
        assert_eq!(connection.source_port, client.local_addr().unwrap().port());
        assert_eq!(conntrack.delete(connection), Ok(true));
        assert_eq!(conntrack.delete(connection), Ok(false));
        drop(server);
    });
}

/// A later connection between the same ends is another one: what was found of the first must not end it.
#[test]
fn a_connection_is_not_taken_for_a_later_one_between_the_same_ends() {
    with_tracking(|conntrack| {
        let (server, client) = (udp("127.0.0.1:7"), udp("127.0.0.1:0"));
        let own = |conntrack: &mut Conntrack| {
            let mut found = Vec::new();
            conntrack.list(&all_of(&[HERE]), |connection| found.push(connection)).unwrap();
            found.retain(|connection| connection.source_port == client.local_addr().unwrap().port());
            found.pop()
        };
        // The kernel makes the number of where the connection lies in memory: the next may lie in the same place.
        for _ in 0..100 {
            client.send_to(b"x", "127.0.0.1:7").unwrap();
            let first = own(conntrack).unwrap();
            assert_eq!(conntrack.delete(&first), Ok(true));
            let others = [(); 8].map(|()| udp("127.0.0.1:0"));
            others.iter().for_each(|other| drop(other.send_to(b"x", "127.0.0.1:7")));
            client.send_to(b"x", "127.0.0.1:7").unwrap();
            let second = own(conntrack).unwrap();
            if first.handle != second.handle {
                assert_eq!(conntrack.delete(&first), Ok(false));
                assert_eq!(own(conntrack), Some(second));
                drop(server);
                return;
            }
            conntrack.delete(&second).unwrap();
        }
        panic!("a hundred connections lay in the same place as the one before");
    });
}
