//! The plugin of rpcd with the real daemon behind it: every method, ten thousand flows, a daemon that hangs, and an owner
//! who goes back to his old configuration.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use glacic::control::protocol::{Request, What};
use glacic::flow::query::Query;
use glacic::flow::{FlowId, Key, Mac, Monotonic, Now, Origin, Port, Protocol, Record, State, Wall};
use glacic::store;
use serde_json::{Value, json};

use crate::kit::daemon::{Config, program};
use crate::kit::network::Family;
use crate::kit::server::{TcpServer, UdpServer};
use crate::kit::wait::{limit, within};
use crate::kit::{Daemon, Mode, Placement, home, settle};

/// One call, as rpcd makes it.
fn once(config: &Config, method: &str, arguments: &Value) -> Value {
    let socket = config.run_directory.join("control.sock");
    let mut child = Command::new(program())
        .args(["rpcd", "call", method, "--socket"])
        .arg(socket)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the plugin starts");
    let mut stdin = child.stdin.take().expect("its standard input");
    stdin.write_all(arguments.to_string().as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|fault| panic!("{method}: {fault}: {output:?}"))
}

/// The same, of a daemon that runs: asked again where the machine was too busy to answer in the time the plugin gives it.
#[track_caller]
fn call(config: &Config, method: &str, arguments: Value) -> Value {
    let answer = within(Duration::from_secs(30), || {
        let answer = once(config, method, &arguments);
        (answer["error"]["code"] != "unavailable").then_some(answer)
    });
    answer.unwrap_or_else(|| panic!("{method} is not answered"))
}

#[test]
fn the_plugin_shows_and_decides() {
    let (network, fw4, config) = home(1, Mode::Log, Placement::Guard);
    let daemon = Daemon::start(&network, &fw4, &config.clone().learning(false));
    let server = UdpServer::new(&network.server, 53);
    let (station, to) = (network.station(0), network.at_server(Family::V4, 53));
    let mac = station.mac.to_string();
    network.send_udp(station, to, 1);
    daemon.control.reaches(station.mac, Protocol::UDP, 53, State::Pending);

    let page =
        call(&config, "flow_list", json!({"filter": {"state": "pending", "search": "dns"}, "sort": "last_seen"}));
    let flow = &page["flows"][0];
    assert_eq!((&page["total"], &flow["mac"], &flow["service"]), (&json!(1), &json!(mac), &json!("dns")));
    assert_eq!((flow.get("vendor"), &flow["decided"]), (Some(&Value::Null), &Value::Null));
    let id = flow["id"].clone();

    let decided = call(&config, "flow_allow", json!({"ids": [id]}));
    assert_eq!((&decided["matched"], &decided["changed"][0]["state"]), (&json!(1), &json!("allowed")));
    network.send_udp(station, to, 2);
    assert!(server.gets(2), "what was allowed passes at once");
    let flow = call(&config, "flow_get", json!({"id": id}));
    assert_eq!((&flow["state"], &flow["origin"]), (&json!("allowed"), &json!("user")));
    assert!(flow["decided"].as_i64() >= flow["first_seen"].as_i64() && flow["decided"].is_i64(), "{flow}");

    let denied = call(&config, "flow_deny", json!({"service": {"device": mac, "proto": "udp", "port": 53}}));
    assert_eq!(denied["matched"], 1);
    network.send_udp(station, to, 3);
    settle();
    assert!(!server.has(3));

    let set = call(&config, "device_set", json!({"device": mac, "name": "<img onerror=x>", "mode": "trust"}));
    assert_eq!((&set["mac"], &set["mode"]), (&json!(mac), &json!("trust")));
    let devices = call(&config, "device_list", json!({"search": "onerror", "sort": "last_seen", "descending": true}));
    assert_eq!((&devices["total"], &devices["devices"][0]["name"]), (&json!(1), &json!("<img onerror=x>")));

    let status = call(&config, "learning_set", json!({"on": true, "for": 3600}));
    assert_eq!((&status["learning"], &status["enabled"]), (&json!(true), &json!(true)));
    assert!(status["time"].as_i64().is_some_and(|time| time > 0) && status["warnings"].is_array());
    assert!(call(&config, "stats", json!({}))["packets"].as_u64() >= Some(1));

    let events = call(&config, "event_list", json!({"after": 0, "limit": 200}));
    let kinds: Vec<&str> =
        events["events"].as_array().expect("events").iter().filter_map(|e| e["event"].as_str()).collect();
    for kind in ["flow_new", "flow_changed", "device_changed", "learning_changed"] {
        assert!(kinds.contains(&kind), "{kind}: {kinds:?}");
    }
    // One packet was refused because nobody had decided, one because it was denied; the kernel has counted both.
    let activity = within(Duration::from_secs(30), || {
        let activity = call(&config, "activity", json!({}));
        (activity["slots"][0]["dropped"].as_u64() >= Some(2)).then_some(activity)
    });
    let activity = activity.unwrap_or_else(|| call(&config, "activity", json!({})));
    assert_eq!(
        (&activity["slots"][0]["dropped"], &activity["devices"][0]["dropped"]),
        (&json!(2), &json!(2)),
        "{activity}"
    );
    assert_eq!((&activity["devices"][0]["mac"], &activity["services"][0]["service"]), (&json!(mac), &json!("dns")));
    assert_eq!(activity["slots"][0]["new_flows"], 1);

    let forgotten = call(&config, "flow_forget", json!({"ids": [id]}));
    assert_eq!(forgotten["changed_total"], 1);
    let missing = call(&config, "flow_get", json!({"id": id}));
    assert_eq!((&missing["error"]["code"], &missing["error"]["status"]), (&json!("not_found"), &json!(4)));
}

#[test]
fn what_the_configuration_says_of_a_device_is_changed_there() {
    let (network, fw4, mut config) = home(1, Mode::Log, Placement::Guard);
    let mac = network.station(0).mac;
    let (named, treated) = ("b8:27:eb:00:00:77", "b8:27:eb:00:00:78");
    config.sections = format!(
        "config device\n\toption mac '{mac}'\n\toption name 'camera'\n\toption mode 'enforce'\n\
         config device\n\toption mac '{named}'\n\toption name 'printer'\n\
         config device\n\toption mac '{treated}'\n\toption mode 'trust'\n"
    );
    let _daemon = Daemon::start(&network, &fw4, &config);
    let mac = mac.to_string();
    for (device, what) in
        [(mac.as_str(), "mode"), ("camera", "mode"), ("camera", "name"), (named, "name"), (treated, "mode")]
    {
        let value = if what == "mode" { "block" } else { "lens" };
        let answer = call(&config, "device_set", json!({"device": device, what: value}));
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(message.contains(&format!("the {what} of")) && message.contains("change it there"), "{answer}");
        assert_eq!(answer["error"]["status"], 2);
    }
    // What a section leaves open is the owner's to say.
    assert_eq!(call(&config, "device_set", json!({"device": named, "mode": "block"}))["mode"], "block");
    assert_eq!(call(&config, "device_set", json!({"device": treated, "name": "tv"}))["mac"], treated);
}

/// A database with so many flows of a hundred devices.
fn fill(config: &Config, flows: u32) {
    let limits = store::Limits {
        max_flows: 20_000,
        retention: Duration::from_secs(30 * 86_400),
        flush_interval: Duration::from_secs(12 * 3600),
    };
    let now = Now { mono: Monotonic::from_secs(1), wall: Wall { seconds: 1_790_000_000 } };
    let mut store = store::open(&config.database, limits, now).store;
    for id in 1..=flows {
        let mac = Mac([0xb8, 0x27, 0xeb, 0, 1, (id % 100) as u8]);
        let record = Record {
            id: FlowId(id),
            key: Key::service(mac, Protocol::TCP, Port::Number((id / 100) as u16 + 1)),
            state: [State::Allowed, State::Denied, State::Pending][id as usize % 3],
            origin: Origin::Learned,
            first_seen: now.wall,
            last_seen: Wall { seconds: now.wall.seconds + i64::from(id) },
            connections: u64::from(id),
        };
        store.handle(store::Request::Insert { record, zone: Some("lan".into()) }, now, &mut |_| {});
    }
    let set = |number: u8| store::Request::DeviceSet {
        ticket: 1,
        device: Mac([0xb8, 0x27, 0xeb, 0, 1, number]).to_string(),
        name: Some(format!("a device with a long name, number {number}")),
        mode: None,
    };
    (0..100).for_each(|number| store.handle(set(number), now, &mut |_| {}));
    store.handle(store::Request::Flush, now, &mut |_| {});
}

/// What a page may take here. On a quiet machine all of them take less than 100 ms, as the test prints; this one may be
/// busy with ten other things, and the program is not optimised.
const PAGE: Duration = Duration::from_secs(1);

/// The quickest of several: what the machine does besides is no part of it.
fn quickest(mut run: impl FnMut()) -> Duration {
    let run = |_| {
        let started = Instant::now();
        run();
        started.elapsed()
    };
    (0..15).map(run).min().expect("several")
}

#[test]
fn a_page_of_ten_thousand_flows_is_there_at_once() {
    let (network, fw4, config) = home(1, Mode::Log, Placement::Guard);
    fill(&config, 10_000);
    let daemon = Daemon::start(&network, &fw4, &config.clone().learning(false));
    let total = call(&config, "flow_list", json!({"limit": 1}))["total"].clone();
    assert_eq!(total, 10_000);
    let pages = [
        ("50 of all", json!({"limit": 50})),
        ("50 by device", json!({"sort": "device", "descending": true, "offset": 5000, "limit": 50})),
        (
            "50 pending, newest first",
            json!({"filter": {"state": "pending"}, "sort": "last_seen", "descending": true, "limit": 50}),
        ),
        ("50 by search", json!({"filter": {"search": "number 7"}, "sort": "connections", "limit": 50})),
        ("500 of all", json!({"limit": 500})),
    ];
    for (what, arguments) in pages {
        let plugin = quickest(|| drop(call(&config, "flow_list", arguments.clone())));
        let query: Query = serde_json::from_value(arguments).expect("a query");
        let client = quickest(|| {
            let _: Value = daemon.control.ask(&Request::FlowList(query.clone())).expect("a page");
        });
        println!("{what}: the plugin {plugin:?}, a client of the socket {client:?}");
        assert!(plugin < limit(PAGE), "{what}: {plugin:?}, by the socket {client:?}");
    }
    let devices = quickest(|| assert_eq!(call(&config, "device_list", json!({"limit": 100}))["total"], 100));
    println!("100 devices: {devices:?}");
    assert!(devices < limit(PAGE), "devices: {devices:?}");
}

#[test]
fn pages_neither_overlap_nor_leave_something_out() {
    let (network, fw4, config) = home(1, Mode::Log, Placement::Guard);
    fill(&config, 3000);
    let _daemon = Daemon::start(&network, &fw4, &config.clone().learning(false));
    // Many are equal in what they are sorted by.
    for sort in ["state", "device", "service"] {
        let mut seen = std::collections::BTreeSet::new();
        let mut got = 0;
        while got < 3000 {
            let page = call(&config, "flow_list", json!({"sort": sort, "offset": got, "limit": 500}));
            let flows = page["flows"].as_array().expect("flows");
            assert!(!flows.is_empty() && page["total"] == 3000, "{sort}: {got}");
            got += flows.len();
            seen.extend(flows.iter().filter_map(|flow| flow["id"].as_u64()));
        }
        assert_eq!((got, seen.len()), (3000, 3000), "{sort}");
    }
}

#[test]
fn a_daemon_that_is_stopped_is_not_waited_for() {
    let (network, fw4, config) = home(1, Mode::Log, Placement::Guard);
    let daemon = Daemon::start(&network, &fw4, &config);
    daemon.signal(libc::SIGSTOP);
    for (method, arguments) in [("status", json!({})), ("flow_list", json!({})), ("learning_set", json!({"on": false}))]
    {
        // It gives the daemon 0.8 s; a busy machine may need several attempts to start a program in the rest.
        let soon = (0..10).any(|_| {
            let started = Instant::now();
            let answer = once(&config, method, &arguments);
            let error = &answer["error"];
            assert_eq!((&error["code"], &error["status"]), (&json!("unavailable"), &json!(7)), "{answer}");
            started.elapsed() < Duration::from_secs(1)
        });
        assert!(soon, "{method} is never answered within a second");
    }
    let text = config.text();
    assert_eq!(once(&config, "check", &json!({"config": text}))["ok"], true, "what needs no daemon goes on");
    daemon.signal(libc::SIGCONT);
    assert!(call(&config, "status", json!({}))["version"].is_string());
    daemon.kill();
    let answer = once(&config, "status", &json!({}));
    assert_eq!(answer["error"]["status"], 10, "{answer}");
    assert!(answer["error"]["message"].as_str().is_some_and(|message| message.contains("service glacic start")));
}

#[test]
fn the_old_configuration_lets_an_owner_in_again() {
    let (network, fw4, config) = home(1, Mode::Log, Placement::Guard);
    let config = config.learning(false);
    let daemon = Daemon::start(&network, &fw4, &config);
    let mut events = daemon.control.events();
    let _luci = TcpServer::new(&network.router, 80);
    let reaches = || network.connect(network.station(0), (Family::V4.router(), 80).into());
    assert!(reaches().connected().is_some(), "before");

    let locked = config.clone().with("guard_input", "1").with("anti_lockout", "0");
    let checked = call(&config, "check", json!({"config": locked.text()}));
    let warned = |problem: &Value| problem["option"] == "anti_lockout" && problem["severity"] == "warning";
    assert!(checked["problems"].as_array().is_some_and(|all| all.iter().any(warned)), "{checked}");
    locked.write();
    daemon.signal(libc::SIGHUP);
    events.wait_for("the new configuration is taken", |event| event.what == What::ConfigReloaded);
    let patience = Duration::from_secs(60);
    let out = within(patience, || reaches().connected().is_none().then_some(()));
    assert!(out.is_some(), "the owner has locked himself out");

    // What LuCI does when nobody confirms: the old file is put back, and the service reloaded.
    config.write();
    daemon.signal(libc::SIGHUP);
    events.wait_for("the old configuration is taken", |event| event.what == What::ConfigReloaded);
    assert!(within(patience, || reaches().connected()).is_some(), "the owner is in again");
}
