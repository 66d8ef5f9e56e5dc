//! What services are called, by protocol and port: a look-up for people, nothing is decided by it.

use super::{Port, Protocol};

/// Names of services, by transport port (after the IANA registry, in the words people know).
const SERVICES: &[(u16, &str)] = &[
    (20, "ftp-data"),
    (21, "ftp"),
    (22, "ssh"),
    (23, "telnet"),
    (25, "smtp"),
    (53, "dns"),
    (67, "dhcp"),
    (68, "dhcp"),
    (69, "tftp"),
    (80, "http"),
    (110, "pop3"),
    (123, "ntp"),
    (137, "netbios"),
    (138, "netbios"),
    (139, "netbios"),
    (143, "imap"),
    (161, "snmp"),
    (443, "https"),
    (445, "smb"),
    (465, "smtps"),
    (500, "ipsec"),
    (514, "syslog"),
    (546, "dhcpv6"),
    (547, "dhcpv6"),
    (548, "afp"),
    (554, "rtsp"),
    (587, "submission"),
    (631, "ipp"),
    (853, "dns-tls"),
    (873, "rsync"),
    (993, "imaps"),
    (995, "pop3s"),
    (1194, "openvpn"),
    (1883, "mqtt"),
    (1900, "ssdp"),
    (2049, "nfs"),
    (3074, "xbox"),
    (3389, "rdp"),
    (3478, "stun"),
    (4500, "ipsec-nat"),
    (5060, "sip"),
    (5061, "sips"),
    (5222, "xmpp"),
    (5223, "apple-push"),
    (5228, "google-push"),
    (5353, "mdns"),
    (5355, "llmnr"),
    (8009, "cast"),
    (8080, "http-alt"),
    (8443, "https-alt"),
    (8883, "mqtts"),
    (9100, "printer"),
    (19302, "stun"),
    (51820, "wireguard"),
];

/// The name of a service, where it has one.
pub fn service_name(protocol: Protocol, port: Port) -> Option<&'static str> {
    match port {
        Port::Any => None,
        Port::Number(8) if protocol == Protocol::ICMP => Some("echo"),
        Port::Number(128) if protocol == Protocol::ICMPV6 => Some("echo"),
        Port::Number(443) if protocol == Protocol::UDP => Some("quic"),
        Port::Number(_) if !protocol.has_ports() => None,
        Port::Number(port) => SERVICES.iter().find(|(number, _)| *number == port).map(|(_, name)| *name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_services_are_in_order_and_once() {
        assert!(SERVICES.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn a_name_belongs_to_protocols_with_ports_and_to_the_echo() {
        let name = |protocol, port| service_name(protocol, Port::Number(port));
        assert_eq!(name(Protocol::TCP, 443), Some("https"));
        assert_eq!(name(Protocol::UDP, 443), Some("quic"));
        assert_eq!(name(Protocol::ICMP, 8), Some("echo"));
        assert_eq!(name(Protocol::ICMP, 80), None);
        assert_eq!(name(Protocol(47), 80), None);
        assert_eq!(service_name(Protocol::TCP, Port::Any), None);
    }
}
