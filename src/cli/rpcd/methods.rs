//! The methods of the ubus object: what each takes, and how it is to be answered.

use serde_json::{Map, Value, json};

/// The type of an argument, as rpcd is told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    Text,
    Number,
    Switch,
    List,
    Table,
}

impl Type {
    /// rpcd takes the type of the value for the type of the argument; for numbers the value says how many bits.
    fn example(self) -> Value {
        match self {
            Type::Text => json!("text"),
            Type::Number => json!(32),
            Type::Switch => json!(true),
            Type::List => json!([]),
            Type::Table => json!({}),
        }
    }
}

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The daemon, at once.
    Daemon,
    /// The daemon, when a change is on the flash and in the kernel.
    Writer,
    /// This program alone.
    Here,
}

/// One method of the object.
#[derive(Debug)]
pub struct Method {
    pub name: &'static str,
    pub arguments: &'static [(&'static str, Type)],
    pub who: Who,
    /// The member of the answer that may be long, and is cut where the answer would not fit into a message.
    pub list: Option<&'static str>,
}

const PAGE: &[(&str, Type)] = &[
    ("filter", Type::Table),
    ("sort", Type::Text),
    ("descending", Type::Switch),
    ("offset", Type::Number),
    ("limit", Type::Number),
];
const DEVICES: &[(&str, Type)] = &[
    ("search", Type::Text),
    ("mode", Type::Text),
    ("sort", Type::Text),
    ("descending", Type::Switch),
    ("offset", Type::Number),
    ("limit", Type::Number),
];
const SELECTION: &[(&str, Type)] = &[("ids", Type::List), ("filter", Type::Table), ("service", Type::Table)];

const fn method(
    name: &'static str,
    who: Who,
    arguments: &'static [(&'static str, Type)],
    list: Option<&'static str>,
) -> Method {
    Method { name, arguments, who, list }
}

/// All methods. Those of [`Who::Writer`] belong into the write part of an ACL, the others into the read part.
pub static METHODS: &[Method] = &[
    method("status", Who::Daemon, &[], None),
    method("stats", Who::Daemon, &[], None),
    method("flow_list", Who::Daemon, PAGE, Some("flows")),
    method("flow_get", Who::Daemon, &[("id", Type::Number)], None),
    method("flow_allow", Who::Writer, SELECTION, Some("changed")),
    method("flow_deny", Who::Writer, SELECTION, Some("changed")),
    method("flow_forget", Who::Writer, SELECTION, Some("changed")),
    method("device_list", Who::Daemon, DEVICES, Some("devices")),
    method("device_set", Who::Writer, &[("device", Type::Text), ("name", Type::Text), ("mode", Type::Text)], None),
    method("learning_set", Who::Writer, &[("on", Type::Switch), ("for", Type::Number)], None),
    method("activity", Who::Daemon, &[], None),
    method("event_list", Who::Daemon, &[("after", Type::Number), ("limit", Type::Number)], Some("events")),
    method("settings", Who::Here, &[], None),
    method("check", Who::Here, &[("config", Type::Text)], Some("problems")),
];

pub fn find(name: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.name == name)
}

/// What `list` prints.
pub fn list() -> Value {
    let arguments = |method: &Method| {
        let given = method.arguments.iter().map(|(name, kind)| ((*name).to_owned(), kind.example()));
        Value::Object(given.collect::<Map<_, _>>())
    };
    Value::Object(METHODS.iter().map(|method| (method.name.to_owned(), arguments(method))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_argument_is_told_by_a_value_of_its_type() {
        let list = list();
        assert_eq!(list.as_object().unwrap().len(), METHODS.len());
        assert_eq!(list["status"], json!({}));
        assert_eq!(
            list["flow_list"],
            json!({"filter": {}, "sort": "text", "descending": true, "offset": 32, "limit": 32})
        );
        assert_eq!(list["flow_allow"], json!({"ids": [], "filter": {}, "service": {}}));
        assert_eq!(list["learning_set"], json!({"on": true, "for": 32}));
    }

    #[test]
    fn what_changes_something_is_named_so() {
        for method in METHODS {
            let changes = ["_allow", "_deny", "_forget", "_set"].iter().any(|end| method.name.ends_with(end));
            assert_eq!(method.who == Who::Writer, changes, "{}", method.name);
        }
    }

    #[test]
    fn the_acl_of_luci_has_what_changes_something_under_write_and_all_else_under_read() {
        let acl = include_str!("../../../openwrt/luci-app-glacic/root/usr/share/rpcd/acl.d/luci-app-glacic.json");
        let acl: Value = serde_json::from_str(acl).unwrap();
        for (kind, writes) in [("read", false), ("write", true)] {
            let granted = &acl["luci-app-glacic"][kind]["ubus"]["glacic"];
            let mut granted: Vec<&str> =
                granted.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
            let due = METHODS.iter().filter(|method| (method.who == Who::Writer) == writes);
            let mut due: Vec<&str> = due.map(|method| method.name).collect();
            granted.sort_unstable();
            due.sort_unstable();
            assert_eq!(granted, due, "{kind}");
        }
    }
}
