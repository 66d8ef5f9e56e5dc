//! What works without a daemon: check, rules, and listings from a copy of the database.

use super::*;

use glacic::flow::{FlowId, Key, Mac, Monotonic, Now, Origin, Port, Protocol, Record, State, Wall};
use glacic::store;

#[test]
fn a_good_configuration_is_0() {
    let place = Place::new();
    let file = place.write("good", "config rule_learning 'main'\n\toption enabled '1'\n\tlist zone 'lan'\n");
    for arguments in [["check", text(&file)], ["check", &format!("--config={}", text(&file))]] {
        let run = run(arguments);
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{}", run.out);
        assert!(run.out.starts_with(text(&file)), "{}", run.out);
    }
}

#[test]
fn every_problem_is_named_in_one_run_and_the_code_is_78() {
    let place = Place::new();
    let file = place.write("bad", "config rule_learning 'main'\n\toption inline_mode '2'\n\toption queues 'many'\n");
    let first = run(["check", text(&file)]);
    assert_eq!((first.code, first.err.as_str()), (78, ""));
    for line in [2, 3] {
        let begin = format!("{}:{line}:", text(&file));
        assert!(first.out.lines().any(|told| told.starts_with(&begin) && told.contains(": error: ")), "{}", first.out);
    }
    let second = run(["check", text(&file), "--json"]);
    assert_eq!(second.code, 78);
    let document: serde_json::Value = serde_json::from_str(&second.out).expect("one document");
    assert_eq!(document["valid"], false);
    assert_eq!(document["problems"][0]["line"], 2);
    // What needs settings refuses to go on with such a file.
    for arguments in [&["rules"][..], &["flows", "--socket", "/nonexistent"]] {
        let run = run([arguments, &["--config", text(&file)]].concat());
        assert_eq!((run.code, run.out.as_str()), (78, ""), "{arguments:?}");
        assert!(run.err.contains("glacic check"), "{}", run.err);
    }
}

#[test]
fn a_file_that_is_not_there_is_66() {
    for arguments in
        [&["check", "/nonexistent/x"][..], &["rules", "--config", "/nonexistent/x"], &["replay", "/nonexistent/x"]]
    {
        let run = run(arguments);
        assert_eq!((run.code, run.out.as_str()), (66, ""), "{arguments:?}");
        assert!(run.err.contains("/nonexistent/x"), "{}", run.err);
    }
}

#[test]
fn rules_follow_the_configuration_and_the_options() {
    let place = Place::new();
    let text_of = "config rule_learning 'main'\n\tlist interface 'br-test0'\n\toption log_group '123'\n";
    let file = place.write("glacic", text_of);
    let rules = |more: &[&str]| {
        let run = run([&["rules", "--config", text(&file)], more].concat());
        assert_eq!(run.code, 0, "{}", run.err);
        run.out
    };
    assert!(rules(&[]).contains("table inet glacic") && rules(&[]).contains("br-test0"));
    assert!(rules(&["--mode", "log"]).contains("group 123"));
    assert!(rules(&["--mode", "queue"]).contains("queue"));
    assert_ne!(rules(&["--learning", "on"]), rules(&["--learning", "off"]));
}

#[test]
fn without_a_daemon_flows_come_from_a_copy_of_the_database() {
    let place = Place::new();
    let database = place.file("flows.db");
    let config =
        place.write("glacic", &format!("config rule_learning 'main'\n\toption database '{}'\n", text(&database)));
    let now = Now { mono: Monotonic::from_secs(100), wall: Wall { seconds: Wall::PLAUSIBLE.seconds + 1000 } };
    let limits = store::Limits {
        max_flows: 100,
        retention: std::time::Duration::from_secs(86_400),
        flush_interval: std::time::Duration::from_secs(86_400),
    };
    let mut store = store::open(&database, limits, now).store;
    let key = Key::service(Mac([0xb8, 0x27, 0xeb, 0, 0, 1]), Protocol::TCP, Port::Number(443));
    let record = Record {
        id: FlowId(7),
        key,
        state: State::Allowed,
        origin: Origin::Learned,
        first_seen: now.wall,
        last_seen: now.wall,
        connections: 3,
    };
    store.handle(store::Request::Insert { record, zone: None }, now, &mut |_| {});
    store.flush(now).expect("a database");
    drop(store);

    let socket = place.file("control.sock");
    let ask = |words: &[&str]| run([words, &["--config", text(&config), "--socket", text(&socket)]].concat());
    let flows = ask(&["flows"]);
    assert_eq!(flows.code, 0, "{}", flows.err);
    assert!(flows.out.contains(" 7  allowed  b8:27:eb:00:00:01  tcp/443 https"), "{}", flows.out);
    assert!(flows.err.contains("not running") && flows.err.contains(text(&database)), "{}", flows.err);
    let none = ask(&["flows", "--state", "denied"]);
    assert_eq!((none.code, none.out.as_str()), (0, ""));
    let devices = ask(&["devices", "--json"]);
    assert!(devices.out.contains(r#""mac":"b8:27:eb:00:00:01""#), "{}{}", devices.out, devices.err);
    let decision = ask(&["allow", "7"]);
    assert_eq!(decision.code, 69);
    assert!(decision.err.contains("nothing was decided"), "{}", decision.err);
}

#[test]
fn a_capture_is_told_for_people_and_for_programs() {
    let capture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/replay/captures/home.pcap");
    let people = run(["replay", capture]);
    assert_eq!((people.code, people.err.as_str()), (0, ""));
    assert!(people.out.contains(" packets (") && people.out.contains("\nID  STATE"), "{}", people.out);
    assert!(people.out.contains("allowed") && !people.out.contains("pending"), "{}", people.out);
    let programs = run(["replay", capture, "--json", "--learning", "off"]);
    let document: serde_json::Value = serde_json::from_str(&programs.out).expect("one document");
    for member in ["packets", "flows", "events"] {
        assert!(!document[member].is_null(), "{member}: {document}");
    }
    assert!(programs.out.contains(r#""state":"pending""#) && !programs.out.contains(r#""state":"allowed""#));
}

#[test]
fn a_file_that_is_no_capture_is_65() {
    let place = Place::new();
    let file = place.write("text", "this is no capture, it is a text that is long enough to be one");
    let run = run(["replay", text(&file)]);
    assert_eq!((run.code, run.out.as_str()), (65, ""));
    assert!(run.err.contains(text(&file)), "{}", run.err);
}
