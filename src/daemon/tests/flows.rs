//! What becomes of flows, connections and decisions between the threads.

use super::*;

#[test]
fn a_learned_flow_reaches_store_and_kernel_or_neither() {
    let mut town = Town::loaded("both");
    town.packet(443);
    assert!(matches!(town.store.try_recv(), Ok(store::Request::Insert { record, .. }) if record.key == key(443)));
    assert_eq!(town.changes().get(&key(443)), Some(&(None, Some(State::Allowed))));
    assert_eq!((town.house.flows.allowed, town.house.stats.store_writes), (1, 1));

    while town.house.store.handle.try_send(store::Request::Flush).is_ok() {}
    town.packet(80);
    assert!(town.changes().is_empty(), "nothing is believed that is not kept");
    assert_eq!((town.house.flows.allowed, town.house.stats.store_errors), (1, 1));
    while town.store.try_recv().is_ok() {}
    town.packet(80);
    assert!(town.changes().contains_key(&key(80)), "it is learned again");
}

#[test]
fn what_the_store_has_no_room_for_leaves_the_kernel_again() {
    let mut town = Town::loaded("full");
    town.packet(443);
    town.changes();
    town.house.store_reply(Reply::Full { key: key(443) });
    town.house.settle(None);
    assert_eq!(town.changes().get(&key(443)), Some(&(Some(State::Allowed), None)));
    assert_eq!(town.house.flows, FlowCounts::default());
}

#[test]
fn that_the_database_is_full_is_said_until_it_has_room() {
    let mut town = Town::loaded("room");
    let full = |town: &Town| town.house.warnings.all().iter().any(|warning| warning.code == WarningCode::TableFull);
    let most = town.house.settings.max_flows as u64;
    town.house.flows = FlowCounts { allowed: most, ..FlowCounts::default() };
    town.packet(443);
    town.house.store_reply(Reply::Full { key: key(443) });
    assert!(full(&town));
    town.house.recount(Some(State::Allowed), Some(State::Denied));
    assert!(full(&town), "a decision makes no room");
    town.house.recount(Some(State::Denied), None);
    assert!(!full(&town));
}

#[test]
fn counts_of_flows_are_put_right_by_the_store() {
    let mut town = Town::loaded("counts");
    town.house.flows.pending = 99;
    let flows = FlowCounts { allowed: 1, pending: 2, denied: 3 };
    town.house.store_reply(Reply::Status { ticket: 0, status: store::Status { flows, ..Default::default() } });
    assert_eq!(town.house.flows, flows);
}

#[test]
fn no_connection_is_lost_however_many_flows_are_in_use() {
    let mut town = Town::new("seen", 64);
    let flows = (0..20_000).map(|port| (key(port), 2)).collect();
    town.house.firewall_report(Report::Counters { ticket: None, flows, denied: Vec::new(), no_mac: 7 });
    let seen: u64 = town
        .store
        .try_iter()
        .map(|request| match request {
            store::Request::Seen(seen) => seen.iter().map(|Seen { connections, .. }| u64::from(*connections)).sum(),
            _ => 0,
        })
        .sum();
    assert_eq!(seen, 40_000);
    assert_eq!(town.house.stats().no_mac, 7);
}

#[test]
fn what_must_reach_the_store_waits_for_room() {
    let mut town = Town::new("owed", 1);
    town.house.store.handle.try_send(store::Request::Flush).unwrap();
    let limits = |max_flows| {
        store::Request::Limits(store::Limits { max_flows, ..crate::daemon::house::store_limits(&Settings::default()) })
    };
    town.house.store.owe(limits(1));
    town.house.store.owe(store::Request::ClockSet { jump_seconds: 7 });
    town.house.store.owe(limits(2));
    assert_eq!(town.house.store.owed.len(), 2, "of limits the last ones count");
    assert!(matches!(town.store.try_recv(), Ok(store::Request::Flush)));
    town.house.store.pay();
    assert!(matches!(town.store.try_recv(), Ok(store::Request::ClockSet { jump_seconds: 7 })));
    town.house.store.pay();
    assert!(matches!(town.store.try_recv(), Ok(store::Request::Limits(store::Limits { max_flows: 2, .. }))));
    assert!(town.house.store.owed.is_empty());
}

#[test]
fn a_decision_is_answered_when_the_kernel_follows() {
    for stage in ["loaded", "loading"] {
        let mut town = Town::loaded(stage);
        if stage == "loading" {
            town.house.kernel.again();
        }
        let line = "{\"method\":\"flow_deny\",\"params\":{\"service\":{\"device\":\"02:00:00:00:00:01\",\"proto\":\"tcp\",\"port\":443}}}\n";
        let client = town.client(line);
        let ticket = town.store.try_iter().find_map(|request| match request {
            store::Request::Decide { ticket, .. } => Some(ticket),
            _ => None,
        });
        let ticket = ticket.expect("the store was asked");
        let changes = vec![Change { before: None, after: Some(record(9, 443, State::Denied)) }];
        let decided = store::Decided { matched: 1, changes, saved: Ok(()) };
        town.house.store_reply(Reply::Decided { ticket, result: Ok(decided) });
        assert!(silent(&client), "{stage}");
        if stage == "loading" {
            town.fill();
            town.house.firewall_report(loaded());
        }
        let sizes = SetSizes::new();
        town.house.firewall_report(Report::Applied { ticket: Some(ticket), failed: Vec::new(), sizes });
        assert!(answer(&client).contains("\"changed_total\":1"), "{stage}");
        assert_eq!(town.house.flows.denied, 1);
    }
}

#[test]
fn a_listing_that_waits_for_counts_survives_a_new_load() {
    let mut town = Town::loaded("listing");
    town.house.now.mono = town.house.now.mono.after(Duration::from_secs(10));
    let client = town.client("{\"method\":\"flow_list\"}\n");
    town.house.firewall_report(Report::Damaged(crate::firewall::message::Damage::Table));
    town.told();
    town.fill_and_report_counters();
    let ticket = town.store.try_iter().find_map(|request| match request {
        store::Request::List { ticket, .. } => Some(ticket),
        _ => None,
    });
    town.house.store_reply(Reply::Listed { ticket: ticket.expect("the store was asked"), result: Ok("[]".to_owned()) });
    assert_eq!(answer(&client), "{\"result\":[]}\n");
}

/// Only decided flows have counters in the kernel: a page of what waits would otherwise show when it was seen minutes ago.
#[test]
fn a_listing_knows_when_an_undecided_flow_was_last_seen() {
    let mut town = Town::loaded("lately-seen");
    town.house.engine.set_learning(false);
    town.house.engine.load(&record(1, 443, State::Pending), NOON);
    town.house.now =
        Now { mono: NOON.mono.after(Duration::from_secs(10)), wall: Wall { seconds: NOON.wall.seconds + 10 } };
    town.packet(443);
    let _client = town.client("{\"method\":\"flow_list\"}\n");
    town.fill_counters();
    let told: Vec<store::Request> = town.store.try_iter().collect();
    let seen = told.iter().position(|request| match request {
        store::Request::Seen(seen) => seen.iter().any(|seen| seen.key == key(443) && seen.at == town.house.now.wall),
        _ => false,
    });
    let list = told.iter().position(|request| matches!(request, store::Request::List { .. }));
    assert!(seen.is_some() && seen < list, "{told:?}");
}
