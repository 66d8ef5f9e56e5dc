//! What went on lately, as clients ask for it.

use super::*;
use crate::control::protocol::{Activity, EventPage, Status};

#[derive(serde::Deserialize)]
struct Reply<T> {
    result: T,
}

fn told<T: serde::de::DeserializeOwned>(stream: &UnixStream) -> T {
    let line = answer(stream);
    serde_json::from_str::<Reply<T>>(&line).unwrap_or_else(|fault| panic!("{fault}: {line}")).result
}

#[test]
fn new_flows_connections_and_drops_are_on_record() {
    let mut town = Town::new("record", 64);
    town.packet(443);
    town.house.learning.set(false, None, NOON.mono);
    town.house.apply();
    town.packet(25);
    let activity: Activity = told(&town.client("{\"method\":\"activity\"}\n"));
    // What was logged is counted by the rule that dropped it.
    assert_eq!(activity.slots.iter().map(|slot| (slot.new_flows, slot.dropped)).collect::<Vec<_>>(), [(2, 0)]);
    let [device] = &activity.devices[..] else { panic!("{activity:?}") };
    assert_eq!((device.mac, device.connections, device.dropped), (LAPTOP, 2, 1));
    assert_eq!(activity.services.len(), 2);
    let status: Status = told(&town.client("{\"method\":\"status\"}\n"));
    assert_eq!((status.dropped_last_hour, status.flows.pending), (0, 1));
}

#[test]
fn what_the_rules_drop_by_themselves_is_counted_once() {
    let mut town = Town::loaded("record-rules");
    town.house.firewall_report(Report::Drops(5));
    town.house.firewall_report(Report::Drops(5));
    town.house.firewall_report(Report::Drops(9));
    let denied = vec![(firewall::Subject::Flow(key(25)), 2), (firewall::Subject::Device(LAPTOP), 4)];
    town.house.firewall_report(Report::Counters { ticket: None, flows: Vec::new(), denied, no_mac: 0 });
    let status: Status = told(&town.client("{\"method\":\"status\"}\n"));
    assert_eq!(status.dropped_last_hour, 9);
    let activity: Activity = told(&town.client("{\"method\":\"activity\"}\n"));
    assert_eq!((activity.devices[0].dropped, activity.services[0].dropped), (6, 2));
}

#[test]
fn the_kernel_is_asked_how_often_flows_were_used_first() {
    let mut town = Town::loaded("record-kernel");
    town.house.now.mono = NOON.mono.after(Duration::from_secs(10));
    let stream = town.client("{\"method\":\"activity\"}\n");
    let [firewall::Request::Drops, firewall::Request::Counters { ticket: Some(ticket) }] = town.told()[..] else {
        panic!()
    };
    assert!(silent(&stream));
    town.house.firewall_report(Report::Counters {
        ticket: Some(ticket),
        flows: vec![(key(443), 7)],
        denied: Vec::new(),
        no_mac: 0,
    });
    let activity: Activity = told(&stream);
    assert_eq!(activity.devices[0].connections, 7);
    let again = town.client("{\"method\":\"activity\"}\n");
    assert_eq!(told::<Activity>(&again), activity, "what is fresh is not asked again");
}

#[test]
fn whoever_looks_at_the_status_has_the_rules_asked_soon() {
    let mut town = Town::loaded("record-soon");
    town.house.repeat();
    town.told();
    let drops = |town: &mut Town, seconds| {
        town.house.now.mono = NOON.mono.after(Duration::from_secs(seconds));
        town.house.repeat();
        town.told().iter().filter(|request| matches!(request, firewall::Request::Drops)).count()
    };
    assert_eq!(drops(&mut town, 3), 0, "nobody looks");
    let _client = town.client("{\"method\":\"status\"}\n");
    assert_eq!(drops(&mut town, 4), 0);
    assert_eq!(drops(&mut town, 5), 1);
    assert_eq!(drops(&mut town, 24), 0);
    assert_eq!(drops(&mut town, 25), 1, "every 20 s in any case");
}

#[test]
fn events_are_kept_for_those_who_come_later() {
    let mut town = Town::new("events", 64);
    town.packet(443);
    let page: EventPage = told(&town.client("{\"method\":\"event_list\"}\n"));
    assert!(page.events.iter().any(|numbered| matches!(numbered.event.what, What::FlowNew { .. })), "{page:?}");
    let last = page.last;
    let nothing: EventPage =
        told(&town.client(&format!("{{\"method\":\"event_list\",\"params\":{{\"after\":{last}}}}}\n")));
    assert_eq!((nothing.events.len(), nothing.last), (0, last));
}
