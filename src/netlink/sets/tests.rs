use super::*;
use crate::flow::{Mac, Protocol};
use crate::netlink::namespace::{Namespace, nft, udp};

fn key(port: u16) -> KeyBytes {
    KeyBytes::new().ether_addr(Mac([2, 0, 0, 0, 0, 1])).inet_proto(Protocol::UDP).inet_service(port)
}

fn put(set: &str, port: u16) -> Change<'_> {
    Change { set, key: key(port), to: To::Present }
}

fn remove(set: &str, port: u16) -> Change<'_> {
    Change { to: To::Absent, ..put(set, port) }
}

fn with_sets(script: &'static str, check: impl FnOnce(&mut Sets) + Send + 'static) {
    let Some(namespace) = Namespace::new() else { return };
    namespace.run(move || {
        nft(script);
        check(&mut Sets::open(TableFamily::Inet, "glacic").unwrap());
    });
}

const TWO: &str = "table inet glacic {
    set two { type ether_addr . inet_proto . inet_service
        size 2
        counter
    }
    set many { type ether_addr . inet_proto . inet_service
        size 65535
    }
    set macs { type ether_addr
    }
}";

fn listed(sets: &mut Sets, set: &str) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    let listing = sets.elements(set, |element| keys.push(element.key.to_vec())).unwrap();
    assert_eq!(listing, Listing { elements: keys.len(), interrupted: false });
    keys.sort();
    keys
}

fn keys(ports: &[u16]) -> Vec<Vec<u8>> {
    ports.iter().map(|port| key(*port).as_bytes().to_vec()).collect()
}

#[test]
fn what_is_put_is_there_and_what_is_removed_is_gone() {
    with_sets(TWO, |sets| {
        let done = |done| Applied { done, failed: Vec::new() };
        assert_eq!(sets.apply(&[put("two", 1), put("two", 2), put("many", 3)]), done(3));
        assert_eq!(listed(sets, "two"), keys(&[1, 2]));
        assert_eq!(sets.apply(&[put("two", 1), put("two", 2)]), done(2), "again");
        assert_eq!(sets.apply(&[remove("two", 1), put("two", 9)]), done(2), "in place of another");
        assert_eq!(listed(sets, "two"), keys(&[2, 9]));
        assert_eq!(sets.apply(&[remove("two", 2), remove("two", 7), remove("two", 9)]), done(3), "gone already");
        assert_eq!(listed(sets, "two"), keys(&[]));
        let mac = Change { set: "macs", key: KeyBytes::new().ether_addr(Mac([2, 0, 0, 0, 0, 7])), to: To::Present };
        assert_eq!(sets.apply(&[mac]), done(1), "a key of one part");
        assert_eq!(listed(sets, "macs"), [vec![2, 0, 0, 0, 0, 7]]);
    });
}

const MAP: &str = "table inet glacic {
    chain deny {
    }
    map said { type ether_addr . inet_proto . inet_service : verdict
        size 3
        counter
    }
}";

fn say(port: u16, to: To<'static>) -> Change<'static> {
    Change { to, ..put("said", port) }
}

fn said(sets: &mut Sets) -> Vec<(u16, bool)> {
    let mut said = Vec::new();
    let take = |element: Element<'_>| {
        let port = u16::from_be_bytes([element.key[12], element.key[13]]);
        assert_eq!(element.packets, Some(0), "every element counts");
        said.push((port, element.verdict == Some(Verdict::Accept)));
        assert!(matches!(element.verdict, Some(Verdict::Accept | Verdict::Goto("deny"))), "{element:?}");
    };
    sets.elements("said", take).unwrap();
    said.sort_unstable();
    said
}

#[test]
fn a_map_says_what_was_put_last() {
    const YES: To<'static> = To::Saying(Verdict::Accept);
    const NO: To<'static> = To::Saying(Verdict::Goto("deny"));
    with_sets(MAP, |sets| {
        let done = |done| Applied { done, failed: Vec::new() };
        assert_eq!(sets.apply(&[say(1, YES), say(2, NO)]), done(2));
        assert_eq!(said(sets), [(1, true), (2, false)]);
        assert_eq!(sets.apply(&[say(1, YES), say(2, NO)]), done(2), "again");
        let turn = [say(1, To::Changed(Verdict::Goto("deny"))), say(2, To::Changed(Verdict::Accept))];
        assert_eq!(sets.apply(&turn), done(2));
        assert_eq!(said(sets), [(1, false), (2, true)]);
        // What was known of it was wrong: something else is said there, or nothing.
        assert_eq!(sets.apply(&[say(1, YES), say(3, To::Changed(Verdict::Accept)), say(2, YES)]), done(3));
        assert_eq!(said(sets), [(1, true), (2, true), (3, true)]);
        // Also where the map is full: what a transaction takes out makes room for what it puts in.
        assert_eq!(sets.apply(&[say(1, To::Changed(Verdict::Goto("deny"))), say(2, To::Absent), say(4, YES)]), done(3));
        assert_eq!(said(sets), [(1, false), (3, true), (4, true)]);
        let nowhere = sets.apply(&[say(1, To::Changed(Verdict::Goto("nowhere"))), say(3, To::Absent)]);
        assert_eq!((nowhere.done, nowhere.failed.len()), (1, 1), "{nowhere:?}");
        assert_eq!(said(sets), [(1, false), (4, true)], "what it said before it says still");
    });
}

/// Chains can be emptied and filled while elements lead to them, and cannot be deleted.
#[test]
fn an_element_holds_the_chain_it_leads_to() {
    with_sets(MAP, |sets| {
        assert_eq!(sets.apply(&[say(1, To::Saying(Verdict::Goto("deny")))]).done, 1);
        nft("flush chain inet glacic deny");
        nft("add rule inet glacic deny drop");
        let deleted = std::process::Command::new("nft").args(["delete", "chain", "inet", "glacic", "deny"]).output();
        assert!(!deleted.unwrap().status.success());
        assert_eq!(sets.apply(&[say(1, To::Absent)]).done, 1);
        nft("delete chain inet glacic deny");
    });
}

/// While packets are judged, an answer is changed there and back a thousand times. Before Linux 6.17 a packet that is being
/// looked up at that very moment may find none; with a transaction between the two, thousands do.
#[test]
fn a_change_of_answer_leaves_no_gap() {
    let script = "table inet glacic {
        chain other {
            counter drop
        }
        counter undecided {
        }
        map said { type inet_proto . inet_service : verdict
            size 65535
            counter
        }
        chain output { type filter hook output priority 0
            udp dport 7 meta l4proto . udp dport vmap @said
            udp dport 7 counter name undecided
        }
    }";
    with_sets(script, |sets| {
        let key = KeyBytes::new().inet_proto(Protocol::UDP).inet_service(7);
        let change = |to| Change { set: "said", key, to };
        assert_eq!(sets.apply(&[change(To::Saying(Verdict::Accept))]).done, 1);
        let socket = udp("127.0.0.1:0");
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let sender = std::thread::spawn(move || {
            let mut sent = 0u64;
            while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                // A packet that is dropped is an error of the send.
                let _ = socket.send_to(b"12", "127.0.0.1:7");
                sent += 1;
            }
            sent
        });
        for _ in 0..1000 {
            assert_eq!(sets.apply(&[change(To::Changed(Verdict::Goto("other")))]).done, 1);
            assert_eq!(sets.apply(&[change(To::Changed(Verdict::Accept))]).done, 1);
        }
        drop(stop);
        assert!(sender.join().unwrap() > 100);
        let undecided = sets.counter("undecided").unwrap().unwrap();
        assert!(undecided < 100, "{undecided}");
    });
}

#[test]
fn a_bad_change_does_not_block_the_others() {
    with_sets(TWO, |sets| {
        let changes = [
            put("two", 1),
            put("absent", 1),
            put("two", 2),
            put("two", 3),
            put("many", 4),
            Change { key: KeyBytes::new().inet_service(1), ..put("many", 0) },
            remove("many", 77),
            put("many", 5),
        ];
        let applied = sets.apply(&changes);
        let failed: Vec<_> = applied.failed.iter().map(|(index, error)| (*index, error.cause)).collect();
        assert_eq!(failed, [(1, Cause::Gone), (3, Cause::Full), (5, Cause::Other)], "{applied:?}");
        assert_eq!(applied.done, 5);
        assert_eq!(listed(sets, "two"), keys(&[1, 2]));
        assert_eq!(listed(sets, "many"), keys(&[4, 5]));
        assert!(applied.failed[1].1.to_string().contains("set two: the set is full"), "{}", applied.failed[1].1);
    });
}

#[test]
fn what_is_there_can_be_put_again_into_a_full_set() {
    with_sets(TWO, |sets| {
        assert_eq!(sets.apply(&[put("two", 1), put("two", 2)]).done, 2);
        let applied = sets.apply(&[put("two", 1), put("two", 3)]);
        assert_eq!((applied.done, applied.failed.len()), (1, 1), "{applied:?}");
    });
}

#[test]
fn many_changes_and_many_failures_are_told_apart() {
    with_sets(TWO, |sets| {
        let changes: Vec<_> = (0..3000).map(|port| put(if port % 2 == 0 { "many" } else { "absent" }, port)).collect();
        let applied = sets.apply(&changes);
        assert_eq!((applied.done, applied.failed.len()), (1500, 1500));
        assert!(applied.failed.iter().all(|(index, _)| index % 2 == 1));
        assert_eq!(sets.elements("many", |_| ()).unwrap().elements, 1500);
    });
}

#[test]
fn answers_that_do_not_fit_the_socket_come_in_later_turns() {
    with_sets(TWO, |sets| {
        sets.exchange.socket.set_receive_buffer(2048);
        let changes: Vec<_> = (0..64).map(|port| put(if port % 2 == 0 { "many" } else { "absent" }, port)).collect();
        let applied = sets.apply(&changes);
        assert_eq!((applied.done, applied.failed.len()), (32, 32));
    });
}

#[test]
fn counters_count_what_met_the_element() {
    let script = "table inet glacic {
        set ports { type inet_service
            counter
            flags timeout
        }
        chain output { type filter hook output priority 0
            udp dport @ports accept
        }
    }";
    with_sets(script, |sets| {
        let change = Change { set: "ports", key: KeyBytes::new().inet_service(7), to: To::Present };
        assert_eq!(sets.apply(&[change]).done, 1);
        (0..3).for_each(|_| drop(udp("127.0.0.1:0").send_to(b"12", "127.0.0.1:7")));
        let mut seen = None;
        sets.elements("ports", |element| seen = Some((element.packets, element.bytes))).unwrap();
        assert_eq!(seen, Some((Some(3), Some(90))));
    });
}

#[test]
fn a_named_counter_is_read() {
    let script = "table inet glacic {
        counter nobody {
        }
        chain output { type filter hook output priority 0
            udp dport 7 counter name nobody
        }
    }";
    with_sets(script, |sets| {
        assert_eq!(sets.counter("nobody"), Ok(Some(0)));
        (0..3).for_each(|_| drop(udp("127.0.0.1:0").send_to(b"12", "127.0.0.1:7")));
        assert_eq!(sets.counter("nobody"), Ok(Some(3)));
        assert_eq!(sets.counter("somebody"), Ok(None));
    });
}

#[test]
fn a_table_is_found_and_deleted() {
    with_sets(TWO, |sets| {
        assert_eq!(sets.table_exists(), Ok(true));
        assert_eq!(sets.delete_table(), Ok(()));
        assert_eq!(sets.table_exists(), Ok(false));
        assert_eq!(sets.delete_table(), Ok(()), "gone already");
        assert_eq!(sets.elements("two", |_| ()).unwrap_err().cause, Cause::Gone);
        let applied = sets.apply(&[put("two", 1), remove("two", 2)]);
        assert_eq!((applied.done, applied.failed.len()), (1, 1));
    });
}
