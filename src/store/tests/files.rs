use std::fs;

use rusqlite::Connection;

use super::*;

#[test]
fn a_missing_directory_is_made() {
    let scratch = Scratch::new();
    let path = scratch.0.join("etc/glacic/flows.db");
    assert_eq!(open(&path, at(0)).trouble, None);
    assert!(path.exists());
}

#[test]
fn commits_are_synchronised_and_need_no_shared_memory() {
    let scratch = Scratch::new();
    let file = crate::store::file::open(&scratch.database()).unwrap().connection;
    let value = |pragma| file.pragma_query_value(None, pragma, |row| row.get::<_, rusqlite::types::Value>(0)).unwrap();
    assert_eq!(value("journal_mode"), "wal".to_owned().into());
    assert_eq!(value("locking_mode"), "exclusive".to_owned().into());
    assert_eq!(value("synchronous"), 2.into());
    assert!(!scratch.0.join("flows.db-shm").exists());
}

/// Whatever lies there goes aside, and learning starts afresh.
fn is_moved_aside(scratch: &Scratch) {
    let opened = open(&scratch.database(), at(0));
    assert_eq!(opened.moved_aside, Some(scratch.0.join("flows.db.damaged-1")));
    assert_eq!((opened.next_id, opened.trouble), (FlowId(1), None));
    let mut store = opened.store;
    insert(&mut store, flow(1, 1, 1, State::Allowed), at(0));
    store.flush(at(1)).unwrap();
    drop(store);
    assert_eq!(open(&scratch.database(), at(0)).next_id, FlowId(2));
}

fn make(scratch: &Scratch, flows: u32) {
    let mut store = open(&scratch.database(), at(0)).store;
    for id in 1..=flows {
        insert(&mut store, flow(id, 1, id as u16, State::Allowed), at(0));
    }
    store.flush(at(1)).unwrap();
}

fn tamper(scratch: &Scratch, sql: &str) {
    Connection::open(scratch.database()).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn what_is_no_database_is_moved_aside() {
    let scratch = Scratch::new();
    fs::write(scratch.database(), "config rule_learning 'main'\n".repeat(100)).unwrap();
    is_moved_aside(&scratch);
    assert!(fs::read_to_string(scratch.0.join("flows.db.damaged-1")).unwrap().starts_with("config"));
}

/// Otherwise whoever ended learning would have every device trusted anew, after a power cut that hit the database.
#[test]
fn the_owners_word_outlives_a_database_that_is_moved_aside() {
    let scratch = Scratch::new();
    let mut store = open(&scratch.database(), at(0)).store;
    ask(&mut store, word("1 - 1 -", When::Soon), at(1));
    ask(&mut store, word("1 - 0 -", When::Soon), at(2));
    tick(&mut store, at(20));
    drop(store);
    std::fs::write(scratch.database(), "no database").unwrap();
    for round in 0..2 {
        let opened = open(&scratch.database(), at(0));
        assert_eq!((opened.moved_aside.is_some(), opened.counts.denied), (round == 0, 0));
        assert_eq!(opened.meta.get("learning").map(String::as_str), Some("1 - 0 -"));
        let mut store = opened.store;
        store.flush(at(5)).unwrap();
    }
    // Whoever removes the database wants to begin anew.
    std::fs::remove_file(scratch.database()).unwrap();
    assert_eq!(open(&scratch.database(), at(0)).meta.len(), 0);
}

/// Nothing but the word itself was written between two cuts of the power; or the file lost its bytes.
#[test]
fn the_owners_word_outlives_more_than_one_cut() {
    let scratch = Scratch::new();
    let mut store = open(&scratch.database(), at(0)).store;
    assert_eq!(
        ask(&mut store, word("1 - 0 -", When::Now { ticket: 7 }), at(1)),
        [Reply::Kept { ticket: 7, saved: Ok(()) }]
    );
    drop(store);
    let kept = |text: Option<&str>| {
        if let Some(text) = text {
            fs::write(scratch.database(), text).unwrap();
        }
        open(&scratch.database(), at(0)).meta.get("learning").map(String::as_str) == Some("1 - 0 -")
    };
    assert!(kept(None), "it was on the flash when it was answered");
    for text in [Some("no database"), None, None, Some(""), None] {
        assert!(kept(text), "{text:?}");
    }
    fs::remove_file(scratch.database()).unwrap();
    assert!(!kept(None) && !kept(None), "whoever removes the database begins anew");
}

#[test]
fn the_copy_of_the_word_is_written_when_it_says_something_else_and_read_with_care() {
    let scratch = Scratch::new();
    let copy = scratch.0.join("flows.db.kept");
    let mut store = open(&scratch.database(), at(0)).store;
    store.flush(at(1)).unwrap();
    assert!(!copy.exists(), "nothing was said");
    ask(&mut store, word("0 - 1 -", When::Soon), at(2));
    tick(&mut store, at(20));
    assert_eq!(std::fs::read_to_string(&copy).unwrap(), "learning 0 - 1 -\n");
    std::fs::remove_file(&copy).unwrap();
    ask(&mut store, word("0 - 1 -", When::Soon), at(21));
    tick(&mut store, at(40));
    assert!(!copy.exists(), "it has been said");
    drop(store);
    for (nonsense, read) in [("\u{0}\nlearning", 0), ("learning 0 - 1 -\n\nx", 1), ("", 0)] {
        std::fs::write(scratch.database(), "no database").unwrap();
        std::fs::write(&copy, nonsense).unwrap();
        assert_eq!(open(&scratch.database(), at(0)).meta.len(), read, "{nonsense:?}");
    }
}

#[test]
fn a_directory_in_its_place_is_moved_aside() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.database()).unwrap();
    is_moved_aside(&scratch);
}

#[test]
fn the_database_of_another_program_is_moved_aside() {
    let scratch = Scratch::new();
    tamper(&scratch, "CREATE TABLE flows (id TEXT); PRAGMA user_version = 1;");
    is_moved_aside(&scratch);
}

#[test]
fn the_database_of_a_newer_version_is_moved_aside() {
    let scratch = Scratch::new();
    make(&scratch, 3);
    tamper(&scratch, "PRAGMA user_version = 99;");
    is_moved_aside(&scratch);
}

#[test]
fn a_schema_that_was_tampered_with_is_moved_aside() {
    for change in [
        "ALTER TABLE flows ADD COLUMN more INTEGER",
        "CREATE TRIGGER t AFTER INSERT ON flows BEGIN DELETE FROM devices; END",
        "DROP TABLE devices; CREATE VIEW devices AS SELECT 1 AS id",
        "DROP TABLE life",
    ] {
        let scratch = Scratch::new();
        make(&scratch, 3);
        tamper(&scratch, change);
        is_moved_aside(&scratch);
    }
}

#[test]
fn a_file_with_overwritten_pages_is_moved_aside() {
    let scratch = Scratch::new();
    make(&scratch, 2000);
    let mut bytes = fs::read(scratch.database()).unwrap();
    let half = bytes.len() / 2;
    bytes[half..].fill(0xa5);
    fs::write(scratch.database(), bytes).unwrap();
    is_moved_aside(&scratch);
}

#[test]
fn a_file_that_was_cut_off_never_panics() {
    let scratch = Scratch::new();
    make(&scratch, 500);
    let bytes = fs::read(scratch.database()).unwrap();
    for length in [0, 1, 50, 100, 4096, 5000, bytes.len() - 1] {
        fs::write(scratch.database(), &bytes[..length]).unwrap();
        assert_eq!(open(&scratch.database(), at(0)).trouble, None, "{length}");
    }
}

#[test]
fn only_three_files_are_kept_aside_and_the_oldest_gives_way() {
    let scratch = Scratch::new();
    for round in 1..=5 {
        fs::write(scratch.database(), format!("nonsense {round}").repeat(50)).unwrap();
        fs::write(scratch.0.join("flows.db-wal"), format!("log {round}")).unwrap();
        crate::store::file::move_aside(&scratch.database()).unwrap();
    }
    let first = |name: &str| fs::read_to_string(scratch.0.join(name)).map(|text| text[..10].to_owned()).ok();
    assert_eq!(first("flows.db.damaged-1").as_deref(), Some("nonsense 3"));
    assert_eq!(first("flows.db.damaged-3").as_deref(), Some("nonsense 5"));
    assert_eq!(first("flows.db.damaged-4"), None);
    assert_eq!(fs::read_to_string(scratch.0.join("flows.db.damaged-3-wal")).unwrap(), "log 5");
}

#[test]
fn a_file_that_breaks_while_it_is_used_is_replaced_and_nothing_is_lost() {
    let scratch = Scratch::new();
    // More than SQLite's cache holds.
    make(&scratch, 8000);
    let mut store = open(&scratch.database(), at(0)).store;
    let mut bytes = fs::read(scratch.database()).unwrap();
    bytes[4096..].fill(0xa5);
    // In place: the same file, as a dying flash would have it.
    std::io::Write::write_all(&mut fs::OpenOptions::new().write(true).open(scratch.database()).unwrap(), &bytes)
        .unwrap();
    store.tables.execute("UPDATE flows SET connections = 5", []).unwrap();
    for id in 1..=8000 {
        store.due.flows.mark(id, crate::store::due::Kind::Counted);
    }
    let replies = ask(&mut store, Request::Flush, at(5));
    assert_eq!(replies, [Reply::MovedAside(scratch.0.join("flows.db.damaged-1"))]);
    let found = in_file(&scratch.database());
    assert_eq!((found.len(), found[7999].connections), (8000, 5));
}

#[test]
fn rows_that_make_no_sense_are_skipped_and_counted() {
    let scratch = Scratch::new();
    make(&scratch, 12);
    tamper(
        &scratch,
        "INSERT INTO devices VALUES (2, 1 << 48, NULL, 0, NULL, 0);           -- no address
         INSERT INTO devices VALUES (3, -1, NULL, 0, NULL, 0);
         INSERT INTO devices VALUES (4, 7, NULL, 5, NULL, 0);                 -- no mode
         INSERT INTO devices VALUES (5, 8, x'00', 0, NULL, 0);                -- no text
         INSERT INTO devices SELECT 6, mac, NULL, 0, NULL, 0 FROM devices WHERE id = 1; -- twice
         INSERT INTO destinations VALUES (1, x'c00002');                      -- no address
         UPDATE flows SET standing = 77 WHERE id = 1;
         UPDATE flows SET standing = 'allowed' WHERE id = 2;
         UPDATE flows SET service = -1 WHERE id = 3;
         UPDATE flows SET service = 47 << 17 | 80 WHERE id = 4;               -- GRE has no ports
         UPDATE flows SET device = 2 WHERE id = 5;
         UPDATE flows SET destination = 1 WHERE id = 6;
         UPDATE flows SET first_seen = -1 WHERE id = 7;
         UPDATE flows SET connections = 1.5e300 WHERE id = 8;
         UPDATE flows SET aged = x'ff' WHERE id = 9;
         UPDATE flows SET service = (SELECT service FROM flows WHERE id = 12) WHERE id = 10;
         UPDATE flows SET id = 4294967295 WHERE id = 11;
         UPDATE life SET next_id = 13;
         INSERT INTO meta VALUES ('k', 7);",
    );
    let opened = open(&scratch.database(), at(0));
    assert_eq!((opened.moved_aside, opened.counts.allowed), (None, 1));
    assert_eq!((opened.skipped, opened.next_id), (5 + 1 + 11, FlowId(13)));
    assert_eq!(opened.meta.get("k").map(String::as_str), Some("7"));
    let mut store = opened.store;
    assert_eq!(insert(&mut store, flow(13, 1, 999, State::Allowed), at(0)), []);
    store.flush(at(1)).unwrap();
}

#[test]
fn a_limit_that_was_lowered_drops_what_nobody_has_decided() {
    let scratch = Scratch::new();
    let mut store = open(&scratch.database(), at(0)).store;
    for id in 1..=10 {
        let state = if id > 5 { State::Allowed } else { State::Pending };
        insert(&mut store, flow(id, 1, id as u16, state), at(0));
    }
    store.flush(at(1)).unwrap();
    drop(store);
    let store = crate::store::open(&scratch.database(), Limits { max_flows: 7, ..LIMITS }, at(0)).store;
    assert_eq!((store.counts.pending, store.counts.allowed), (2, 5));
    drop(store);
    let store = crate::store::open(&scratch.database(), Limits { max_flows: 3, ..LIMITS }, at(0)).store;
    assert_eq!((store.counts.pending, store.counts.allowed), (0, 5));
}

#[test]
fn a_file_of_version_1_opens() {
    let scratch = Scratch::new();
    tamper(&scratch, include_str!("../version_1.sql"));
    let opened = open(&scratch.database(), at(0));
    assert_eq!((opened.moved_aside, opened.skipped, opened.next_id), (None, 0, FlowId(3)));
    let found = in_file(&scratch.database());
    assert_eq!(found[0].key, Key::service(mac(1), Protocol::TCP, Port::Number(443)));
    assert_eq!((found[0].state, found[0].origin, found[0].connections), (State::Allowed, Origin::User, 3));
    assert_eq!(found[1].key.destination, crate::flow::Destination::Address("192.0.2.1".parse().unwrap()));
}

#[test]
fn a_time_of_decision_that_makes_no_sense_is_left_out() {
    let scratch = Scratch::new();
    make(&scratch, 3);
    tamper(
        &scratch,
        "UPDATE flows SET decided = 'yesterday' WHERE id = 1; UPDATE flows SET decided = -1 WHERE id = 2;",
    );
    let opened = open(&scratch.database(), at(0));
    assert_eq!((opened.skipped, opened.counts.allowed), (0, 3));
    let query = crate::flow::query::Query::default();
    let mut store = opened.store;
    let [Reply::Listed { result: Ok(json), .. }] = &ask(&mut store, Request::List { ticket: 1, query }, at(1))[..]
    else {
        panic!()
    };
    assert_eq!(json.matches("\"decided\":null").count(), 3, "{json}");
}

#[test]
fn a_look_without_the_daemon_leaves_no_trace() {
    let scratch = Scratch::new();
    make(&scratch, 3);
    let before = fs::read(scratch.database()).unwrap();
    assert_eq!(in_file(&scratch.database()).len(), 3);
    assert_eq!(fs::read(scratch.database()).unwrap(), before);
    assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 1);
    let missing = crate::store::read_copy(&scratch.0.join("none.db"), at(0));
    assert!(missing.is_err());
    assert!(!scratch.0.join("none.db").exists());
}

#[test]
fn twenty_thousand_flows_take_at_most_fifty_bytes_each() {
    let scratch = Scratch::new();
    let mut store = open(&scratch.database(), at(0)).store;
    let flows = crate::effort::times(20_000, 5_000);
    for id in 1..=flows {
        let record = Record {
            last_seen: at(u64::from(id) * 7).wall,
            connections: u64::from(id) * 3,
            ..flow(id, (id / 100) as u8, (id % 50_000) as u16, State::Allowed)
        };
        insert(&mut store, record, at(u64::from(id) * 100));
    }
    store.flush(at(1)).unwrap();
    drop(store);
    let bytes = fs::metadata(scratch.database()).unwrap().len();
    assert!(bytes / u64::from(flows) <= 50, "{bytes} bytes");
}

#[cfg(unix)]
#[test]
fn nobody_else_may_read_what_the_house_does() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new();
    let _store = open(&scratch.database(), at(0)).store;
    for name in ["flows.db", "flows.db-wal"] {
        assert_eq!(fs::metadata(scratch.0.join(name)).unwrap().permissions().mode() & 0o077, 0, "{name}");
    }
}

#[cfg(unix)]
#[test]
fn a_look_through_a_link_sees_what_is_in_the_log() {
    let (scratch, elsewhere) = (Scratch::new(), Scratch::new());
    std::os::unix::fs::symlink(elsewhere.database(), scratch.database()).unwrap();
    let mut store = open(&scratch.database(), at(0)).store;
    decide(&mut store, service("b8:27:eb:00:00:01", Some(22)), Decision::Deny, at(0));
    assert_eq!(in_file(&scratch.database()).len(), 1);
}

#[cfg(unix)]
#[test]
fn a_file_that_is_deleted_or_replaced_under_a_running_daemon_is_written_anew() {
    let scratch = Scratch::new();
    make(&scratch, 3);
    fs::copy(scratch.database(), scratch.0.join("backup")).unwrap();
    let mut store = open(&scratch.database(), at(0)).store;
    fs::remove_file(scratch.database()).unwrap();
    decide(&mut store, Selection::Ids(vec![FlowId(1)]), Decision::Deny, at(1));
    let states = || in_file(&scratch.database()).iter().map(|record| record.state).collect::<Vec<_>>();
    assert_eq!(states(), [State::Denied, State::Allowed, State::Allowed]);
    // A backup of yesterday: its flows are older than what glacic knows.
    fs::rename(scratch.0.join("backup"), scratch.database()).unwrap();
    decide(&mut store, Selection::Ids(vec![FlowId(2)]), Decision::Deny, at(2));
    assert_eq!(states(), [State::Denied, State::Denied, State::Allowed]);
    assert!(scratch.0.join("flows.db.damaged-1").exists());
}
