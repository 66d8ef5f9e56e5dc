//! The firewall thread at work on a real kernel, in a namespace of its own.

use std::collections::BTreeSet;

use crate::config::settings::{FailMode, Placement};
use crate::flow::{DeviceMode, Key, Mac, Port, Protocol, State};

use super::at::{At, enforcing, table, udp};
use super::house::{CLIENT, House};
use super::support::{Folder, in_namespace, must, plan, tools};
use crate::firewall::message::{Change, Damage, LoadError, Report, Request, Subject};
use crate::firewall::nft::Tools;
use crate::firewall::plan::{Limits, Plan};
use crate::firewall::worker::{Full, INBOX};

const REFUSED: &str = "glacic: allowed by nobody";
const DENIED: &str = "glacic: denied";

#[test]
fn loading_twice_leaves_one_copy() {
    in_namespace(|| {
        let folder = Folder::new();
        let at = At::work(&tools(&folder));
        at.loads(&enforcing(), &[(udp(1), State::Allowed)]);
        let once = table();
        at.loads(&enforcing(), &[(udp(1), State::Allowed)]);
        assert_eq!(table(), once);
        assert!(once.contains(&format!("{CLIENT} . udp . 1 ")), "{once}");
    });
}

#[test]
fn changes_reach_the_sets_and_are_counted() {
    in_namespace(|| {
        let folder = Folder::new();
        let house = House::new();
        let at = At::work(&tools(&folder));
        at.loads(&enforcing(), &[(udp(1000), State::Allowed)]);
        house.arrives(1000);
        house.is_dropped_by(1001, "glacic", REFUSED);
        match at.change(udp(1001), Some(State::Pending), Some(State::Allowed)) {
            Report::Applied { ticket: Some(7), failed, sizes } => {
                assert!(failed.is_empty(), "{failed:?}");
                assert_eq!(sizes["flows"], 2);
            }
            other => panic!("{other:?}"),
        }
        house.arrives(1001);
        at.change(udp(1000), Some(State::Allowed), None);
        house.is_dropped_by(1000, "glacic", REFUSED);
        at.ask(Request::Device { ticket: None, mac: CLIENT, before: DeviceMode::Default, after: DeviceMode::Trust });
        house.arrives(1000);
    });
}

#[test]
fn a_decision_can_be_reversed_and_a_device_overrules_its_flows() {
    in_namespace(|| {
        let folder = Folder::new();
        let house = House::new();
        let at = At::work(&tools(&folder));
        at.loads(&enforcing(), &[(udp(1000), State::Allowed), (udp(1001), State::Denied)]);
        let flow = |port, before, after| Request::Change {
            ticket: None,
            changes: vec![Change { key: udp(port), before, after: Some(after) }],
        };
        at.changes(flow(1000, Some(State::Allowed), State::Denied));
        house.is_dropped_by(1000, "glacic", DENIED);
        // What was known of it is wrong: it is as it was asked for all the same.
        at.changes(flow(1001, None, State::Allowed));
        house.arrives(1001);
        assert_eq!(at.counters(), [(udp(1000), 1), (udp(1001), 1)]);
        let device = |before, after| Request::Device { ticket: None, mac: CLIENT, before, after };
        at.changes(device(DeviceMode::Default, DeviceMode::Trust));
        house.arrives(1000);
        at.changes(device(DeviceMode::Trust, DeviceMode::Block));
        house.is_dropped_by(1001, "glacic", DENIED);
        at.changes(device(DeviceMode::Block, DeviceMode::Default));
        house.arrives(1001);
        house.is_dropped_by(1000, "glacic", DENIED);
        // Somebody else says something else, and the next load mends it.
        let other = format!("add element inet glacic flows {{ {CLIENT} . udp . 1001 : drop }}\n");
        let delete = format!("delete element inet glacic flows {{ {CLIENT} . udp . 1001 }}\n");
        must("nft", &["-f", "-"], &(delete + &other));
        at.loads(&enforcing(), &[(udp(1000), State::Denied), (udp(1001), State::Allowed)]);
        house.arrives(1001);
    });
}

/// Up to schema 1 there was a set for each answer.
#[test]
fn a_table_of_another_version_is_replaced_with_its_elements() {
    in_namespace(|| {
        let folder = Folder::new();
        let house = House::new();
        let before = "table inet glacic {\n\tcomment \"glacic, sets v1, 1024 flows, 256 devices\"\n\
            \tset denied {\n\t\ttype ether_addr . inet_proto . inet_service\n\t\tsize 1024\n\t\tcounter\n\
            \t\telements = { 02:00:00:00:00:02 . udp . 1000 }\n\t}\n\
            \tchain deny {\n\t\tcounter drop comment \"glacic: denied\"\n\t}\n\
            \tchain forward {\n\t\ttype filter hook forward priority filter - 10; policy accept;\n\
            \t\tether saddr . meta l4proto . th dport @denied goto deny\n\t}\n}\n";
        must("nft", &["-f", "-"], before);
        house.is_dropped_by(1000, "glacic", DENIED);
        let at = At::work(&tools(&folder));
        at.loads(&enforcing(), &[(udp(1000), State::Denied), (udp(1001), State::Allowed)]);
        house.is_dropped_by(1000, "glacic", DENIED);
        house.arrives(1001);
        assert!(!table().contains("set denied"), "{}", table());
    });
}

#[test]
fn connections_are_counted_once_also_across_loads() {
    in_namespace(|| {
        let folder = Folder::new();
        let house = House::new();
        let tools = tools(&folder);
        let flows = [(udp(1000), State::Allowed)];
        let at = At::work(&tools);
        at.loads(&enforcing(), &flows);
        house.arrives(1000);
        house.arrives(1000);
        assert_eq!(at.counters(), [(udp(1000), 2)]);
        assert_eq!(at.counters(), []);
        // Chains change, sets stay.
        house.arrives(1000);
        at.loads(&plan(), &flows);
        assert_eq!(at.counters(), [(udp(1000), 1)]);
        // Other sets: what the old ones counted is not lost.
        house.arrives(1000);
        at.loads(&Plan { limits: Limits::for_flows(2000), ..enforcing() }, &flows);
        house.arrives(1000);
        assert_eq!(at.counters(), [(udp(1000), 1), (udp(1000), 1)]);
        // Another daemon has counted what was before it.
        house.arrives(1000);
        let next = At::work(&tools);
        next.loads(&Plan { limits: Limits::for_flows(2000), ..enforcing() }, &flows);
        assert_eq!(next.counters(), []);
        house.arrives(1000);
        assert_eq!(next.counters(), [(udp(1000), 1)]);
    });
}

#[test]
fn a_restart_goes_on_enforcing_and_mends_the_sets() {
    in_namespace(|| {
        let folder = Folder::new();
        let house = House::new();
        let tools = tools(&folder);
        let at = At::work(&tools);
        at.loads(&enforcing(), &[(udp(1000), State::Allowed), (udp(1001), State::Allowed)]);
        // As after a crash: nobody unloads.
        at.worker.join();
        house.arrives(1000);
        house.is_dropped_by(1002, "glacic", REFUSED);
        // The next one cannot load: what is loaded goes on.
        let script = folder.0.join("nft");
        std::fs::write(&script, "#!/bin/sh\n[ \"$1\" = -c ] || { echo 'Error: no' >&2; exit 1; }\n").unwrap();
        must("chmod", &["+x", script.to_str().unwrap()], "");
        let lame = At::work(&Tools { nft: script, ..tools.clone() });
        let refused = lame.load(&plan(), &[(udp(1000), State::Allowed)]);
        assert!(matches!(refused, Report::Refused(LoadError::Invalid { .. })), "{refused:?}");
        house.is_dropped_by(1002, "glacic", REFUSED);
        house.arrives(1000);

        let at = At::work(&tools);
        at.loads(&enforcing(), &[(udp(1000), State::Allowed), (udp(1002), State::Allowed)]);
        house.arrives(1002);
        house.is_dropped_by(1001, "glacic", REFUSED);
    });
}

#[test]
fn whether_the_thread_is_still_there_can_be_seen() {
    in_namespace(|| {
        let folder = Folder::new();
        let at = At::work(&tools(&folder));
        at.loads(&enforcing(), &[]);
        assert!(!at.worker.has_ended());
        at.ask(Request::Unload { placement: Placement::Guard, fail_mode: FailMode::Open });
        super::house::until(|| at.worker.has_ended(), "it goes on");
    });
}

/// The way that takes most memory is not the one to take where memory has ended.
#[test]
fn where_nft_is_killed_nothing_larger_is_tried() {
    in_namespace(|| {
        let folder = Folder::new();
        let house = House::new();
        let tools = tools(&folder);
        At::work(&tools).loads(&enforcing(), &[(udp(1000), State::Allowed)]);
        // The kernel ends whatever loads.
        let (script, sizes) = (folder.0.join("nft"), folder.0.join("sizes"));
        let text = "#!/bin/sh\n[ \"$1\" = -c ] && exit 0\nwc -l < /proc/self/fd/0 >> SIZES\nkill -9 $$\n";
        std::fs::write(&script, text.replace("SIZES", sizes.to_str().unwrap())).unwrap();
        must("chmod", &["+x", script.to_str().unwrap()], "");
        let at = At::work(&Tools { nft: script, ..tools });
        let flows: Vec<_> = (1000..1500).map(|port| (udp(port), State::Allowed)).collect();
        let refused = at.load(&plan(), &flows);
        assert!(matches!(refused, Report::Refused(LoadError::Killed { .. })), "{refused:?}");
        let tried = std::fs::read_to_string(&sizes).unwrap();
        assert_eq!(tried.lines().count(), 1, "the swap of chains alone: {tried}");
        // What was loaded goes on.
        house.is_dropped_by(1, "glacic", REFUSED);
        house.arrives(1000);
    });
}

#[test]
fn a_table_that_somebody_mutilated_is_replaced() {
    in_namespace(|| {
        let folder = Folder::new();
        let at = At::work(&tools(&folder));
        at.loads(&enforcing(), &[(udp(1), State::Allowed)]);
        let sorted = |text: String| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
        let whole = table();
        must("nft", &["-f", "-"], "flush table inet glacic\ndelete map inet glacic flows_icmp\n");
        assert_eq!(at.next(), Report::Damaged(Damage::Rules));
        at.loads(&enforcing(), &[(udp(1), State::Allowed)]);
        assert_eq!(sorted(table()), sorted(whole));
    });
}

#[test]
fn a_full_set_is_told_flow_by_flow() {
    in_namespace(|| {
        let folder = Folder::new();
        let at = At::work(&tools(&folder));
        // Of 1,024 flows a quarter may be such.
        let mac = |n: u16| Mac([2, 0, 0, 1, n.to_be_bytes()[0], n.to_be_bytes()[1]]);
        let protocol = |n: u16| (Key::service(mac(n), Protocol(47), Port::Any), State::Allowed);
        let wanted: Vec<_> = (0..250).map(protocol).collect();
        at.loads(&enforcing(), &wanted);
        let changes =
            (250..260).map(|n| Change { key: protocol(n).0, before: None, after: Some(State::Allowed) }).collect();
        match at.ask(Request::Change { ticket: None, changes }) {
            Report::Applied { failed, sizes, .. } => {
                assert_eq!(sizes["flows_proto"], 256);
                let names: Vec<_> = failed.iter().map(|failure| failure.what).collect();
                assert_eq!(names, (256..260).map(|n| Subject::Flow(protocol(n).0)).collect::<Vec<_>>());
                assert!(failed[0].why.contains("max_flows"), "{failed:?}");
            }
            other => panic!("{other:?}"),
        }
        // What goes makes room for what comes, also in one group.
        let change = |n, before, after| Change { key: protocol(n).0, before, after };
        let changes = vec![change(0, Some(State::Allowed), None), change(256, None, Some(State::Allowed))];
        match at.ask(Request::Change { ticket: None, changes }) {
            Report::Applied { failed, sizes, .. } => assert_eq!((failed.len(), sizes["flows_proto"]), (0, 256)),
            other => panic!("{other:?}"),
        }
        // And a full map can change its mind.
        let changes = (1..257).map(|n| change(n, Some(State::Allowed), Some(State::Denied))).collect();
        match at.ask(Request::Change { ticket: None, changes }) {
            Report::Applied { failed, sizes, .. } => assert_eq!((failed.len(), sizes["flows_proto"]), (0, 256)),
            other => panic!("{other:?}"),
        }
        assert_eq!(table().matches(" : goto deny").count(), 256);
        // The same at a load, whichever way the elements take.
        let wanted: Vec<_> = (0..260).map(protocol).collect();
        for limits in [Limits::for_flows(1024), Limits { devices: 300, ..Limits::for_flows(1024) }] {
            match at.load(&Plan { limits, ..enforcing() }, &wanted) {
                Report::Loaded { failed, sizes, .. } => assert_eq!((failed.len(), sizes["flows_proto"]), (4, 256)),
                other => panic!("{other:?}"),
            }
        }
    });
}

#[test]
fn without_a_ruleset_decisions_are_not_lost_silently() {
    in_namespace(|| {
        let folder = Folder::new();
        let at = At::work(&tools(&folder));
        match at.change(udp(1), None, Some(State::Denied)) {
            Report::Applied { failed, .. } => assert_eq!(failed[0].what, Subject::Flow(udp(1))),
            other => panic!("{other:?}"),
        }
        assert_eq!(must("nft", &["list", "tables"], ""), "");
    });
}

#[test]
fn a_full_inbox_gives_requests_back_and_loses_none() {
    in_namespace(|| {
        let folder = Folder::new();
        let at = At::work(&tools(&folder));
        // Nobody reads the reports: the thread comes to a halt, and the inbox fills.
        let sent = (0..).take_while(|n| at.worker.try_send(Request::Counters { ticket: Some(*n) }).is_ok()).count();
        let given_back = at.worker.try_send(Request::Counters { ticket: Some(1000) });
        assert!(matches!(given_back, Err(Full(Request::Counters { ticket: Some(1000) }))), "{given_back:?}");
        assert!((INBOX..INBOX + 16).contains(&sent), "{sent}");
        for n in 0..sent {
            assert_eq!(
                at.next(),
                Report::Counters { ticket: u32::try_from(n).ok(), flows: Vec::new(), denied: Vec::new(), no_mac: 0 }
            );
        }
        assert_eq!(at.worker.waiting(), 0);
    });
}
