use super::*;
use crate::store::Seen;

/// Uptime and wall clock, apart.
fn clocks(uptime: u64, wall: i64) -> Now {
    Now { mono: Monotonic::from_secs(uptime), wall: Wall { seconds: wall } }
}

const YEAR_2033: i64 = 2_000_000_000;

#[test]
fn undecided_flows_go_after_the_retention_time_and_decided_ones_stay() {
    let scratch = Scratch::new();
    let mut store = open(&scratch.database(), at(0)).store;
    insert(&mut store, flow(1, 1, 1, State::Pending), at(0));
    insert(&mut store, flow(2, 1, 2, State::Pending), at(0));
    insert(&mut store, flow(3, 1, 3, State::Allowed), at(0));
    let seen = vec![Seen { key: key(1, 2), at: at(20 * DAY).wall, connections: 1 }];
    ask(&mut store, Request::Seen(seen), at(20 * DAY));
    let mut gone = Vec::new();
    for half_day in 1..=64 {
        for reply in tick(&mut store, at(half_day * 12 * HOUR)) {
            let Reply::Forgotten(records) = reply else { panic!("{reply:?}") };
            gone.extend(records.iter().map(|record| (record.id.0, half_day / 2)));
        }
    }
    assert_eq!(gone, [(1, 30)]);
    assert_eq!(in_file(&scratch.database()).len(), 2);
}

#[test]
fn a_clock_that_jumps_to_2033_and_back_drops_nothing() {
    let scratch = Scratch::new();
    let mut store = open(&scratch.database(), clocks(0, JUNE)).store;
    insert(&mut store, flow(1, 1, 1, State::Pending), clocks(0, JUNE));
    assert_eq!(tick(&mut store, clocks(12 * HOUR, YEAR_2033)), []);
    insert(&mut store, flow(2, 1, 2, State::Pending), clocks(13 * HOUR, YEAR_2033));
    let seen = vec![Seen { key: key(1, 1), at: Wall { seconds: YEAR_2033 }, connections: 1 }];
    ask(&mut store, Request::Seen(seen), clocks(13 * HOUR, YEAR_2033));
    assert_eq!(tick(&mut store, clocks(24 * HOUR, JUNE + 86_400)), []);
    store.flush(clocks(24 * HOUR, JUNE)).unwrap();
    drop(store);
    let mut store = open(&scratch.database(), clocks(0, JUNE)).store;
    assert_eq!(store.counts.pending, 2);
    // The record from 2033 is mended by the next connection, and does not stay for ever.
    let seen = vec![Seen { key: key(1, 1), at: Wall { seconds: JUNE }, connections: 1 }];
    ask(&mut store, Request::Seen(seen), clocks(1, JUNE));
    assert_eq!(find(&mut store, key(1, 1)).unwrap().last_seen.seconds, JUNE);
    let mut gone = 0;
    for half_day in 1..=64 {
        for reply in tick(&mut store, clocks(half_day * 12 * HOUR, JUNE)) {
            let Reply::Forgotten(records) = reply else { panic!("{reply:?}") };
            gone += records.len();
        }
    }
    assert_eq!(gone, 2);
}

#[test]
fn age_is_counted_over_restarts_and_not_while_the_router_is_off() {
    let scratch = Scratch::new();
    let run = |days: u64| {
        let opened = open(&scratch.database(), clocks(0, JUNE));
        let mut store = opened.store;
        if opened.next_id == FlowId(1) {
            insert(&mut store, flow(1, 1, 1, State::Pending), at(0));
        }
        for half_day in 1..=days * 2 {
            tick(&mut store, clocks(half_day * 12 * HOUR, JUNE));
        }
        store.flush(clocks(days * DAY, JUNE)).unwrap();
        in_file(&scratch.database()).len()
    };
    assert_eq!(run(20), 1);
    assert_eq!(run(10), 1);
    assert_eq!(run(1), 0);
}

#[test]
fn uptime_is_written_with_the_first_change_of_an_hour() {
    let scratch = Scratch::new();
    let mut store = open(&scratch.database(), at(0)).store;
    for hour in 1..=5 {
        insert(&mut store, flow(hour, 1, hour as u16, State::Pending), at(u64::from(hour) * HOUR));
        tick(&mut store, at(u64::from(hour) * HOUR + 10));
    }
    // As if the power had failed now.
    let copy = crate::store::read_copy(&scratch.database(), at(0)).unwrap();
    assert_eq!(copy.life.uptime / HOUR as i64, 5);
}

#[test]
fn times_before_the_clock_was_set_are_mended_in_their_order() {
    let scratch = Scratch::new();
    let mut store = open(&scratch.database(), clocks(0, 100)).store;
    let times = |id: u32, first: i64, last: i64| Record {
        first_seen: Wall { seconds: first },
        last_seen: Wall { seconds: last },
        ..flow(id, id as u8, 1, State::Pending)
    };
    insert(&mut store, times(1, 110, 130), clocks(30, 130));
    insert(&mut store, times(2, 120, 120), clocks(30, 130));
    insert(&mut store, times(3, JUNE - 999, JUNE - 99), clocks(30, 130));
    insert(&mut store, times(4, 90_000, 90_000), clocks(30, 130));
    assert_eq!(ask(&mut store, Request::ClockSet { jump_seconds: JUNE - 140 }, clocks(40, JUNE)), []);
    let mut found = Vec::new();
    store.each(|record, _| found.push((record.first_seen.seconds - JUNE, record.last_seen.seconds - JUNE)));
    // The fourth is left from a boot that lasted longer: later than now is no time to have seen anything.
    assert_eq!(found, [(-30, -10), (-20, -20), (-999, -99), (0, 0)]);
    // Mending alone is no reason to write before the flush interval.
    let before = store.shadow.commits;
    tick(&mut store, clocks(41, JUNE));
    assert_eq!(store.shadow.commits, before + 1, "the new flows");
    store.flush(clocks(50, JUNE)).unwrap();
    assert_eq!(in_file(&scratch.database())[0].first_seen.seconds, JUNE - 30);
}

#[test]
fn a_clock_that_is_still_not_set_mends_nothing() {
    let scratch = Scratch::new();
    let mut store = open(&scratch.database(), clocks(0, 100)).store;
    let early =
        Record { first_seen: Wall { seconds: -5 }, last_seen: Wall { seconds: 7 }, ..flow(1, 1, 1, State::Allowed) };
    insert(&mut store, early, clocks(0, 7));
    ask(&mut store, Request::ClockSet { jump_seconds: i64::MAX }, clocks(1, 500));
    ask(&mut store, Request::ClockSet { jump_seconds: i64::MIN }, clocks(1, JUNE));
    let found = find(&mut store, key(1, 1)).unwrap();
    assert_eq!((found.first_seen.seconds, found.last_seen.seconds), (0, 7));
}

#[test]
fn an_age_that_lies_ahead_does_not_keep_a_flow_for_ever() {
    let scratch = Scratch::new();
    let mut store = open(&scratch.database(), at(0)).store;
    insert(&mut store, flow(1, 1, 1, State::Pending), at(0));
    store.flush(at(1)).unwrap();
    drop(store);
    let tampered = rusqlite::Connection::open(scratch.database()).unwrap();
    tampered.execute("UPDATE flows SET aged = 1000000", []).unwrap();
    drop(tampered);
    let mut store = open(&scratch.database(), at(0)).store;
    assert_eq!(store.counts.pending, 1);
    tick(&mut store, at(31 * DAY));
    assert_eq!(store.counts.pending, 0);
}
