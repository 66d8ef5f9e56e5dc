//! What the program says to a daemon, and makes of its answers.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::thread::JoinHandle;

use super::*;

/// A daemon at `control.sock` that gives these replies, one a request; returns the requests.
fn daemon(place: &Place, replies: &[&str]) -> JoinHandle<Vec<String>> {
    let listener = UnixListener::bind(place.file("control.sock")).expect("a socket");
    let replies: Vec<String> = replies.iter().map(|reply| format!("{reply}\n")).collect();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut lines = BufReader::new(stream.try_clone().expect("the same connection")).lines();
        let mut requests = Vec::new();
        for reply in replies {
            requests.push(lines.next().expect("a request").expect("a line"));
            stream.write_all(reply.as_bytes()).expect("somebody who listens");
        }
        requests
    })
}

/// One run against a daemon with these replies, and what it asked.
fn talk(arguments: &[&str], replies: &[&str]) -> (Run, Vec<String>) {
    let place = Place::new();
    let daemon = daemon(&place, replies);
    let run = run([arguments, &["--socket", text(&place.file("control.sock"))]].concat());
    (run, daemon.join().expect("the daemon was asked as often as expected"))
}

/// A flow on the line, of a device with this name (in JSON).
fn flow(id: u32, name: &str) -> String {
    format!(
        r#"{{"id":{id},"mac":"b8:27:eb:00:00:01","device":"{name}","proto":"tcp","port":443,"destination":"any","state":"pending","origin":"learned","zone":"lan","first_seen":5,"last_seen":5,"connections":7,"packets":null,"bytes":null,"names":[],"app":null}}"#
    )
}

fn page(flows: &[String], total: u32) -> String {
    format!(r#"{{"result":{{"flows":[{}],"total":{total}}}}}"#, flows.join(","))
}

fn decided(matched: u32, flows: &[String]) -> String {
    format!(r#"{{"result":{{"matched":{matched},"changed":[{}],"changed_total":{}}}}}"#, flows.join(","), flows.len())
}

const HOSTILE: &str = r"\u001b[2J\u202eexe\u009b31m\n";

#[test]
fn filters_are_asked_of_the_daemon() {
    let (run, requests) = talk(
        &["flows", "--state=pending", "--device", "camera", "--newer-than", "24h", "--sort", "last-seen", "--reverse"],
        &[&page(&[flow(12, "camera")], 1)],
    );
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    assert_eq!(
        requests,
        [
            r#"{"method":"flow_list","params":{"descending":true,"filter":{"device":"camera","newer_than":86400,"state":"pending"},"limit":100,"offset":0,"sort":"last_seen"}}"#
        ]
    );
    assert_eq!(
        run.out,
        "\
ID  STATE    DEVICE  SERVICE        DESTINATION  SEEN                      CONNECTIONS
12  pending  camera  tcp/443 https  any          before the clock was set            7
"
    );
}

#[test]
fn a_list_that_is_not_complete_says_so() {
    let (run, _) = talk(&["flows", "--limit", "1"], &[&page(&[flow(12, "camera")], 340)]);
    assert_eq!((run.code, run.out.lines().count()), (0, 2));
    assert!(run.err.contains("1 of 340") && run.err.contains("--all"), "{}", run.err);
}

#[test]
fn all_pages_become_one_document() {
    let (first, second) = (page(&[flow(1, "a")], 2), page(&[flow(2, "b")], 2));
    let (run, requests) = talk(&["flows", "--all", "--json"], &[&first, &second]);
    assert!(requests[1].contains(r#""offset":1"#), "{requests:?}");
    let document: serde_json::Value = serde_json::from_str(&run.out).expect("one document");
    assert_eq!(document["flows"][1]["device"], "b");
    assert_eq!(document["total"], 2);
}

#[test]
fn names_from_the_network_never_reach_the_terminal_raw() {
    let event = format!("{{\"result\":{{}}}}\n{{\"time\":5,\"event\":\"flow_new\",\"flow\":{}}}", flow(12, HOSTILE));
    let flows = [flow(12, HOSTILE)];
    let cases: [(&[&str], String); 4] = [
        (&["flows"], page(&flows, 1)),
        (&["flows", "--json"], page(&flows, 1)),
        (&["allow", "12"], decided(1, &flows)),
        (&["monitor"], event),
    ];
    for (arguments, reply) in cases {
        let (run, _) = talk(arguments, &[&reply]);
        assert!(run.out.contains("exe"), "{arguments:?}: {:?} {}", run.out, run.err);
        let raw = |character: char| (character.is_control() && character != '\n') || character == '\u{202e}';
        assert!(!run.out.contains(raw), "{arguments:?}: {:?}", run.out);
    }
}

#[test]
fn a_decision_is_told_in_words_and_in_json() {
    let reply = decided(1, &[flow(12, "camera")]);
    let (run, requests) = talk(&["allow", "12"], &[&reply]);
    assert_eq!((run.code, run.out.as_str()), (0, "allowed 1 flow:\n  12 camera tcp/443 https\n"));
    assert_eq!(requests, [r#"{"method":"flow_allow","params":{"ids":[12]}}"#]);
    let (run, _) = talk(&["deny", "12", "--json"], &[&reply]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&run.out).expect("one document")["matched"], 1);
}

#[test]
fn a_service_can_be_decided_before_it_was_seen() {
    let (_, requests) =
        talk(&["deny", "--device", "camera", "--proto", "tcp", "--port", "any"], &[&decided(1, &[flow(13, "camera")])]);
    assert_eq!(
        requests,
        [r#"{"method":"flow_deny","params":{"service":{"device":"camera","port":null,"proto":"tcp"}}}"#]
    );
}

#[test]
fn a_flow_that_does_not_exist_is_66_by_its_number() {
    // The daemon decides about all of them or about none.
    let missing = r#"{"error":{"code":"not_found","message":"there is no flow 99"}}"#;
    for command in ["allow", "deny", "forget"] {
        let (run, _) = talk(&[command, "12", "99"], &[missing]);
        assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (66, "", "glacic: there is no flow 99\n"));
    }
}

#[test]
fn what_the_daemon_refuses_has_an_exit_code() {
    for (code, exit) in [
        ("invalid_params", 65),
        ("not_found", 66),
        ("busy", 69),
        ("internal", 70),
        ("unknown_method", 70),
        ("not_saved", 74),
        ("denied", 77),
    ] {
        let reply = format!(r#"{{"error":{{"code":"{code}","message":"because\u001b"}}}}"#);
        let (run, _) = talk(&["learn", "off"], &[&reply]);
        assert_eq!((run.code, run.err.as_str()), (exit, "glacic: because\\u{1b}\n"), "{code}");
    }
}

#[test]
fn all_is_forgotten_state_by_state() {
    let none = decided(0, &[]);
    let (run, requests) = talk(&["forget", "--all", "--yes"], &[&none, &none, &decided(1, &[flow(1, "a")])]);
    assert_eq!(run.out, "forgot 1 flow:\n  1 a tcp/443 https\n");
    assert!(requests.iter().all(|request| request.contains(r#""state":"#)), "{requests:?}");
}

#[test]
fn modes_and_names_are_set() {
    let (run, requests) = talk(&["device", "camera", "--mode", "enforce", "--name", "eye"], &[r#"{"result":null}"#]);
    assert_eq!(requests, [r#"{"method":"device_set","params":{"device":"camera","mode":"enforce","name":"eye"}}"#]);
    assert!(run.out.contains("eye") && run.out.contains("enforced"), "{}", run.out);
    let (run, requests) = talk(&["learn", "on", "--for", "7d"], &[r#"{"result":null}"#]);
    assert_eq!(requests, [r#"{"method":"learning_set","params":{"for":604800,"on":true}}"#]);
    assert_eq!(run.out, "learning is on for 7d: new flows are allowed\n");
}

#[test]
fn events_end_with_the_daemon() {
    let (run, requests) =
        talk(&["monitor", "--json"], &["{\"result\":{}}\n{\"time\":5,\"event\":\"config_reloaded\"}"]);
    assert_eq!(requests, [r#"{"method":"events"}"#]);
    assert_eq!((run.code, run.out.as_str()), (69, "{\"time\":5,\"event\":\"config_reloaded\"}\n"));
}
