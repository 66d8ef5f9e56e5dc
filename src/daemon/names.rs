//! Names of devices, as others know them: dnsmasq's leases and /etc/ethers. Pure readers over text that LAN devices have
//! a hand in: a name is any text, is bounded, and never trusted to be unique.

use std::collections::BTreeMap;

use crate::flow::Mac;

/// What the house calls its devices, for events and answers.
#[derive(Debug, Default)]
pub struct Names {
    /// By the owner's command; these go before all others.
    given: BTreeMap<Mac, String>,
    heard: BTreeMap<Mac, String>,
}

impl Names {
    /// The owner names a device; an empty name takes the name away.
    pub fn give(&mut self, mac: Mac, name: &str) {
        match name {
            "" => drop(self.given.remove(&mac)),
            name => drop(self.given.insert(mac, name.to_owned())),
        }
    }

    /// Replaces the names that others know.
    pub fn hear(&mut self, names: &[(Mac, String)]) {
        self.heard = names.iter().cloned().collect();
    }

    pub fn of(&self, mac: Mac) -> Option<&str> {
        self.given.get(&mac).or_else(|| self.heard.get(&mac)).map(String::as_str)
    }
}

/// dnsmasq's leases on OpenWrt.
pub const LEASES: &str = "/tmp/dhcp.leases";
pub const ETHERS: &str = "/etc/ethers";

/// The longest name that is kept, in bytes: that of a DNS name.
const LONGEST: usize = 255;

/// The names in dnsmasq's lease file: expiry, MAC address, IP address, host name, client id; `*` means no name.
pub fn leases(text: &str) -> impl Iterator<Item = (Mac, String)> + '_ {
    text.lines().filter_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let mac = fields.nth(1)?.parse().ok()?;
        named(mac, fields.nth(1)?)
    })
}

/// The names in an ethers file (ethers(5)): a MAC address and a name. An IP address in its place names nobody.
pub fn ethers(text: &str) -> impl Iterator<Item = (Mac, String)> + '_ {
    text.lines().filter_map(|line| {
        let line = line.split('#').next()?;
        let mut fields = line.split_ascii_whitespace();
        let mac = fields.next()?.parse().ok()?;
        let name = fields.next()?;
        if name.parse::<std::net::IpAddr>().is_ok() { None } else { named(mac, name) }
    })
}

fn named(mac: Mac, name: &str) -> Option<(Mac, String)> {
    (name != "*" && !name.is_empty() && name.len() <= LONGEST).then(|| (mac, name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAMERA: Mac = Mac([0xb8, 0x27, 0xeb, 0, 0, 1]);

    #[test]
    fn leases_name_the_devices_that_gave_a_name() {
        let text = "1790000000 b8:27:eb:00:00:01 192.168.1.20 camera 01:b8\n\
                    1790000000 b8:27:eb:00:00:02 192.168.1.21 * *\n\
                    duid 00:01\n\n1790000000 nonsense 192.168.1.22 x *";
        assert_eq!(leases(text).collect::<Vec<_>>(), [(CAMERA, "camera".to_owned())]);
    }

    #[test]
    fn ethers_have_comments_and_may_name_addresses() {
        let text =
            "# ours\nb8:27:eb:00:00:01 camera # the one outside\nb8:27:eb:00:00:02 192.168.1.9\nb8:27:eb:00:00:03\n";
        assert_eq!(ethers(text).collect::<Vec<_>>(), [(CAMERA, "camera".to_owned())]);
    }

    #[test]
    fn the_owners_name_goes_before_that_of_a_lease() {
        let mut names = Names::default();
        names.hear(&[(CAMERA, "ESP_2F".to_owned())]);
        names.give(CAMERA, "camera");
        assert_eq!(names.of(CAMERA), Some("camera"));
        names.give(CAMERA, "");
        assert_eq!(names.of(CAMERA), Some("ESP_2F"));
        names.hear(&[]);
        assert_eq!(names.of(CAMERA), None);
    }

    #[test]
    fn an_endless_name_is_no_name() {
        assert_eq!(leases(&format!("1 b8:27:eb:00:00:01 192.168.1.20 {} *", "x".repeat(256))).count(), 0);
    }
}
