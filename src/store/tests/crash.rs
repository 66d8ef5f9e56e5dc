use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc;

use super::*;
use crate::store::{Full, spawn};

/// Not a test: what the child process of [`a_killed_daemon_loses_no_decision`] does until it is killed.
#[test]
#[ignore = "run by another test"]
fn decides_until_it_is_killed() {
    let Some(path) = std::env::var_os("GLACIC_TEST_DATABASE") else { return };
    let mut store = open(Path::new(&path), at(0)).store;
    let first = store.next_id;
    for id in first.. {
        // A batch of learned flows is under way with each decision.
        insert(&mut store, flow(1_000_000 + id, 2, (id % 60_000) as u16, State::Pending), at(0));
        store.next_id = id;
        let device = Mac::from_u64(u64::from(id)).unwrap().to_string();
        decide(&mut store, service(&device, Some(22)), Decision::Deny, at(0));
        println!("decided {id}");
    }
}

#[test]
fn a_killed_daemon_loses_no_decision() {
    let scratch = Scratch::new();
    let mut answered = Vec::new();
    for round in 1..=4 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", "--nocapture", "store::tests::crash::decides_until_it_is_killed"])
            .env("GLACIC_TEST_DATABASE", scratch.database())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut here = 0;
        for line in lines.map_while(Result::ok) {
            if let Some((_, id)) = line.split_once("decided ") {
                answered.push(id.parse::<u32>().unwrap());
                here += 1;
            }
            if here == round * 7 {
                // SIGKILL, at whatever the child does by now.
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(here >= round * 7);
        let opened = open(&scratch.database(), at(0));
        assert_eq!((opened.moved_aside, opened.trouble, opened.skipped), (None, None, 0));
        let mut found = std::collections::BTreeSet::new();
        opened.store.each(|record, _| {
            if record.state == State::Denied {
                found.insert(record.id.0);
            }
        });
        let missing: Vec<&u32> = answered.iter().filter(|id| !found.contains(id)).collect();
        assert!(missing.is_empty(), "round {round}: {missing:?}");
        // The children number on from what is there: the learned flows are numbered higher, and would be next.
        drop(opened.store);
        rusqlite::Connection::open(scratch.database())
            .unwrap()
            .execute_batch(
                "DELETE FROM flows WHERE id > 1000000; UPDATE life SET next_id = (SELECT max(id) FROM flows) + 1",
            )
            .unwrap();
    }
}

#[test]
fn the_thread_answers_wakes_and_writes_everything_before_it_leaves() {
    let scratch = Scratch::new();
    let (sender, replies) = mpsc::sync_channel(8);
    let (woken, wakes) = mpsc::channel();
    let wake = move || {
        let _ = woken.send(());
    };
    let handle = spawn(open(&scratch.database(), at(0)).store, sender, wake, || at(1)).unwrap();
    let record = flow(1, 1, 443, State::Allowed);
    handle.try_send(Request::Insert { record, zone: None }).unwrap();
    handle.try_send(Request::Find { key: record.key }).unwrap();
    wakes.recv().unwrap();
    assert_eq!(replies.recv().unwrap(), Reply::Found { key: record.key, record: Some(record) });
    handle.stop(Duration::from_secs(60)).unwrap();
    assert_eq!(in_file(&scratch.database()), [record]);
}

#[test]
fn nobody_waits_for_a_thread_whose_replies_nobody_takes() {
    let scratch = Scratch::new();
    let (sender, replies) = mpsc::sync_channel(1);
    let handle = spawn(open(&scratch.database(), at(0)).store, sender, || {}, || at(1)).unwrap();
    let mut taken = 0;
    while handle.try_send(Request::Find { key: key(1, 1) }) != Err(Full) {
        taken += 1;
    }
    assert!(taken >= crate::store::INBOX, "{taken}");
    assert!(handle.queued() <= crate::store::INBOX);
    handle.stop(Duration::from_secs(60)).unwrap();
    drop(replies);
}
