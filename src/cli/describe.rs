//! Flows and devices in words.

use crate::flow::view::FlowView;
use crate::flow::{self, DeviceMode, Mac, Port, Protocol, State};

use super::screen::{Tone, visible};

/// `tcp/443 https`, `udp/any`, `icmp/8 echo`, `gre`.
pub fn service(protocol: Protocol, port: Port) -> String {
    if !protocol.has_ports() && !protocol.has_icmp_types() {
        return protocol.to_string();
    }
    match flow::service_name(protocol, port) {
        Some(name) => format!("{protocol}/{port} {name}"),
        None => format!("{protocol}/{port}"),
    }
}

/// A device's name, or else its address. As it came: not yet [`visible`].
pub fn device(name: Option<&str>, mac: Mac) -> String {
    name.filter(|name| !name.is_empty()).map_or_else(|| mac.to_string(), str::to_owned)
}

/// Where a flow leads; for `any` the best known name of where it went, and how many others there are. As it came.
pub fn destination(flow: &FlowView) -> String {
    let Some(best) = flow.names.iter().max_by_key(|name| name.confidence).filter(|_| flow.destination == "any") else {
        return flow.destination.clone();
    };
    match flow.names.len() {
        1 => format!("any ({})", best.name),
        count => format!("any ({} and {} more)", best.name, count - 1),
    }
}

pub fn state(state: State) -> (&'static str, Tone) {
    match state {
        State::Pending => ("pending", Tone::Waiting),
        State::Allowed => ("allowed", Tone::Good),
        State::Denied => ("denied", Tone::Bad),
    }
}

pub fn mode(mode: DeviceMode) -> (&'static str, Tone) {
    match mode {
        DeviceMode::Default => ("default", Tone::Plain),
        DeviceMode::Learn => ("learn", Tone::Waiting),
        DeviceMode::Enforce => ("enforce", Tone::Plain),
        DeviceMode::Trust => ("trust", Tone::Good),
        DeviceMode::Block => ("block", Tone::Bad),
    }
}

/// What a mode means for the device.
pub fn mode_means(mode: DeviceMode) -> &'static str {
    match mode {
        DeviceMode::Default => "is treated as the house is",
        DeviceMode::Learn => "learns: its new flows are allowed",
        DeviceMode::Enforce => "is enforced: its new flows wait for a decision",
        DeviceMode::Trust => "is trusted: everything of it passes",
        DeviceMode::Block => "is blocked: nothing of it passes the router",
    }
}

/// A flow in one piece of a sentence, safe to print: `12 camera tcp/443 https`.
pub fn flow(flow: &FlowView) -> String {
    let mut words = String::new();
    if let Some(id) = flow.id {
        words.push_str(&format!("{} ", id.0));
    }
    words.push_str(&visible(&device(flow.device.as_deref(), flow.mac)));
    words.push(' ');
    words.push_str(&service(flow.proto, flow.port));
    if flow.destination != "any" {
        words.push_str(" to ");
        words.push_str(&visible(&flow.destination));
    }
    words
}

/// `1 flow`, `2 flows`.
pub fn count(number: u64, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        number => format!("{number} {thing}s"),
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::flow::view::Name;
    use crate::flow::{FlowId, Origin, Wall};

    pub fn sample() -> FlowView {
        FlowView {
            id: Some(FlowId(12)),
            mac: Mac([0xb8, 0x27, 0xeb, 0, 0, 1]),
            device: Some("camera".into()),
            proto: Protocol::TCP,
            port: Port::Number(443),
            destination: "any".into(),
            state: State::Pending,
            origin: Origin::Learned,
            zone: Some("lan".into()),
            first_seen: Wall { seconds: 1_795_000_000 },
            last_seen: Wall { seconds: 1_795_336_688 },
            decided: None,
            connections: 7,
            packets: None,
            bytes: None,
            names: Vec::new(),
            app: None,
        }
    }

    #[test]
    fn services_are_named_as_people_know_them() {
        for (protocol, port, told) in [
            (Protocol::TCP, Port::Number(443), "tcp/443 https"),
            (Protocol::UDP, Port::Number(443), "udp/443 quic"),
            (Protocol::UDP, Port::Any, "udp/any"),
            (Protocol::TCP, Port::Number(40_000), "tcp/40000"),
            (Protocol::ICMP, Port::Number(8), "icmp/8 echo"),
            (Protocol::ICMPV6, Port::Number(128), "icmpv6/128 echo"),
            (Protocol::ICMP, Port::Number(80), "icmp/80"),
            (Protocol(47), Port::Number(0), "gre"),
            (Protocol(200), Port::Number(0), "200"),
        ] {
            assert_eq!(service(protocol, port), told);
        }
    }

    #[test]
    fn a_flow_is_told_by_number_device_and_service() {
        assert_eq!(flow(&sample()), "12 camera tcp/443 https");
        let unnamed = FlowView { id: None, device: None, destination: "192.0.2.1".into(), ..sample() };
        assert_eq!(flow(&unnamed), "b8:27:eb:00:00:01 tcp/443 https to 192.0.2.1");
        let hostile = FlowView { device: Some("\x1b]0;owned\x07".into()), ..sample() };
        assert_eq!(flow(&hostile), "12 \\u{1b}]0;owned\\u{7} tcp/443 https");
    }

    #[test]
    fn where_it_went_is_a_hint_and_not_a_limit() {
        let name = |name: &str, confidence| Name { name: name.into(), source: "dns".into(), confidence };
        let mut flow = sample();
        assert_eq!(destination(&flow), "any");
        flow.names = vec![name("a.example", 80)];
        assert_eq!(destination(&flow), "any (a.example)");
        flow.names = vec![name("a.example", 20), name("b.example", 100), name("c.example", 80)];
        assert_eq!(destination(&flow), "any (b.example and 2 more)");
        flow.destination = "192.0.2.1".into();
        assert_eq!(destination(&flow), "192.0.2.1");
    }
}
