//! The home: a router with a bridge `br-lan` and a wan interface, devices on the LAN, one server beyond.
//!
//! ```text
//!   device 0 ── dev0 ─ port0 ┐
//!   device 1 ── dev1 ─ port1 ┤ br-lan [router] wan ── eth0 [server]
//!   …                        ┘
//! ```
//! The devices live in one namespace and are told apart by interface: every socket of a device is tied to its own,
//! with MAC and addresses of its own, so that hundreds of them cost little. Neighbours are static: no packet waits for ARP.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use glacic::flow::Mac;

use super::Host;

/// The guarded interface.
pub const LAN: &str = "br-lan";
pub const WAN: &str = "wan";
pub const ROUTER_MAC: Mac = Mac([0x02, 0, 0, 0, 0, 0x01]);
pub const ROUTER_LAN_V4: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);
pub const ROUTER_LAN_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, 1);
pub const SERVER_V4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
pub const SERVER_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 2);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    pub const ALL: [Family; 2] = [Family::V4, Family::V6];

    /// The server's address.
    pub fn server(self) -> IpAddr {
        match self {
            Family::V4 => SERVER_V4.into(),
            Family::V6 => SERVER_V6.into(),
        }
    }

    /// The router's address in the LAN.
    pub fn router(self) -> IpAddr {
        match self {
            Family::V4 => ROUTER_LAN_V4.into(),
            Family::V6 => ROUTER_LAN_V6.into(),
        }
    }
}

/// A device of the LAN: its interface and what it is known by.
#[derive(Debug, Clone, Copy)]
pub struct Station {
    pub number: u16,
    pub mac: Mac,
}

impl Station {
    fn new(number: u16) -> Station {
        let [high, low] = number.to_be_bytes();
        Station { number, mac: Mac([0xb8, 0x27, 0xeb, 0x01, high, low]) }
    }

    pub fn interface(self) -> String {
        format!("dev{}", self.number)
    }

    pub fn v4(self) -> Ipv4Addr {
        let [high, low] = (self.number + 0x100).to_be_bytes();
        Ipv4Addr::new(10, 1, high, low)
    }

    pub fn v6(self) -> Ipv6Addr {
        Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 1, self.number)
    }

    pub fn address(self, family: Family) -> IpAddr {
        match family {
            Family::V4 => self.v4().into(),
            Family::V6 => self.v6().into(),
        }
    }
}

pub struct Network {
    pub router: Host,
    /// Where the devices are.
    pub lan: Host,
    pub server: Host,
    pub stations: Vec<Station>,
    /// Files of this test; removed with it.
    directory: Directory,
}

impl Network {
    /// A network with so many devices; nothing filters yet.
    pub fn new(devices: u16) -> Network {
        let (router, lan, server) = (Host::new("router"), Host::new("lan"), Host::new("server"));
        let stations: Vec<Station> = (0..devices).map(Station::new).collect();
        router.sysctl("net/ipv4/ip_forward", "1");
        router.sysctl("net/ipv6/conf/all/forwarding", "1");

        let mut at_router = String::new();
        let mut at_lan = String::new();
        let _ = write!(
            at_router,
            "link add {LAN} address {ROUTER_MAC} type bridge\n\
             link set {LAN} up\n\
             addr add {ROUTER_LAN_V4}/16 dev {LAN}\n\
             addr add {ROUTER_LAN_V6}/64 dev {LAN}\n\
             link add {WAN} address 02:00:00:00:00:02 type veth peer name eth0 address 02:00:00:00:00:03 netns {}\n\
             link set {WAN} up\n\
             addr add 198.51.100.1/24 dev {WAN}\n\
             addr add 2001:db8:2::1/64 dev {WAN}\n\
             neigh add {SERVER_V4} lladdr 02:00:00:00:00:03 dev {WAN} nud permanent\n\
             neigh add {SERVER_V6} lladdr 02:00:00:00:00:03 dev {WAN} nud permanent\n",
            server.path()
        );
        for station in &stations {
            let Station { number, mac } = *station;
            let (v4, v6, path) = (station.v4(), station.v6(), lan.path());
            let _ = write!(
                at_router,
                "link add port{number} type veth peer name dev{number} address {mac} netns {path}\n\
                 link set port{number} master {LAN} up\n\
                 neigh add {v4} lladdr {mac} dev {LAN} nud permanent\n\
                 neigh add {v6} lladdr {mac} dev {LAN} nud permanent\n",
            );
            let metric = 1000 + u32::from(number);
            let _ = write!(
                at_lan,
                "link set dev{number} up\n\
                 addr add {v4}/16 dev dev{number}\n\
                 addr add {v6}/64 dev dev{number}\n\
                 neigh add {ROUTER_LAN_V4} lladdr {ROUTER_MAC} dev dev{number} nud permanent\n\
                 neigh add {ROUTER_LAN_V6} lladdr {ROUTER_MAC} dev dev{number} nud permanent\n\
                 route add default via {ROUTER_LAN_V4} dev dev{number} metric {metric}\n\
                 route add ::/0 via {ROUTER_LAN_V6} dev dev{number} metric {metric}\n",
            );
        }
        router.ip(&at_router);
        lan.ip(&at_lan);
        server.ip(&format!(
            "link set eth0 up\n\
             addr add {SERVER_V4}/24 dev eth0\n\
             addr add {SERVER_V6}/64 dev eth0\n\
             neigh add 198.51.100.1 lladdr 02:00:00:00:00:02 dev eth0 nud permanent\n\
             neigh add 2001:db8:2::1 lladdr 02:00:00:00:00:02 dev eth0 nud permanent\n\
             route add default via 198.51.100.1\n\
             route add ::/0 via 2001:db8:2::1\n"
        ));
        Network { router, lan, server, stations, directory: Directory::new() }
    }

    /// A folder for the test's files.
    pub fn directory(&self) -> &Path {
        &self.directory.0
    }

    pub fn station(&self, number: usize) -> Station {
        self.stations[number]
    }

    /// The server's address with a port.
    pub fn at_server(&self, family: Family, port: u16) -> SocketAddr {
        SocketAddr::new(family.server(), port)
    }
}

/// A folder of one test.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Directory {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("glacic-test-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap_or_else(|fault| panic!("cannot make {}: {fault}", path.display()));
        Directory(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What cannot be removed stays in the folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
