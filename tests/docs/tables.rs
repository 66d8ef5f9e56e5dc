//! What documents repeat of the code: options, the database's tables, the members of the control protocol.

use std::collections::BTreeSet;

use glacic::config::{Info, options};
use glacic::control::protocol::{Activity, Code, Decided, EventPage, Stats, Status, Warning, WarningCode};
use glacic::flow::view::{DeviceView, FlowView};
use serde_json::{Value, json};

use super::markdown::blocks;
use super::{document, root};

/// The part of a document between `<!-- NAME: made by … -->` and `<!-- end -->` is as it should be; with `GLACIC_BLESS`
/// set, it is made so.
fn holds(name: &str, part: &str, wanted: &str) {
    let text = document(name);
    let begin = text.find(&format!("<!-- {part}: ")).unwrap_or_else(|| panic!("{name} has no part {part}"));
    let from = begin + text[begin..].find('\n').expect("a line ends") + 1;
    let to = from + text[from..].find("<!-- end -->").expect("the part ends");
    if std::env::var_os("GLACIC_BLESS").is_some() {
        let whole = format!("{}{wanted}{}", &text[..from], &text[to..]);
        std::fs::write(root().join(name), whole).expect("the document can be written");
    } else {
        let (shown, wanted): (Vec<_>, Vec<_>) = (text[from..to].lines().collect(), wanted.lines().collect());
        let differ = (0..shown.len().max(wanted.len())).find(|line| shown.get(*line) != wanted.get(*line));
        if let Some(line) = differ {
            let (shown, wanted) = (shown.get(line), wanted.get(line));
            panic!("{name} says {shown:?}, the code {wanted:?}: GLACIC_BLESS=1 rewrites it");
        }
    }
}

#[test]
fn every_option_is_listed_with_its_limits() {
    let mut text = String::new();
    let mut section = "";
    for Info { section: of, name, shape, list, required, default, help, asleep: _ } in options() {
        if of != section {
            section = of;
            text += &format!("\n### `config {of}`\n\n| option | value | default | what for |\n|---|---|---|---|\n");
        }
        let kind = if list { "list " } else { "" };
        let default = match (required, default) {
            (true, _) => "required".to_owned(),
            (false, []) => "–".to_owned(),
            (false, values) => values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(" "),
        };
        text += &format!("| {kind}`{name}` | {shape} | {default} | {help} |\n");
    }
    holds("docs/settings.md", "options", &format!("{text}\n"));
}

#[test]
fn the_database_is_shown_as_it_is_made() {
    let folder = std::env::temp_dir().join(format!("glacic-docs-{}", std::process::id()));
    let path = folder.join("flows.db");
    let day = std::time::Duration::from_secs(86_400);
    let limits = glacic::store::Limits { max_flows: 100, retention: day, flush_interval: day };
    drop(glacic::store::open(&path, limits, Default::default()));
    let file = rusqlite::Connection::open(&path).expect("the database opens");
    let text = |sql: &str| -> Vec<String> {
        let mut statement = file.prepare(sql).expect("a query");
        let rows = statement.query_map([], |row| row.get(0)).expect("rows");
        rows.collect::<Result<_, _>>().expect("text")
    };
    let tables = text("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid").join(";\n\n");
    let numbers = text(
        "SELECT 'PRAGMA application_id = ' || application_id || ';' FROM pragma_application_id UNION ALL
         SELECT 'PRAGMA user_version = ' || user_version || ';' FROM pragma_user_version",
    );
    drop(file);
    let _ = std::fs::remove_dir_all(&folder);
    holds("docs/state-files.md", "schema", &format!("```sql\n{}\n\n{tables};\n```\n", numbers.join("\n")));
}

/// The names of all members, of members of members as well.
fn members(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => object.iter().for_each(|(name, value)| {
            into.insert(name.clone());
            members(value, into);
        }),
        Value::Array(values) => values.iter().for_each(|value| members(value, into)),
        _ => {}
    }
}

#[test]
fn every_member_of_the_protocol_is_told_about() {
    let flow = json!({"id": 1, "mac": "b8:27:eb:00:00:01", "device": null, "proto": "tcp", "port": 1, "destination": "any",
        "state": "allowed", "origin": "user", "zone": null, "first_seen": 1, "last_seen": 1, "decided": null, "connections": 1,
        "packets": null, "bytes": null, "names": [{"name": "a", "source": "sni", "confidence": 100}], "app": null});
    let device = json!({"mac": "b8:27:eb:00:00:01", "name": null, "randomised": false, "mode": "learn", "zone": null,
        "first_seen": 1, "last_seen": 1, "allowed": 1, "pending": 1, "denied": 1});
    let status = json!({"version": "", "time": 1, "uptime": 1, "enabled": true, "learning": true, "learning_left": null, "mode": "log", "placement": "",
        "fail_mode": "", "interfaces": [], "flows": {"allowed": 1, "pending": 1, "denied": 1}, "devices": 1, "dropped_last_hour": 1,
        "database": {"path": "", "trouble": null, "moved_aside": null}, "ruleset": true, "clock_set": true,
        "confinement": {"user": "", "capabilities": [], "no_new_privileges": true, "filter": true, "trouble": []},
        "warnings": [{"code": "clock_not_set", "message": ""}]});
    let decided = json!({"matched": 1, "changed": [flow], "changed_total": 1});
    let activity = json!({"step": 1, "since": 1, "slots": [{"at": 1, "new_flows": 1, "dropped": 1}],
        "devices": [{"mac": "b8:27:eb:00:00:01", "device": null, "connections": 1, "dropped": 1}],
        "services": [{"proto": "tcp", "port": null, "connections": 1, "dropped": 1}]});
    let events = json!({"events": [{"seq": 1, "time": 1, "event": "config_reloaded"}], "last": 1});
    // Back from the types: a member that one of them has gained is then missing here, and the test does not compile
    // or does not pass.
    let shapes = [
        round::<FlowView>(&flow),
        round::<DeviceView>(&device),
        round::<Status>(&status),
        round::<Decided>(&decided),
        round::<Activity>(&activity),
        round::<EventPage>(&events),
        serde_json::to_value(Stats::default()).expect("counters are JSON"),
    ];
    let mut names = BTreeSet::new();
    shapes.iter().for_each(|shape| members(shape, &mut names));
    let codes = [
        Code::InvalidRequest,
        Code::UnknownMethod,
        Code::InvalidParams,
        Code::NotFound,
        Code::Busy,
        Code::Denied,
        Code::NotSaved,
        Code::Internal,
    ];
    names.extend(codes.iter().filter_map(|code| serde_json::to_value(code).ok()?.as_str().map(str::to_owned)));
    names
        .extend(WarningCode::ALL.iter().filter_map(|code| Some(serde_json::to_value(code).ok()?.as_str()?.to_owned())));
    let text = document("docs/control-protocol.md");
    let words: BTreeSet<&str> = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    let missing: Vec<&String> = names.iter().filter(|name| !words.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "docs/control-protocol.md says nothing of {missing:?}");
}

fn round<T: serde::Serialize + serde::de::DeserializeOwned>(value: &Value) -> Value {
    let typed: T = serde_json::from_value(value.clone()).expect("the shape is as the type wants it");
    let back = serde_json::to_value(typed).expect("a type of the protocol is JSON");
    assert_eq!(&back, value, "a member has come or gone");
    back
}

#[test]
fn requests_and_flows_are_shown_as_they_are_read() {
    let mut seen = 0;
    for block in blocks(&document("docs/control-protocol.md")).iter().filter(|block| block.language == "json") {
        for line in block.text.lines() {
            let value: Value = serde_json::from_str(line).unwrap_or_else(|fault| panic!("{line}: {fault}"));
            match (value.get("method"), value.get("event"), value.get("id")) {
                (Some(_), ..) => drop(
                    glacic::control::protocol::Request::parse(line).unwrap_or_else(|fault| panic!("{line}: {fault}")),
                ),
                (_, Some(_), _) => drop(round::<glacic::control::protocol::Event>(&value)),
                (_, _, Some(_)) => drop(round::<FlowView>(&value)),
                _ if value.get("code").is_some() => drop(round::<Warning>(&value)),
                _ => drop(round::<DeviceView>(&value)),
            }
            seen += 1;
        }
    }
    assert!(seen > 10, "the examples are gone");
}
