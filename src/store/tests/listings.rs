use super::*;
use crate::control::protocol::{DevicePage, DeviceQuery, DeviceSort, FlowPage};
use crate::flow::DeviceMode;
use crate::flow::query::{Filter, Query, Sort};
use crate::flow::view::FlowView;

fn five(scratch: &Scratch) -> Store {
    let mut store = open(&scratch.database(), at(0)).store;
    let add = |store: &mut Store, id, device, protocol, port, state, seen: u64, connections| {
        let record = Record {
            key: Key::service(mac(device), protocol, port),
            first_seen: at(seen).wall,
            last_seen: at(seen + 50).wall,
            connections,
            ..flow(id, device, 0, state)
        };
        insert(store, record, at(seen));
    };
    add(&mut store, 1, 1, Protocol::TCP, Port::Number(443), State::Allowed, 500, 9);
    add(&mut store, 2, 1, Protocol::UDP, Port::Number(53), State::Pending, 100, 7);
    add(&mut store, 3, 2, Protocol::TCP, Port::Number(44), State::Denied, 300, 7);
    add(&mut store, 4, 3, Protocol(47), Port::Number(0), State::Pending, 200, 1);
    add(&mut store, 5, 2, Protocol::TCP, Port::Any, State::Allowed, 400, 0);
    ask(&mut store, Request::Names(vec![(mac(1), "zeta".into()), (mac(2), "Alpha".into())]), at(0));
    store
}

fn page(store: &mut Store, query: Query) -> FlowPage {
    match ask(store, Request::List { ticket: 3, query }, at(1000)).as_slice() {
        [Reply::Listed { ticket: 3, result: Ok(json) }] => serde_json::from_str(json).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn ids(page: &FlowPage) -> Vec<u32> {
    page.flows.iter().filter_map(|flow| flow.id).map(|id| id.0).collect()
}

#[test]
fn filters_can_be_combined() {
    let scratch = Scratch::new();
    let mut store = five(&scratch);
    let mut listed = |filter| ids(&page(&mut store, Query { filter, ..Query::default() }));
    let any = Filter::default;
    assert_eq!(listed(any()), [1, 2, 3, 4, 5]);
    assert_eq!(listed(Filter { state: Some(State::Pending), ..any() }), [2, 4]);
    assert_eq!(listed(Filter { origin: Some(Origin::User), ..any() }), [] as [u32; 0]);
    assert_eq!(listed(Filter { device: Some("ALPHA".into()), ..any() }), [3, 5]);
    assert_eq!(listed(Filter { device: Some("b8-27-eb-00-00-03".into()), ..any() }), [4]);
    assert_eq!(listed(Filter { device: Some("nobody".into()), ..any() }), [] as [u32; 0]);
    assert_eq!(listed(Filter { proto: Some(Protocol::TCP), ..any() }), [1, 3, 5]);
    assert_eq!(listed(Filter { port: Some(0), ..any() }), [4]);
    assert_eq!(listed(Filter { newer_than: Some(650), ..any() }), [1, 5]);
    assert_eq!(listed(Filter { idle_for: Some(750), ..any() }), [2, 4]);
    let denied = Filter { proto: Some(Protocol::TCP), state: Some(State::Denied), port: Some(44), ..any() };
    assert_eq!(listed(Filter { search: Some("alpha".into()), ..denied }), [3]);
}

#[test]
fn a_search_looks_at_what_is_shown() {
    let scratch = Scratch::new();
    let mut store = five(&scratch);
    for (text, expected) in [
        ("44", vec![1, 3]),
        ("UDP", vec![2]),
        ("gre", vec![4]),
        ("tcp/any", vec![5]),
        ("HTTPS", vec![1]),
        ("udp/53 dns", vec![2]),
        ("Pending", vec![2, 4]),
        ("pendin", vec![]),
        ("eb:00:00:02", vec![3, 5]),
        ("ZET", vec![1, 2]),
        ("%", vec![]),
        ("' OR 1=1 --", vec![]),
    ] {
        let filter = Filter { search: Some(text.into()), ..Filter::default() };
        assert_eq!(ids(&page(&mut store, Query { filter, ..Query::default() })), expected, "{text}");
    }
}

#[test]
fn every_order_is_total() {
    let scratch = Scratch::new();
    let mut store = five(&scratch);
    for (sort, up, down) in [
        (Sort::Id, [1, 2, 3, 4, 5], [5, 4, 3, 2, 1]),
        (Sort::Device, [3, 5, 1, 2, 4], [4, 1, 2, 3, 5]),
        (Sort::Service, [3, 1, 5, 2, 4], [4, 2, 5, 1, 3]),
        (Sort::State, [2, 4, 1, 5, 3], [3, 1, 5, 2, 4]),
        (Sort::FirstSeen, [2, 4, 3, 5, 1], [1, 5, 3, 4, 2]),
        (Sort::LastSeen, [2, 4, 3, 5, 1], [1, 5, 3, 4, 2]),
        (Sort::Connections, [5, 4, 2, 3, 1], [1, 2, 3, 4, 5]),
    ] {
        assert_eq!(ids(&page(&mut store, Query { sort, ..Query::default() })), up, "{sort:?}");
        assert_eq!(ids(&page(&mut store, Query { sort, descending: true, ..Query::default() })), down, "{sort:?}");
    }
}

#[test]
fn pages_are_bounded_and_say_how_much_there_is() {
    let scratch = Scratch::new();
    let mut store = five(&scratch);
    for id in 100..800 {
        insert(&mut store, flow(id, 9, id as u16, State::Pending), at(0));
    }
    let sizes = |store: &mut Store, limit, offset| {
        let page = page(store, Query { limit, offset, ..Query::default() });
        (page.flows.len(), page.total)
    };
    assert_eq!(sizes(&mut store, 0, 0), (100, 705));
    assert_eq!(sizes(&mut store, u32::MAX, 0), (500, 705));
    assert_eq!(sizes(&mut store, 500, 500), (205, 705));
    assert_eq!(sizes(&mut store, 2, u32::MAX), (0, 705));
}

#[test]
fn one_flow_is_shown_as_in_a_listing() {
    let scratch = Scratch::new();
    let mut store = five(&scratch);
    let get = |store: &mut Store, id| match ask(store, Request::Get { ticket: 1, id: FlowId(id) }, at(0)).swap_remove(0)
    {
        Reply::Got { ticket: 1, result } => result,
        other => panic!("{other:?}"),
    };
    let json = get(&mut store, 1).unwrap();
    let view: FlowView = serde_json::from_str(&json).unwrap();
    assert_eq!((view.device.as_deref(), view.zone.as_deref(), view.connections), (Some("zeta"), Some("lan"), 9));
    assert_eq!(page(&mut store, Query::default()).flows[0], view);
    assert!(get(&mut store, 77).is_err());
}

fn devices(store: &mut Store, query: DeviceQuery) -> DevicePage {
    devices_where(store, query, Vec::new())
}

fn devices_where(store: &mut Store, query: DeviceQuery, modes: Vec<(Mac, DeviceMode)>) -> DevicePage {
    match ask(store, Request::Devices { ticket: 2, query, modes }, at(0)).as_slice() {
        [Reply::Devices { ticket: 2, result: Ok(json) }] => serde_json::from_str(json).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn devices_are_listed_with_their_counts() {
    let scratch = Scratch::new();
    let mut store = five(&scratch);
    let page = devices(&mut store, DeviceQuery { offset: 1, limit: 1, ..DeviceQuery::default() });
    assert_eq!(page.total, 3);
    let [device] = page.devices.as_slice() else { panic!("{page:?}") };
    assert_eq!((device.mac, device.name.as_deref(), device.randomised), (mac(2), Some("Alpha"), false));
    assert_eq!((device.allowed, device.pending, device.denied), (1, 0, 1));
    assert_eq!((device.first_seen, device.last_seen), (at(300).wall, at(450).wall));
}

#[test]
fn devices_are_searched_and_sorted_by_everything_that_is_shown() {
    let scratch = Scratch::new();
    let mut store = five(&scratch);
    let block = Request::DeviceSet { ticket: 1, device: mac(3).to_string(), name: None, mode: Some(DeviceMode::Block) };
    ask(&mut store, block, at(600));
    let gre = Key::service(mac(3), Protocol(47), Port::Number(0));
    ask(&mut store, Request::Seen(vec![crate::store::Seen { key: gre, at: at(950).wall, connections: 1 }]), at(950));
    let mut listed = |query| {
        let page = devices(&mut store, query);
        (page.devices.iter().map(|device| device.mac.0[5]).collect::<Vec<_>>(), page.total)
    };
    let any = DeviceQuery::default;
    assert_eq!(listed(DeviceQuery { search: Some("ALPH".into()), ..any() }), (vec![2], 1));
    assert_eq!(listed(DeviceQuery { search: Some("b8:27".into()), limit: 2, ..any() }), (vec![1, 2], 3));
    assert_eq!(listed(DeviceQuery { search: Some("% OR 1".into()), ..any() }), (vec![], 0));
    assert_eq!(listed(DeviceQuery { mode: Some(DeviceMode::Block), ..any() }), (vec![3], 1));
    assert_eq!(
        listed(DeviceQuery { mode: Some(DeviceMode::Block), search: Some("zeta".into()), ..any() }),
        (vec![], 0)
    );
    for (sort, up, down) in [
        (DeviceSort::Mac, [1, 2, 3], [3, 2, 1]),
        (DeviceSort::Name, [2, 1, 3], [3, 1, 2]),
        (DeviceSort::Mode, [1, 2, 3], [3, 1, 2]),
        (DeviceSort::Zone, [1, 2, 3], [1, 2, 3]),
        (DeviceSort::FirstSeen, [3, 2, 1], [1, 2, 3]),
        (DeviceSort::LastSeen, [2, 1, 3], [3, 1, 2]),
        (DeviceSort::Allowed, [3, 1, 2], [1, 2, 3]),
        (DeviceSort::Pending, [2, 1, 3], [1, 3, 2]),
        (DeviceSort::Denied, [1, 3, 2], [2, 1, 3]),
    ] {
        assert_eq!(listed(DeviceQuery { sort, ..any() }).0, up, "{sort:?}");
        assert_eq!(listed(DeviceQuery { sort, descending: true, ..any() }).0, down, "{sort:?}");
    }
}

#[test]
fn a_flow_tells_when_the_owner_decided() {
    let scratch = Scratch::new();
    let mut store = five(&scratch);
    decide(&mut store, Selection::Ids(vec![FlowId(2)]), Decision::Deny, at(700));
    decide(&mut store, service("b8:27:eb:00:00:09", Some(25)), Decision::Allow, at(800));
    store.flush(at(900)).unwrap();
    drop(store);
    let mut store = open(&scratch.database(), at(0)).store;
    let decided: Vec<_> = page(&mut store, Query::default()).flows.iter().map(|flow| flow.decided).collect();
    assert_eq!(decided, [None, Some(at(700).wall), None, None, None, Some(at(800).wall)]);
}

#[test]
fn the_mode_of_a_device_is_the_one_in_force() {
    let scratch = Scratch::new();
    let mut store = five(&scratch);
    let blocked = || vec![(mac(2), DeviceMode::Block)];
    let modes = |page: DevicePage| page.devices.iter().map(|device| device.mode).collect::<Vec<_>>();
    let all = modes(devices_where(&mut store, DeviceQuery::default(), blocked()));
    assert_eq!(all.iter().filter(|mode| **mode == DeviceMode::Block).count(), 1, "{all:?}");
    let query = DeviceQuery { mode: Some(DeviceMode::Block), ..DeviceQuery::default() };
    let page = devices_where(&mut store, query.clone(), blocked());
    assert_eq!((page.total, page.devices[0].mac), (1, mac(2)));
    assert_eq!(devices(&mut store, query).total, 0, "the database says nothing of it");
    let query = DeviceQuery { sort: DeviceSort::Mode, descending: true, ..DeviceQuery::default() };
    assert_eq!(modes(devices_where(&mut store, query, blocked()))[0], DeviceMode::Block);
}

#[test]
fn names_of_leases_with_escapes_are_left_out() {
    let scratch = Scratch::new();
    let mut store = five(&scratch);
    ask(&mut store, Request::Names(vec![(mac(1), "\u{1b}]0;owned\u{7}".into())]), at(0));
    assert_eq!(page(&mut store, Query::default()).flows[0].device, None);
}
