//! What is added to answers for people who look at them: the name of a port, and the vendor of a device. The daemon knows
//! neither.

use serde_json::Value;

use super::super::vendors::Vendors;
use crate::flow::{self, Mac, Port, Protocol};

/// Adds `service` to everything that has a protocol and a port, and `vendor` to everything that has an address.
pub fn enrich(value: &mut Value, vendors: &mut Vendors) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| enrich(item, vendors)),
        Value::Object(members) => {
            members.values_mut().for_each(|member| enrich(member, vendors));
            if let (Some(proto), Some(port)) = (members.get("proto"), members.get("port")) {
                let service = service(proto, port);
                members.insert("service".to_owned(), service.into());
            }
            if let Some(mac) = members.get("mac").and_then(Value::as_str) {
                let vendor = mac.parse::<Mac>().ok().and_then(|mac| vendors.of_device(mac).map(str::to_owned));
                members.insert("vendor".to_owned(), vendor.into());
            }
        }
        _ => {}
    }
}

fn service(proto: &Value, port: &Value) -> Option<&'static str> {
    let protocol: Protocol = proto.as_str()?.parse().ok()?;
    let port = u16::try_from(port.as_u64()?).ok()?;
    flow::service_name(protocol, Port::Number(port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn flows_devices_and_services_are_named_wherever_they_stand() {
        let mut answer = json!({
            "flows": [
                {"mac": "b8:27:eb:00:00:01", "proto": "tcp", "port": 443},
                {"mac": "b8:27:eb:00:00:01", "proto": "tcp", "port": null},
                {"mac": "?", "proto": "gre", "port": 0},
            ],
            "events": [{"seq": 1, "flow": {"mac": "b8:27:eb:00:00:01", "proto": "udp", "port": 53}}],
            "total": 3,
        });
        enrich(&mut answer, &mut Vendors::none());
        let services: Vec<&Value> = (0..3).map(|n| &answer["flows"][n]["service"]).collect();
        assert_eq!(services, [&json!("https"), &Value::Null, &Value::Null]);
        assert_eq!(answer["events"][0]["flow"]["service"], "dns");
        assert_eq!(answer["flows"][0].get("vendor"), Some(&Value::Null), "there, and not known");
        assert_eq!(answer.get("service"), None);
    }
}
