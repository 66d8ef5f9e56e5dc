//! The plugin as rpcd runs it: by its path, with the arguments on standard input, and whatever the daemon does.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::*;

/// Runs the plugin as rpcd does, but for the socket and the configuration, which are those of `place`.
fn plugin(place: &Place, arguments: &[&str], input: &[u8]) -> Run {
    let (socket, config) = (place.file("control.sock"), place.file("glacic"));
    let mut command = command([arguments, &["--socket", text(&socket), "--config", text(&config)]].concat());
    command.arg0("/usr/libexec/rpcd/glacic").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("its standard input");
    // It need not read all of it.
    let _ = stdin.write_all(input);
    drop(stdin);
    ended(child.wait_with_output())
}

fn call(place: &Place, method: &str, arguments: &Value) -> Run {
    plugin(place, &["call", method], arguments.to_string().as_bytes())
}

/// The same, of a daemon that answers: where the machine was too busy for it to do so in time, once more.
fn call_answered(place: &Place, method: &str, arguments: &Value) -> Run {
    let runs = std::iter::repeat_with(|| call(place, method, arguments));
    runs.take(20).find(|run| run.code != 69).expect("an answer within the time the plugin gives it")
}

fn answer(run: &Run) -> Value {
    let answer: Value = serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {:?}", run.out));
    assert_eq!(run.err, "", "rpcd throws it away");
    answer
}

/// A daemon at `control.sock` that answers every line by `reply`.
fn daemon(place: &Place, reply: impl Fn(&Value) -> String + Send + 'static) {
    let listener = UnixListener::bind(place.file("control.sock")).expect("a socket");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            for line in BufReader::new(stream.try_clone().expect("the same connection")).lines() {
                let Ok(line) = line else { break };
                let reply = reply(&serde_json::from_str(&line).expect("a request"));
                let _ = stream.write_all(format!("{reply}\n").as_bytes());
            }
        }
    });
}

/// Answers with what was asked, as a text, to which nothing is added.
fn echo(request: &Value) -> String {
    json!({"result": {"asked": request.to_string()}}).to_string()
}

fn asked(run: &Run) -> Value {
    serde_json::from_str(answer(run)["asked"].as_str().expect("a text")).expect("a request")
}

fn methods() -> Vec<(String, Value)> {
    let list: Value = serde_json::from_str(&plugin(&Place::new(), &["list"], b"").out).expect("one document");
    list.as_object().expect("an object").clone().into_iter().collect()
}

#[test]
fn the_list_is_what_rpcd_reads() {
    let methods = methods();
    let names: Vec<&str> = methods.iter().map(|(name, _)| name.as_str()).collect();
    for name in ["status", "stats", "flow_list", "flow_get", "flow_allow", "flow_deny", "flow_forget", "settings"] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    assert!(!names.contains(&"events"), "a stream is nothing for ubus");
    for (name, arguments) in &methods {
        for (argument, value) in arguments.as_object().expect("an object for each method") {
            // The types blobmsg has, and no width that would cut a number.
            let known = value.is_string() || value.is_boolean() || value.is_array() || value.is_object();
            assert!(known || [32, 64].iter().any(|bits| value == bits), "{name} {argument}: {value}");
        }
    }
}

#[test]
fn both_names_of_the_plugin_are_the_same() {
    let place = Place::new();
    assert_eq!(plugin(&place, &["list"], b"").out, run(["rpcd", "list"]).out);
}

#[test]
fn arguments_become_parameters_and_the_session_is_dropped() {
    let place = Place::new();
    daemon(&place, echo);
    let session = "00000000000000000000000000000000";
    for (method, arguments) in [
        ("status", json!({})),
        ("flow_get", json!({"id": 12})),
        ("flow_allow", json!({"ids": [12, 13]})),
        ("flow_deny", json!({"service": {"device": "camera", "proto": "tcp", "port": null}})),
        ("flow_forget", json!({"filter": {"state": "pending"}})),
        ("device_set", json!({"device": "camera", "name": "eye", "mode": "block"})),
        ("learning_set", json!({"on": true, "for": 604_800})),
    ] {
        let mut given = arguments.clone();
        given["ubus_rpc_session"] = json!(session);
        let run = call_answered(&place, method, &given);
        assert_eq!(run.code, 0, "{method}: {}", run.out);
        let asked = asked(&run);
        assert_eq!(asked["method"], method);
        let params = asked.get("params").cloned().unwrap_or(json!({}));
        assert_eq!(params, arguments, "{method}");
    }
    let page =
        call_answered(&place, "flow_list", &json!({"filter": {"search": "cam"}, "sort": "last_seen", "limit": 20}));
    let params = &asked(&page)["params"];
    assert_eq!((&params["filter"], &params["sort"]), (&json!({"search": "cam"}), &json!("last_seen")));
    assert_eq!((&params["limit"], &params["offset"]), (&json!(20), &json!(0)));
}

#[test]
fn what_is_asked_wrongly_never_reaches_the_daemon_and_is_no_object() {
    let place = Place::new();
    daemon(&place, |request| panic!("asked {request}"));
    let long = format!("{{\"device\":\"{}\"}}", "x".repeat(70_000));
    let deep = format!("{{\"filter\":{}", "{\"device\":".repeat(20_000));
    for (method, input) in [
        ("status", &b"{\"verbose\":true}"[..]),
        ("status", b"[]"),
        ("status", b"\xff\xfe"),
        ("status", b"{\"ubus_rpc_session\":7}"),
        ("flow_get", b"{}"),
        ("flow_get", b"{\"id\":\"12\"}"),
        ("flow_get", b"{\"id\":-1}"),
        ("flow_get", b"{\"id\":1e99}"),
        ("flow_list", b"{\"filter\":{\"colour\":\"red\"}}"),
        ("flow_list", b"{\"limit\":4294967296}"),
        ("flow_allow", b"{}"),
        ("flow_allow", b"{\"ids\":[1],\"filter\":{}}"),
        ("device_set", long.as_bytes()),
        ("flow_list", deep.as_bytes()),
        ("learning_set", b"{\"on\":1}"),
        ("check", b"{\"config\":[]}"),
        ("settings", b"{\"section\":\"main\"}"),
        ("events", b"{}"),
        ("../status", b"{}"),
    ] {
        let run = plugin(&place, &["call", method], input);
        let told = answer(&run);
        assert_eq!((run.code, told.is_string()), (65, true), "{method}: {}", run.out);
    }
}

#[test]
fn what_the_daemon_refuses_is_told_with_code_status_and_message() {
    for (code, status, exit) in [
        ("invalid_params", 2, 65),
        ("not_found", 4, 66),
        ("denied", 6, 77),
        ("busy", 7, 69),
        ("internal", 9, 70),
        ("not_saved", 13, 74),
    ] {
        let place = Place::new();
        daemon(&place, move |_| json!({"error": {"code": code, "message": "because"}}).to_string());
        // What is busy is 69 as well, and so is a machine that lets nobody answer in time.
        let runs = std::iter::repeat_with(|| call(&place, "flow_get", &json!({"id": 1})));
        let run = runs.take(20).find(|run| !run.out.contains("unavailable")).expect("an answer in time");
        assert_eq!(answer(&run), json!({"error": {"code": code, "status": status, "message": "because"}}));
        assert_eq!(run.code, exit, "{code}");
    }
}

/// A call of every method; each must say that nobody answers, soon, and what to do.
fn all_are_told_soon(place: &Place, status: u64) {
    for (method, arguments) in [
        ("status", json!({})),
        ("flow_list", json!({})),
        ("device_list", json!({})),
        ("flow_allow", json!({"ids": [1]})),
        ("learning_set", json!({"on": false})),
    ] {
        // The limit is 0.8 s; a busy machine may need several attempts to start a program in the rest.
        let soon = (0..10).any(|_| {
            let started = Instant::now();
            let run = call(place, method, &arguments);
            let error = answer(&run)["error"].clone();
            let told = (run.code, &error["code"], &error["status"]);
            assert_eq!(told, (69, &json!("unavailable"), &json!(status)), "{method}");
            assert!(error["message"].as_str().is_some_and(|message| message.contains("service glacic")), "{error}");
            started.elapsed() < Duration::from_secs(1)
        });
        assert!(soon, "{method} is never answered within a second");
    }
}

#[test]
fn without_a_daemon_the_answer_says_so() {
    let place = Place::new();
    all_are_told_soon(&place, 10);
    drop(UnixListener::bind(place.file("control.sock")).expect("a socket"));
    all_are_told_soon(&place, 10);
}

#[test]
fn a_daemon_that_hangs_is_not_waited_for() {
    let place = Place::new();
    // Connections are taken by the kernel, and nobody ever reads.
    let _listener = UnixListener::bind(place.file("control.sock")).expect("a socket");
    all_are_told_soon(&place, 7);
}

#[test]
fn a_daemon_with_a_full_backlog_is_not_waited_for() {
    let place = Place::new();
    let listener = UnixListener::bind(place.file("control.sock")).expect("a socket");
    // SAFETY: listen() on a socket that is open; it only makes the backlog shorter.
    assert_eq!(unsafe { libc::listen(std::os::fd::AsRawFd::as_raw_fd(&listener), 0) }, 0);
    let _waiting = UnixStream::connect(place.file("control.sock")).expect("room for one");
    all_are_told_soon(&place, 7);
}

#[test]
fn a_daemon_that_talks_without_end_is_not_waited_for() {
    let place = Place::new();
    let listener = UnixListener::bind(place.file("control.sock")).expect("a socket");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                while stream.write_all(b" ").is_ok() {
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
        }
    });
    all_are_told_soon(&place, 7);
}

#[test]
fn a_change_that_takes_longer_is_waited_for() {
    let place = Place::new();
    daemon(&place, |request| {
        if request["method"] != "status" {
            std::thread::sleep(Duration::from_millis(1500));
        }
        json!({"result": {"matched": 1}}).to_string()
    });
    assert_eq!(answer(&call_answered(&place, "flow_allow", &json!({"ids": [1]}))), json!({"matched": 1}));
    let read = call(&place, "flow_get", &json!({"id": 1}));
    assert_eq!(answer(&read)["error"]["code"], "unavailable", "reading is for those who look at a page");
}

#[test]
fn a_page_is_cut_to_what_a_message_on_ubus_holds() {
    let place = Place::new();
    daemon(&place, |_| {
        let flow = json!({"device": "x".repeat(4000)});
        json!({"result": {"flows": vec![flow; 500], "total": 10_000}}).to_string()
    });
    let page = answer(&call_answered(&place, "flow_list", &json!({"limit": 500})));
    let flows = page["flows"].as_array().expect("flows").len();
    assert!((100..200).contains(&flows) && page["total"] == 10_000, "{flows}");
}

#[test]
fn ports_and_vendors_are_named_from_the_table() {
    let place = Place::new();
    let flow = json!({"mac": "fc:fc:48:00:00:01", "proto": "tcp", "port": 443, "device": null});
    daemon(&place, move |_| json!({"result": {"flows": [flow], "total": 1}}).to_string());
    let arguments = ["rpcd", "call", "flow_list", "--socket", text(&place.file("control.sock"))].map(str::to_owned);
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/package/vendors.sample");
    let run = || finish(command(&arguments).env("GLACIC_VENDORS", sample));
    let run = std::iter::repeat_with(run).take(20).find(|run| run.code != 69).expect("an answer in time");
    let flow = &answer(&run)["flows"][0];
    assert_eq!((&flow["vendor"], &flow["service"]), (&json!("Apple"), &json!("https")));
}

#[test]
fn the_configuration_and_its_options_need_no_daemon() {
    let place = Place::new();
    let settings = answer(&call(&place, "settings", &json!({})));
    assert!(settings["options"].as_array().is_some_and(|options| options.len() > 25));
    let bad = "config rule_learning 'main'\n\toption inline_mode '2'\n";
    let checked = answer(&call(&place, "check", &json!({"config": bad})));
    assert_eq!((&checked["ok"], &checked["problems"][0]["option"]), (&json!(false), &json!("inline_mode")));
    assert_eq!(answer(&call(&place, "check", &json!({})))["error"]["code"], "not_found");
    place.write("glacic", bad);
    assert_eq!(answer(&call(&place, "check", &json!({}))), checked);
}

#[test]
fn names_from_the_network_come_as_they_are_and_stay_one_document() {
    let place = Place::new();
    let hostile = "<img src=x onerror=alert(1)>\u{1b}[2J\u{202e}\"'\\\n\u{0}";
    daemon(&place, move |_| json!({"result": {"device": hostile}}).to_string());
    let run = call_answered(&place, "flow_get", &json!({"id": 1}));
    assert_eq!(answer(&run)["device"], hostile);
    assert_eq!(run.out.lines().count(), 1);
}
