use super::*;
use crate::control::protocol::Code;
use crate::flow::Change;
use crate::flow::DeviceMode;
use crate::flow::query::Filter;
use crate::store::Device;

fn three(scratch: &Scratch) -> Store {
    let mut store = open(&scratch.database(), at(0)).store;
    insert(&mut store, flow(1, 1, 443, State::Allowed), at(0));
    insert(&mut store, flow(2, 1, 80, State::Pending), at(0));
    insert(&mut store, flow(3, 2, 80, State::Pending), at(0));
    store
}

#[test]
fn a_decision_is_in_the_file_before_it_is_answered() {
    let scratch = Scratch::new();
    let mut store = three(&scratch);
    let mut answered = false;
    let request = Request::Decide {
        ticket: 9,
        selection: Selection::Ids(vec![FlowId(2)]),
        decision: Decision::Deny,
        fresh: FlowId(4),
    };
    store.handle(request, at(1), &mut |reply| {
        answered = true;
        let Reply::Decided { result: Ok(decided), .. } = reply else { panic!("{reply:?}") };
        let [Change { before: Some(before), after: Some(after) }] = decided.changes[..] else { panic!() };
        assert_eq!((before.state, before.origin), (State::Pending, Origin::Learned));
        assert_eq!((after.state, after.origin), (State::Denied, Origin::User));
        assert_eq!(decided.saved, Ok(()));
        assert_eq!(in_file(&scratch.database())[1], after);
    });
    assert!(answered);
    assert_eq!((store.counts.pending, store.counts.denied), (1, 1));
}

#[test]
fn a_decision_that_changes_nothing_is_not_written() {
    let scratch = Scratch::new();
    let mut store = three(&scratch);
    decide(&mut store, Selection::Ids(vec![FlowId(2)]), Decision::Deny, at(1));
    let commits = store.shadow.commits;
    let again = decide(&mut store, Selection::Ids(vec![FlowId(2), FlowId(2)]), Decision::Deny, at(2));
    assert_eq!((again.matched, again.changes.len(), store.shadow.commits), (1, 0, commits));
}

#[test]
fn numbers_that_do_not_exist_are_named_and_nothing_is_done() {
    let scratch = Scratch::new();
    let mut store = three(&scratch);
    let ids = Selection::Ids([1, 7, 8].map(FlowId).to_vec());
    let fault = decided(&mut store, ids, Decision::Deny, at(1)).unwrap_err();
    assert_eq!((fault.code, fault.message.as_str()), (Code::NotFound, "there is no flow 7, 8"));
    assert_eq!(find(&mut store, key(1, 443)).unwrap().state, State::Allowed);
}

#[test]
fn a_filter_decides_all_that_match() {
    let scratch = Scratch::new();
    let mut store = three(&scratch);
    let pending = Filter { state: Some(State::Pending), ..Filter::default() };
    let result = decide(&mut store, Selection::Filter(pending), Decision::Forget, at(1));
    assert_eq!((result.matched, result.changes.len()), (2, 2));
    assert!(result.changes.iter().all(|change| change.after.is_none()));
    assert_eq!(in_file(&scratch.database()).len(), 1);
    assert_eq!((store.counts.allowed, store.counts.pending), (1, 0));
}

#[test]
fn a_service_never_seen_gets_a_flow_and_one_that_was_keeps_its_own() {
    let scratch = Scratch::new();
    let mut store = three(&scratch);
    let result = decide(&mut store, service("b8:27:eb:00:00:07", None), Decision::Allow, at(5));
    let [Change { before: None, after: Some(made) }] = result.changes[..] else { panic!("{result:?}") };
    assert_eq!((made.id, made.key.port, made.origin), (FlowId(4), Port::Any, Origin::User));
    let result = decide(&mut store, service("b8:27:eb:00:00:01", Some(80)), Decision::Deny, at(6));
    assert_eq!(result.changes[0].after.unwrap().id, FlowId(2));
    let fault = decided(&mut store, service("b8:27:eb:00:00:09", Some(1)), Decision::Forget, at(6)).unwrap_err();
    assert_eq!(fault.code, Code::NotFound);
}

#[test]
fn devices_are_named_by_address_or_by_a_name_that_only_one_has() {
    let scratch = Scratch::new();
    let mut store = three(&scratch);
    let names = vec![(mac(1), "phone".into()), (mac(2), "Phone".into()), (mac(3), "printer".into())];
    ask(&mut store, Request::Names(names), at(0));
    let fault = decided(&mut store, service("PHONE", Some(80)), Decision::Allow, at(1)).unwrap_err();
    assert!(fault.message.contains("b8:27:eb:00:00:01, b8:27:eb:00:00:02"), "{fault}");
    let named = Filter { device: Some("phone".into()), ..Filter::default() };
    assert!(decided(&mut store, Selection::Filter(named), Decision::Deny, at(1)).is_err());
    assert_eq!(decided(&mut store, service("nobody", None), Decision::Allow, at(1)).unwrap_err().code, Code::NotFound);
    // The owner's name hides the one from elsewhere.
    set(&mut store, "b8:27:eb:00:00:02", Some("camera"), None).unwrap();
    decide(&mut store, service("phone", Some(80)), Decision::Allow, at(2));
    assert_eq!(find(&mut store, key(1, 80)).unwrap().state, State::Allowed);
    decide(&mut store, service("Camera", Some(80)), Decision::Deny, at(2));
    assert_eq!(find(&mut store, key(2, 80)).unwrap().state, State::Denied);
    // Known from a lease only, never seen.
    decide(&mut store, service("printer", Some(631)), Decision::Allow, at(2));
    assert_eq!(find(&mut store, key(3, 631)).unwrap().state, State::Allowed);
}

fn set(
    store: &mut Store,
    device: &str,
    name: Option<&str>,
    mode: Option<DeviceMode>,
) -> Result<crate::store::DeviceSet, crate::control::protocol::Error> {
    let request = Request::DeviceSet { ticket: 1, device: device.into(), name: name.map(str::to_owned), mode };
    match ask(store, request, at(0)).swap_remove(0) {
        Reply::DeviceSet { ticket: 1, result } => result,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_device_keeps_what_the_owner_set_and_goes_when_that_is_taken_back() {
    let scratch = Scratch::new();
    let mut store = open(&scratch.database(), at(0)).store;
    let result = set(&mut store, "b8:27:eb:00:00:05", Some("camera"), Some(DeviceMode::Enforce)).unwrap();
    assert_eq!((result.mac, result.mode, result.mode_before), (mac(5), DeviceMode::Enforce, DeviceMode::Default));
    drop(store);
    let mut store = open(&scratch.database(), at(0)).store;
    let all = |store: &Store| {
        let mut all = Vec::new();
        store.each_device(|device| all.push(device.clone()));
        all
    };
    let kept = Device { mac: mac(5), name: Some("camera".into()), mode: DeviceMode::Enforce, zone: None };
    assert_eq!(all(&store), [kept]);
    set(&mut store, "camera", Some(""), None).unwrap();
    set(&mut store, "b8:27:eb:00:00:05", None, Some(DeviceMode::Default)).unwrap();
    assert_eq!(all(&store), []);
    for bad in ["a\u{1b}[31m", "b8:27:eb:00:00:01", &"x".repeat(65)] {
        assert_eq!(set(&mut store, "b8:27:eb:00:00:05", Some(bad), None).unwrap_err().code, Code::InvalidParams);
    }
    assert_eq!(set(&mut store, "01:00:5e:00:00:01", None, None).unwrap_err().code, Code::InvalidParams);
}

#[test]
fn the_owner_makes_room_as_anybody_and_is_told_when_there_is_none() {
    let scratch = Scratch::new();
    let limits = Limits { max_flows: 2, ..LIMITS };
    let mut store = crate::store::open(&scratch.database(), limits, at(0)).store;
    insert(&mut store, flow(1, 1, 443, State::Allowed), at(0));
    insert(&mut store, flow(2, 1, 80, State::Pending), at(0));
    decide(&mut store, service("b8:27:eb:00:00:01", Some(22)), Decision::Deny, at(1));
    assert_eq!(find(&mut store, key(1, 80)), None);
    let fault = decided(&mut store, service("b8:27:eb:00:00:01", Some(23)), Decision::Deny, at(1)).unwrap_err();
    assert_eq!(fault.code, Code::Busy);
    assert!(fault.message.contains("max_flows"), "{fault}");
}

#[test]
fn everything_decided_comes_in_chunks() {
    let scratch = Scratch::new();
    let mut store = three(&scratch);
    for id in 10..1200 {
        insert(&mut store, flow(id, 3, id as u16, State::Denied), at(0));
    }
    let mut chunks = Vec::new();
    for reply in ask(&mut store, Request::Decisions { ticket: 4 }, at(1)) {
        let Reply::Decisions { ticket: 4, chunk, last } = reply else { panic!("{reply:?}") };
        chunks.push((chunk.len(), last));
        assert!(chunk.iter().all(|(_, state)| *state != State::Pending));
    }
    assert_eq!(chunks, [(Reply::CHUNK, false), (1191 - Reply::CHUNK, true)]);
}
