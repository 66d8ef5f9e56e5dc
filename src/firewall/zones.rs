//! Which interfaces are guarded, which cannot be, and why.
//!
//! Behind a guarded interface every device must be told apart by its hardware address. So an interface without such
//! addresses cannot be guarded, and one with the Internet behind it must not: all of it would be one device.

use std::collections::BTreeSet;
use std::fmt;

use crate::config::uci;

use super::plan::{Guarded, Interface, Zone};

/// ARPHRD_ETHER of linux/if_arp.h.
const ETHERNET: u32 = 1;

/// What is asked of the router.
pub trait Router {
    /// What `fw4 zone NAME` prints: the zone's devices, one a line.
    fn zone_devices(&self, zone: &Zone) -> Result<String, NoDevices>;
    /// `/etc/config/firewall`; empty where there is none. The error says why it cannot be read.
    fn firewall_config(&self) -> Result<Vec<u8>, String>;
    /// `/proc/net/route`
    fn routes4(&self) -> String;
    /// `/proc/net/ipv6_route`
    fn routes6(&self) -> String;
    /// The ARPHRD number of its hardware; none for an interface that does not exist (yet).
    fn hardware_type(&self, interface: &Interface) -> Option<u32>;
}

/// Why fw4 has told no devices of a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoDevices {
    pub why: String,
    /// It has ended with an error, as for a zone that it does not know; otherwise it has not even ended.
    pub answered: bool,
}

/// A zone or interface that is not guarded although the owner asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub name: String,
    pub why: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not guarded: {}", self.name, self.why)
    }
}

/// What came of the owner's wishes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    pub guarded: Vec<Guarded>,
    pub refused: Vec<Refused>,
    /// What is no fault and worth knowing, each a sentence.
    pub notes: Vec<String>,
    /// Some zone could not be asked about: it is to be asked again.
    pub unsure: bool,
}

/// Finds the interfaces of these zones, and these interfaces. `before` is what was guarded until now: of a zone that
/// cannot be asked about it stays, since a question that fails must never open the door.
pub fn find(zones: &[String], interfaces: &[String], before: &[Guarded], router: &impl Router) -> Found {
    let mut found = Found::default();
    let firewall = router.firewall_config().map(|text| uci::read_foreign(&text));
    let upstream = default_routes(&router.routes4(), &router.routes6());
    let mut asked: Vec<(String, Option<Zone>, bool)> = Vec::new();
    for name in zones {
        match zone_interfaces(name, firewall.as_ref(), router) {
            Ok((zone, input_refused, names)) => {
                if names.is_empty() {
                    found.notes.push(format!("zone {name} has no interface at the moment"));
                }
                asked.extend(names.into_iter().map(|name| (name, Some(zone.clone()), input_refused)));
            }
            Err(No::Never(why)) => found.refused.push(Refused { name: format!("zone {name}"), why }),
            Err(No::NotNow(why)) => {
                found.unsure = true;
                let of_zone = |guarded: &&Guarded| guarded.zone.as_ref().is_some_and(|zone| zone.as_str() == name);
                let kept: Vec<&Guarded> = before.iter().filter(of_zone).collect();
                match kept.is_empty() {
                    true => found.refused.push(Refused { name: format!("zone {name}"), why }),
                    false => {
                        found.notes.push(format!("zone {name} stays guarded as it was, and is asked for again: {why}"))
                    }
                }
                asked.extend(
                    kept.into_iter()
                        .map(|kept| (kept.interface.as_str().to_owned(), kept.zone.clone(), kept.input_refused)),
                );
            }
        }
    }
    asked.extend(interfaces.iter().map(|name| (name.clone(), None, false)));
    for (name, zone, input_refused) in asked {
        match can_be_guarded(&name, &upstream, router) {
            Ok((interface, exists)) => {
                if !exists {
                    found.notes.push(format!("interface {name} does not exist yet; it is guarded as soon as it does"));
                }
                found.guarded.push(Guarded { interface, zone, input_refused });
            }
            Err(why) => found.refused.push(Refused { name: format!("interface {name}"), why }),
        }
    }
    found
}

/// Why there are no interfaces of a zone.
enum No {
    /// It cannot be guarded, as things are configured.
    Never(String),
    /// Nobody can tell at the moment.
    NotNow(String),
}

/// A zone's interfaces, and whether fw4 refuses what it sends to the router.
fn zone_interfaces(
    name: &str,
    firewall: Result<&uci::File, &String>,
    router: &impl Router,
) -> Result<(Zone, bool, Vec<String>), No> {
    let zone = Zone::new(name).map_err(|error| No::Never(error.to_string()))?;
    let firewall =
        firewall.map_err(|why| No::NotNow(format!("the firewall's configuration cannot be read ({why})")))?;
    let named = || firewall.of_kind("zone").filter(|section| section.option("name") == Some(name));
    let left_out = |section: &&uci::Section| section.option("enabled").is_some_and(|enabled| !uci::is_true(enabled));
    let section = named().find(|section| !left_out(section)).or_else(|| named().next());
    let defaults = firewall.of_kind("defaults").next();
    for option in ["masq", "masq6"] {
        if section.and_then(|section| section.option(option)).is_some_and(uci::is_true) {
            return Err(No::Never(format!(
                "it is masqueraded (option {option}), so the Internet lies behind it and all of it would be one device"
            )));
        }
    }
    if section.as_ref().is_some_and(left_out) {
        return Err(No::Never("the firewall leaves it out (option enabled)".to_owned()));
    }
    let input = section.and_then(|section| section.option("input"));
    let input = input.or_else(|| defaults.and_then(|defaults| defaults.option("input")));
    let input_refused = !input.is_some_and(|policy| policy.eq_ignore_ascii_case("accept"));
    // What fw4 does not know although it is configured is not there yet, or the firewall does not run.
    let devices = router.zone_devices(&zone).map_err(|no| match no.answered && section.is_none() {
        true => No::Never(no.why),
        false => No::NotNow(no.why),
    })?;
    Ok((zone, input_refused, devices.split_whitespace().map(str::to_owned).collect()))
}

/// The interface, and whether it exists; or why it cannot be guarded.
fn can_be_guarded(name: &str, upstream: &BTreeSet<String>, router: &impl Router) -> Result<(Interface, bool), String> {
    let interface = Interface::new(name).map_err(|error| error.trouble.to_owned())?;
    if upstream.contains(name) {
        return Err("the default route leads through it, so all of the Internet would be one device".to_owned());
    }
    match router.hardware_type(&interface) {
        None => Ok((interface, false)),
        Some(ETHERNET) => Ok((interface, true)),
        Some(_) => Err("it has no hardware addresses (as ppp, wg and tun), so devices cannot be told apart".to_owned()),
    }
}

/// Interfaces that a default route leads through.
fn default_routes(routes4: &str, routes6: &str) -> BTreeSet<String> {
    // RTF_REJECT of linux/route.h: "unreachable" routes lead nowhere.
    let leads_somewhere = |flags: &str| u32::from_str_radix(flags, 16).is_ok_and(|flags| flags & 0x0200 == 0);
    let v4 = routes4.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        match fields.as_slice() {
            [name, "00000000", _, flags, _, _, _, "00000000", ..] if leads_somewhere(flags) => Some(*name),
            _ => None,
        }
    });
    let v6 = routes6.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        match fields.as_slice() {
            [target, "00", _, _, _, _, _, _, flags, name]
                if target.bytes().all(|digit| digit == b'0') && leads_somewhere(flags) =>
            {
                Some(*name)
            }
            _ => None,
        }
    });
    v4.chain(v6).map(str::to_owned).collect()
}

/// The router this runs on.
#[cfg(target_os = "linux")]
impl Router for super::nft::Tools {
    fn zone_devices(&self, zone: &Zone) -> Result<String, NoDevices> {
        self.fw4_zone(zone)
    }

    fn firewall_config(&self) -> Result<Vec<u8>, String> {
        self.firewall_config()
    }

    fn routes4(&self) -> String {
        std::fs::read_to_string("/proc/net/route").unwrap_or_default()
    }

    fn routes6(&self) -> String {
        std::fs::read_to_string("/proc/net/ipv6_route").unwrap_or_default()
    }

    fn hardware_type(&self, interface: &Interface) -> Option<u32> {
        // Not from /sys, which shows the interfaces of whichever network namespace it was mounted in.
        crate::netlink::link::Links::open().ok()?.hardware(interface.as_str()).map(u32::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A router as most are: a bridge in zone lan, a port in zone wan with the default route, a tunnel in zone vpn.
    /// Sometimes something goes wrong.
    #[derive(Clone, Copy, PartialEq)]
    enum Wrong {
        Nothing,
        /// fw4 ends with an error, whatever it is asked.
        Failing,
        /// It does not even end.
        Silent,
        /// The firewall's configuration cannot be read.
        Unread,
    }

    struct Usual(Wrong);

    const FIREWALL: &str = "config defaults\n\toption input 'REJECT'\n\
        config zone\n\toption name 'lan'\n\toption input 'ACCEPT'\n\
        config zone\n\toption name 'guest'\n\
        config zone\n\toption name 'wan'\n\toption masq '1'\n\
        config zone\n\toption name 'vpn'\n\
        config zone\n\toption name 'off'\n\toption enabled '0'\n\
        config zone\n\toption name 'twice'\n\toption enabled '0'\nconfig zone\n\toption name 'twice'\n";

    impl Router for Usual {
        fn zone_devices(&self, zone: &Zone) -> Result<String, NoDevices> {
            let no = |why: &str, answered| Err(NoDevices { why: why.to_owned(), answered });
            match zone.as_str() {
                _ if self.0 == Wrong::Failing => no("fw4 is not running", true),
                _ if self.0 == Wrong::Silent => no("it takes too long", false),
                "lan" => Ok("br-lan\neth3\n".to_owned()),
                "guest" => Ok("br-guest\n".to_owned()),
                "wan" => Ok("eth1\n".to_owned()),
                "twice" => Ok("br-twice\n".to_owned()),
                "vpn" => Ok("wg0\nwg*\n".to_owned()),
                "empty" => Ok(String::new()),
                other => no(&format!("fw4 knows no zone {other}"), true),
            }
        }
        fn firewall_config(&self) -> Result<Vec<u8>, String> {
            match self.0 {
                Wrong::Unread => Err("out of memory".to_owned()),
                _ => Ok(FIREWALL.as_bytes().to_vec()),
            }
        }
        fn routes4(&self) -> String {
            "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
             eth1\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
             br-lan\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
                .to_owned()
        }
        fn routes6(&self) -> String {
            let zeros = "0".repeat(32);
            format!(
                "{zeros} 00 {zeros} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth4\n\
                 {zeros} 00 {zeros} 00 {zeros} ffffffff 00000001 00000000 00200200       lo\n"
            )
        }
        fn hardware_type(&self, interface: &Interface) -> Option<u32> {
            match interface.as_str() {
                "wg0" => Some(65534),
                "lo" => Some(772),
                "eth3" => None,
                _ => Some(1),
            }
        }
    }

    fn own(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn look(zones: &[&str], interfaces: &[&str]) -> Found {
        find(&own(zones), &own(interfaces), &[], &Usual(Wrong::Nothing))
    }

    fn guarded(found: &Found) -> Vec<&str> {
        found.guarded.iter().map(|guarded| guarded.interface.as_str()).collect()
    }

    #[test]
    fn a_zone_is_its_interfaces_also_those_to_come() {
        let found = look(&["lan"], &["eth7"]);
        assert_eq!(guarded(&found), ["br-lan", "eth3", "eth7"]);
        assert!(found.refused.is_empty());
        assert_eq!(found.notes, ["interface eth3 does not exist yet; it is guarded as soon as it does"]);
    }

    /// fw4 would say of it for ever what it says of a zone that is not there yet.
    #[test]
    fn a_zone_that_the_firewall_leaves_out_is_not_asked_about() {
        let found = look(&["off"], &[]);
        assert!(!found.unsure && found.guarded.is_empty());
        assert_eq!(found.refused[0].why, "the firewall leaves it out (option enabled)");
        assert_eq!(guarded(&look(&["twice"], &[])), ["br-twice"]);
    }

    #[test]
    fn input_is_refused_unless_zone_or_defaults_accept_it() {
        let input_refused = |zone| look(&[zone], &[]).guarded.iter().map(|guarded| guarded.input_refused).next();
        assert_eq!(input_refused("lan"), Some(false));
        assert_eq!(input_refused("guest"), Some(true));
    }

    #[test]
    fn the_internet_is_no_device() {
        let reason = |found: Found| found.refused.into_iter().map(|refused| refused.to_string()).collect::<String>();
        assert!(reason(look(&["wan"], &[])).contains("masqueraded"));
        assert!(reason(look(&[], &["eth1"])).contains("interface eth1 is not guarded: the default route"));
        assert!(reason(look(&[], &["eth4"])).contains("default route"));
        assert!(!reason(look(&[], &["lo"])).contains("default route"), "an unreachable route leads nowhere");
    }

    #[test]
    fn without_hardware_addresses_there_is_no_device() {
        let found = look(&["vpn"], &[]);
        assert!(found.guarded.is_empty());
        assert!(found.refused[0].why.contains("no hardware addresses"), "{found:?}");
        assert!(found.refused[1].why.contains("letters"), "a wildcard names no interface: {found:?}");
    }

    #[test]
    fn a_question_that_fails_opens_no_door() {
        let before = look(&["lan", "guest"], &[]).guarded;
        for wrong in [Wrong::Failing, Wrong::Silent, Wrong::Unread] {
            let found = find(&own(&["lan", "guest"]), &[], &before, &Usual(wrong));
            assert_eq!(found.guarded, before, "as it was, with what fw4 does with its input");
            assert!(found.unsure && found.refused.is_empty(), "{found:?}");
            assert!(found.notes[0].contains("zone lan stays guarded as it was, and is asked for again"), "{found:?}");
            let first = find(&own(&["lan"]), &[], &[], &Usual(wrong));
            assert!(first.unsure && first.guarded.is_empty() && first.refused.len() == 1, "{first:?}");
        }
    }

    #[test]
    fn what_stays_guarded_must_be_wanted_and_possible_still() {
        let zone = |name: &str, interface: &str| Guarded {
            interface: Interface::new(interface).unwrap(),
            zone: Some(Zone::new(name).unwrap()),
            input_refused: false,
        };
        let before = [
            zone("lan", "br-lan"),
            zone("lan", "eth1"),
            zone("wan", "eth5"),
            zone("attic", "eth6"),
            zone("vpn", "eth8"),
        ];
        let found = find(&own(&["lan", "wan", "attic"]), &[], &before, &Usual(Wrong::Failing));
        assert_eq!(
            guarded(&found),
            ["br-lan"],
            "eth1 leads to the Internet now, wan is masqueraded, attic is not configured"
        );
    }

    #[test]
    fn what_is_not_there_is_told() {
        assert_eq!(
            look(&["nowhere"], &[]).refused[0].to_string(),
            "zone nowhere is not guarded: fw4 knows no zone nowhere"
        );
        assert_eq!(look(&["empty"], &[]).notes, ["zone empty has no interface at the moment"]);
        assert!(look(&["../lan"], &[]).guarded.is_empty());
    }
}
