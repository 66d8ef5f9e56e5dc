use super::*;
use crate::store::Seen;

#[test]
fn a_flow_is_found_at_once_and_written_within_ten_seconds() {
    let scratch = Scratch::new();
    let mut store = open(&scratch.database(), at(0)).store;
    let learned = flow(1, 1, 443, State::Allowed);
    assert_eq!(insert(&mut store, learned, at(0)), []);
    assert_eq!(find(&mut store, learned.key), Some(learned));
    assert_eq!(store.idle_for(at(3)), Duration::from_secs(5));
    tick(&mut store, at(7));
    assert_eq!(in_file(&scratch.database()), []);
    tick(&mut store, at(8));
    assert_eq!(in_file(&scratch.database()), [learned]);
    assert_eq!(store.idle_for(at(8)), Duration::from_secs(12 * HOUR - 8));
}

#[test]
fn what_was_learned_is_there_after_a_restart() {
    let scratch = Scratch::new();
    let mut store = open(&scratch.database(), at(0)).store;
    let learned = flow(1, 1, 443, State::Allowed);
    let pending = flow(2, 2, 80, State::Pending);
    insert(&mut store, learned, at(0));
    insert(&mut store, pending, at(0));
    ask(&mut store, word("off", When::Later), at(0));
    store.flush(at(1)).unwrap();
    drop(store);
    let opened = open(&scratch.database(), at(0));
    assert_eq!((opened.next_id, opened.skipped, opened.moved_aside, opened.trouble), (FlowId(3), 0, None, None));
    assert_eq!((opened.counts.allowed, opened.counts.pending, opened.counts.denied), (1, 1, 0));
    assert_eq!(opened.meta.get("learning").map(String::as_str), Some("off"));
    let mut seen = Vec::new();
    opened.store.each(|record, zone| seen.push((*record, zone.map(str::to_owned))));
    assert_eq!(seen, [(learned, Some("lan".into())), (pending, Some("lan".into()))]);
}

#[test]
fn a_key_that_is_known_is_answered_and_not_added_again() {
    let scratch = Scratch::new();
    let mut store = open(&scratch.database(), at(0)).store;
    let first = flow(1, 1, 443, State::Denied);
    insert(&mut store, first, at(0));
    let replies = insert(&mut store, flow(2, 1, 443, State::Allowed), at(1));
    assert_eq!(replies, [Reply::Found { key: first.key, record: Some(first) }]);
    assert_eq!(store.counts.allowed, 0);
}

#[test]
fn a_number_that_was_given_before_changes_no_other_flow() {
    let scratch = Scratch::new();
    let mut store = open(&scratch.database(), at(0)).store;
    insert(&mut store, flow(1, 1, 443, State::Denied), at(0));
    assert_eq!(insert(&mut store, flow(1, 1, 80, State::Allowed), at(0)), [Reply::Full { key: key(1, 80) }]);
    assert_eq!(find(&mut store, key(1, 443)).unwrap().state, State::Denied);
}

#[test]
fn counters_are_listed_at_once_written_at_the_flush_interval_and_counted_once() {
    let scratch = Scratch::new();
    let mut store = open(&scratch.database(), at(0)).store;
    insert(&mut store, flow(1, 1, 443, State::Allowed), at(0));
    tick(&mut store, at(10));
    let seen = |connections, at| Request::Seen(vec![Seen { key: key(1, 443), at, connections }]);
    ask(&mut store, seen(4, at(60).wall), at(60));
    ask(&mut store, seen(2, at(90).wall), at(90));
    tick(&mut store, at(1000));
    let found = find(&mut store, key(1, 443)).unwrap();
    assert_eq!((found.connections, found.last_seen), (7, at(90).wall));
    assert_eq!(in_file(&scratch.database())[0].connections, 1);
    tick(&mut store, at(12 * HOUR));
    assert_eq!(in_file(&scratch.database()), [found]);
    store.flush(at(12 * HOUR + 1)).unwrap();
    assert_eq!(in_file(&scratch.database()), [found]);
}

#[test]
fn a_learned_flow_does_not_bring_the_counters_of_others_along() {
    let scratch = Scratch::new();
    let mut store = open(&scratch.database(), at(0)).store;
    insert(&mut store, flow(1, 1, 443, State::Allowed), at(0));
    tick(&mut store, at(10));
    ask(&mut store, Request::Seen(vec![Seen { key: key(1, 443), at: at(20).wall, connections: 1 }]), at(20));
    insert(&mut store, flow(2, 1, 80, State::Allowed), at(20));
    tick(&mut store, at(30));
    let counts = || in_file(&scratch.database()).iter().map(|record| record.connections).collect::<Vec<_>>();
    assert_eq!(counts(), [1, 1]);
    store.flush(at(40)).unwrap();
    assert_eq!(counts(), [2, 1]);
}

#[test]
fn a_day_without_anything_new_takes_at_most_two_transactions() {
    let scratch = Scratch::new();
    let mut store = open(&scratch.database(), at(0)).store;
    insert(&mut store, flow(1, 1, 443, State::Allowed), at(0));
    store.flush(at(0)).unwrap();
    let before = store.shadow.commits;
    for minute in 1..=(DAY / 60) {
        let now = at(minute * 60);
        ask(&mut store, Request::Seen(vec![Seen { key: key(1, 443), at: now.wall, connections: 1 }]), now);
        tick(&mut store, now);
    }
    assert_eq!(store.shadow.commits - before, 2);
    assert_eq!(in_file(&scratch.database())[0].connections, 1 + DAY / 60);
}

#[test]
fn the_oldest_undecided_flow_gives_way_and_what_was_decided_never_does() {
    let scratch = Scratch::new();
    let limits = Limits { max_flows: 5, ..LIMITS };
    let mut store = crate::store::open(&scratch.database(), limits, at(0)).store;
    insert(&mut store, flow(1, 1, 1, State::Allowed), at(0));
    insert(&mut store, flow(2, 1, 2, State::Pending), at(0));
    insert(&mut store, flow(3, 1, 3, State::Denied), at(0));
    insert(&mut store, flow(4, 2, 4, State::Pending), at(2 * HOUR));
    let again = vec![Seen { key: key(1, 2), at: at(3 * HOUR).wall, connections: 1 }];
    ask(&mut store, Request::Seen(again), at(3 * HOUR));
    insert(&mut store, flow(5, 1, 5, State::Pending), at(4 * HOUR));
    for (new, oldest) in [(6, 4), (7, 2), (8, 5)] {
        let replies = insert(&mut store, flow(new, 1, new as u16, State::Allowed), at(4 * HOUR));
        let [Reply::Forgotten(records)] = replies.as_slice() else { panic!("{replies:?}") };
        assert_eq!(records.iter().map(|record| record.id.0).collect::<Vec<_>>(), [oldest]);
    }
    assert_eq!(insert(&mut store, flow(9, 1, 9, State::Pending), at(4 * HOUR)), [Reply::Full { key: key(1, 9) }]);
    store.flush(at(4 * HOUR)).unwrap();
    let left: Vec<u32> = in_file(&scratch.database()).iter().map(|record| record.id.0).collect();
    assert_eq!(left, [1, 3, 6, 7, 8]);
    // Device 2 had nothing but the flow that gave way.
    let mut devices = Vec::new();
    store.each_device(|device| devices.push(device.mac));
    assert_eq!(devices, [mac(1)]);
}

#[test]
fn a_flood_of_undecided_flows_keeps_the_file_bounded() {
    let scratch = Scratch::new();
    let limits = Limits { max_flows: 100, ..LIMITS };
    let mut store = crate::store::open(&scratch.database(), limits, at(0)).store;
    for id in 1..=crate::effort::times(5000, 1000) {
        let now = at(u64::from(id) / 100);
        insert(&mut store, flow(id, (id % 7) as u8, (id % 60_000) as u16, State::Pending), now);
        tick(&mut store, now);
    }
    store.flush(at(60)).unwrap();
    assert_eq!(in_file(&scratch.database()).len(), 100);
    assert!(store.shadow.commits <= 7, "{} transactions in 50 seconds", store.shadow.commits);
}

/// For an hour, somebody invents ten flows a second, with as many hardware addresses as it takes.
#[test]
fn a_flood_into_a_full_store_hardly_writes_and_leaves_what_waits_for_the_owner() {
    let scratch = Scratch::new();
    let limits = Limits { max_flows: 1000, ..LIMITS };
    let mut store = crate::store::open(&scratch.database(), limits, at(0)).store;
    (1..=1000).for_each(|id| drop(insert(&mut store, flow(id, 1, id as u16, State::Pending), at(0))));
    tick(&mut store, at(10));
    let (mut refused, mut gone) = (0, 0);
    for id in 1001..=37_000 {
        for reply in
            insert(&mut store, flow(id, (id % 250) as u8, (id % 60_000) as u16, State::Pending), at(u64::from(id) / 10))
        {
            match reply {
                Reply::Full { .. } => refused += 1,
                Reply::Forgotten(records) => gone += records.len(),
                other => panic!("{other:?}"),
            }
        }
    }
    assert!((400..=425).contains(&gone), "{gone}");
    assert_eq!(refused + gone, 36_000);
    store.flush(at(3_700)).unwrap();
    let left = in_file(&scratch.database());
    let old = left.iter().filter(|record| record.id.0 <= 1000).count();
    assert_eq!((left.len(), old), (1000, 1000 - gone));
    // Where there is room again, nothing holds anybody up.
    decide(&mut store, Selection::Ids(vec![left[0].id]), Decision::Forget, at(3_701));
    let id = store.next_id.max(37_001);
    assert_eq!(insert(&mut store, flow(id, 9, 1, State::Pending), at(3_701)), []);
}

#[test]
fn a_number_is_never_used_twice() {
    let scratch = Scratch::new();
    let mut store = open(&scratch.database(), at(0)).store;
    insert(&mut store, flow(1, 1, 1, State::Allowed), at(0));
    store.flush(at(1)).unwrap();
    insert(&mut store, flow(2, 1, 2, State::Allowed), at(1));
    tick(&mut store, at(11));
    decide(&mut store, Selection::Ids(vec![FlowId(2)]), Decision::Forget, at(12));
    drop(store);
    assert_eq!(open(&scratch.database(), at(0)).next_id, FlowId(3));
}

#[test]
fn destinations_are_kept_with_their_flows() {
    use crate::flow::{Destination, NameId};
    let scratch = Scratch::new();
    let mut store = open(&scratch.database(), at(0)).store;
    let to = |id, destination| {
        let record = flow(id, 1, 443, State::Allowed);
        Record { key: Key { destination, ..record.key }, ..record }
    };
    let flows = [
        to(1, Destination::Any),
        to(2, Destination::Address("192.0.2.1".parse().unwrap())),
        to(3, Destination::Address("2001:db8::1".parse().unwrap())),
    ];
    for record in flows {
        assert_eq!(insert(&mut store, record, at(0)), []);
    }
    let unknown = to(4, Destination::Name(NameId(99)));
    assert_eq!(insert(&mut store, unknown, at(0)), [Reply::Full { key: unknown.key }]);
    store.flush(at(1)).unwrap();
    assert_eq!(in_file(&scratch.database()), flows);
    decide(&mut store, Selection::Ids(vec![FlowId(2)]), Decision::Forget, at(2));
    let copy = crate::store::read_copy(&scratch.database(), at(0)).unwrap();
    for tables in [&store.tables, &copy.tables] {
        let left: i64 = tables.query_row("SELECT count(*) FROM destinations", [], |row| row.get(0)).unwrap();
        assert_eq!(left, 1);
    }
}

#[test]
fn the_store_says_how_it_is() {
    let scratch = Scratch::new();
    let mut store = open(&scratch.database(), at(0)).store;
    insert(&mut store, flow(1, 1, 1, State::Pending), at(0));
    insert(&mut store, flow(2, 2, 1, State::Denied), at(0));
    tick(&mut store, at(10));
    let replies = ask(&mut store, Request::Status { ticket: 5 }, at(11));
    let [Reply::Status { ticket: 5, status }] = replies.as_slice() else { panic!("{replies:?}") };
    assert_eq!((status.flows.pending, status.flows.denied, status.devices), (1, 1, 2));
    assert_eq!((status.commits, status.failures), (2, 0), "a new file is written at once");
}
