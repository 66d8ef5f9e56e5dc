use super::*;
#[cfg(target_os = "linux")]
use crate::flash::{mount, on_a_file_system, read_only};
use crate::store::Trouble;

fn trouble(replies: &[Reply]) -> Option<&Trouble> {
    replies.iter().find_map(|reply| match reply {
        Reply::Trouble(trouble) => Some(trouble),
        _ => None,
    })
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_survived_in_memory_and_made_up_for() {
    on_a_file_system("160k", |directory| {
        let path = directory.join("flows.db");
        let mut store = open(&path, at(0)).store;
        insert(&mut store, flow(1, 1, 1, State::Pending), at(0));
        tick(&mut store, at(10));
        let full = std::fs::write(directory.join("else"), vec![0; 1 << 20]);
        assert!(full.is_err());
        for id in 2..=600 {
            insert(&mut store, flow(id, 1, id as u16, State::Pending), at(20));
        }
        let replies = tick(&mut store, at(30));
        assert!(trouble(&replies).unwrap().0.contains("the disk is full"), "{replies:?}");
        // The owner's decision stands, and says that it is not safe yet. The trouble is not told twice.
        let selection = Selection::Ids(vec![FlowId(600)]);
        let request = Request::Decide { ticket: 1, selection, decision: Decision::Deny, fresh: FlowId(601) };
        let replies = ask(&mut store, request, at(31));
        let [Reply::Decided { result: Ok(decided), .. }] = replies.as_slice() else { panic!("{replies:?}") };
        assert!(decided.saved.is_err());
        assert_eq!(find(&mut store, key(1, 600)).unwrap().state, State::Denied);
        // Said once more, it changes nothing, and is as unsafe as before.
        let selection = Selection::Ids(vec![FlowId(600)]);
        let request = Request::Decide { ticket: 1, selection, decision: Decision::Deny, fresh: FlowId(601) };
        let replies = ask(&mut store, request, at(31));
        assert!(matches!(replies.as_slice(), [Reply::Decided { result: Ok(decided), .. }] if decided.saved.is_err()));
        let replies = ask(&mut store, word("0", When::Now { ticket: 3 }), at(31));
        assert!(matches!(replies.as_slice(), [Reply::Kept { ticket: 3, saved: Err(_) }]), "{replies:?}");
        // A commit that failed may have happened all the same: what was in it and is no more is to be erased.
        let selection = Selection::Ids(vec![FlowId(599)]);
        let request = Request::Decide { ticket: 2, selection, decision: Decision::Forget, fresh: FlowId(601) };
        ask(&mut store, request, at(31));
        assert!(store.due.flows.each(true).any(|(_, kind)| kind == crate::store::due::Kind::Gone));
        // The waits grow, up to ten minutes.
        let mut waits = Vec::new();
        let mut now = 31;
        for _ in 0..7 {
            waits.push(store.idle_for(at(now)).as_secs());
            now += store.idle_for(at(now)).as_secs();
            assert_eq!(tick(&mut store, at(now)), []);
        }
        assert_eq!(waits, [160, 320, 600, 600, 600, 600, 600]);
        std::fs::remove_file(directory.join("else")).unwrap();
        now += 600;
        assert_eq!(tick(&mut store, at(now)), [Reply::Recovered]);
        let found = in_file(&path);
        assert_eq!((found.len(), found[598].state), (599, State::Denied));
        assert_eq!(store.idle_for(at(now)).as_secs(), 12 * HOUR - now);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_read_only_file_system_is_read_and_what_is_learned_is_written_when_it_can_be() {
    on_a_file_system("1m", |directory| {
        let path = directory.join("flows.db");
        let mut store = open(&path, at(0)).store;
        decide(&mut store, service("b8:27:eb:00:00:01", Some(22)), Decision::Deny, at(0));
        drop(store);
        read_only(directory, true);
        let opened = open(&path, at(0));
        assert!(opened.trouble.as_ref().unwrap().0.contains("Read-only file system"), "{:?}", opened.trouble);
        assert_eq!((opened.counts.denied, opened.next_id, opened.moved_aside), (1, FlowId(2), None));
        let mut store = opened.store;
        insert(&mut store, flow(2, 1, 80, State::Allowed), at(1));
        tick(&mut store, at(11));
        read_only(directory, false);
        assert_eq!(tick(&mut store, at(100)), [Reply::Recovered]);
        let states: Vec<State> = in_file(&path).iter().map(|record| record.state).collect();
        assert_eq!(states, [State::Denied, State::Allowed]);
    });
}

/// A flash with errors often does both: it damages what it holds, and can no longer be written.
#[cfg(target_os = "linux")]
#[test]
fn the_owners_word_outlives_a_damaged_file_that_cannot_be_moved() {
    on_a_file_system("1m", |directory| {
        let path = directory.join("flows.db");
        let mut store = open(&path, at(0)).store;
        ask(&mut store, word("off", When::Now { ticket: 1 }), at(1));
        drop(store);
        std::fs::write(&path, "no database").unwrap();
        read_only(directory, true);
        let opened = open(&path, at(0));
        assert_eq!((opened.unread, opened.moved_aside), (true, None));
        assert_eq!(opened.meta.get("learning").map(String::as_str), Some("off"));
        let mut store = opened.store;
        read_only(directory, false);
        let aside = directory.join("flows.db.damaged-1");
        assert_eq!(tick(&mut store, at(100)), [Reply::MovedAside(aside), Reply::Recovered]);
        drop(store);
        let opened = open(&path, at(0));
        assert_eq!((opened.unread, opened.meta.len()), (false, 1));
    });
}

/// A disk that is mounted after the daemon has begun: what is on it is the owner's.
#[cfg(target_os = "linux")]
#[test]
fn a_database_on_a_file_system_that_is_mounted_later_is_left_alone() {
    on_a_file_system("1m", |directory| {
        let (disk, folder) = (directory.join("disk"), directory.join("mnt"));
        std::fs::create_dir(&disk).unwrap();
        mount(Path::new("none"), &disk, 0, "");
        let mut owners = open(&disk.join("flows.db"), at(0)).store;
        decide(&mut owners, service("b8:27:eb:00:00:01", Some(22)), Decision::Deny, at(0));
        drop(owners);

        let path = folder.join("flows.db");
        let mut store = open(&path, at(0)).store;
        insert(&mut store, flow(1, 1, 80, State::Allowed), at(1));
        mount(&disk, &folder, libc::MS_BIND, "");
        let replies = tick(&mut store, at(20));
        assert!(trouble(&replies).unwrap().0.contains("restart glacic to use it"), "{replies:?}");
        let _ = store.flush(at(40));
        drop(store);
        assert!(!folder.join("flows.db.damaged-1").exists());
        assert_eq!(open(&path, at(0)).counts.denied, 1);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_read_only_file_system_without_a_file_is_waited_for() {
    on_a_file_system("1m", |directory| {
        let path = directory.join("flows.db");
        read_only(directory, true);
        let opened = open(&path, at(0));
        assert!(opened.trouble.is_some());
        let mut store = opened.store;
        insert(&mut store, flow(1, 1, 80, State::Allowed), at(1));
        read_only(directory, false);
        assert_eq!(tick(&mut store, at(100)), [Reply::Recovered]);
        assert_eq!(in_file(&path).len(), 1);
    });
}

#[test]
fn a_second_daemon_works_in_memory_and_harms_nothing() {
    let scratch = Scratch::new();
    let mut first = open(&scratch.database(), at(0)).store;
    decide(&mut first, service("b8:27:eb:00:00:01", Some(22)), Decision::Deny, at(0));
    let opened = open(&scratch.database(), at(0));
    assert!(opened.trouble.unwrap().0.contains("another program"));
    assert_eq!((opened.counts.denied, opened.moved_aside), (1, None));
    let mut second = opened.store;
    insert(&mut second, flow(2, 1, 80, State::Allowed), at(1));
    tick(&mut second, at(20));
    drop(first);
    assert_eq!(tick(&mut second, at(100)), [Reply::Recovered]);
    assert_eq!(in_file(&scratch.database()).len(), 2);
}

#[test]
fn a_directory_that_cannot_be_made_is_waited_for() {
    let scratch = Scratch::new();
    let directory = scratch.0.join("later");
    std::fs::write(&directory, "in the way").unwrap();
    let opened = open(&directory.join("flows.db"), at(0));
    assert!(opened.trouble.is_some());
    let mut store = opened.store;
    insert(&mut store, flow(1, 1, 80, State::Allowed), at(1));
    assert_eq!(tick(&mut store, at(15)), []);
    std::fs::remove_file(&directory).unwrap();
    assert_eq!(tick(&mut store, at(100)), [Reply::Recovered]);
    assert_eq!(in_file(&directory.join("flows.db")).len(), 1);
}

#[test]
fn a_database_that_appears_later_is_not_overwritten() {
    let scratch = Scratch::new();
    let elsewhere = Scratch::new();
    let mut other = open(&elsewhere.database(), at(0)).store;
    decide(&mut other, service("b8:27:eb:00:00:01", Some(22)), Decision::Deny, at(0));
    drop(other);
    let directory = scratch.0.join("later");
    std::fs::write(&directory, "in the way").unwrap();
    let mut store = open(&directory.join("flows.db"), at(0)).store;
    insert(&mut store, flow(1, 1, 80, State::Allowed), at(1));
    std::fs::remove_file(&directory).unwrap();
    std::fs::create_dir(&directory).unwrap();
    std::fs::copy(elsewhere.database(), directory.join("flows.db")).unwrap();
    let replies = tick(&mut store, at(100));
    assert!(trouble(&replies).unwrap().0.contains("restart glacic"), "{replies:?}");
    assert_eq!(in_file(&directory.join("flows.db"))[0].state, State::Denied);
}
