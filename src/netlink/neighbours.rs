//! Which addresses a device has, and which networks lie behind it (linux/rtnetlink.h, linux/neighbour.h): who answers the
//! router's own packets is whose packets the router's answers go to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::attributes::{Attribute, Message};
use super::exchange::Exchange;
use super::message::{Builder, DUMP, Header, REQUEST};
use super::{Error, Family};
use crate::flow::Mac;

/// `RTM_*`.
const NEW_ROUTE: u16 = 24;
const GET_ROUTE: u16 = 26;
const NEW_NEIGHBOUR: u16 = 28;
const GET_NEIGHBOUR: u16 = 30;
/// Bytes of `struct rtmsg` (family, lengths of destination and source, service, table, protocol, scope, type, flags), and of
/// `struct ndmsg`.
const ROUTE_HEADER: usize = 12;
const NEIGHBOUR_HEADER: usize = 12;
/// `NDA_DST`, `NDA_LLADDR`, `RTA_DST`, `RTA_GATEWAY`.
const ADDRESS: u16 = 1;
const HARDWARE_ADDRESS: u16 = 2;
const DESTINATION: u16 = 1;
const GATEWAY: u16 = 5;

/// What the kernel knows of the devices around.
#[derive(Debug)]
pub struct Neighbours {
    exchange: Exchange,
}

/// Whose packets a device may send.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// The addresses the neighbour table has for it.
    pub addresses: Vec<IpAddr>,
    /// Those it has for others.
    pub taken: Vec<IpAddr>,
    /// Networks whose route leads to one of these. Never everything there is: that is the way out.
    pub networks: Vec<IpNet>,
}

impl Neighbours {
    pub fn open() -> Result<Neighbours, Error> {
        Ok(Neighbours { exchange: Exchange::open(Family::Route)? })
    }

    pub fn reach_of(&mut self, mac: Mac) -> Result<Reach, Error> {
        let mut reach = Reach::default();
        let list = |kind, header: &'static [u8]| {
            move |builder: &mut Builder, sequence| {
                builder.message(Header { kind, flags: REQUEST | DUMP, sequence }, header, |_| ());
            }
        };
        self.exchange.ask("list neighbours", list(GET_NEIGHBOUR, &[0; NEIGHBOUR_HEADER]), |message| {
            let Some((known, address)) = neighbour(&message) else { return };
            if known == mac { reach.addresses.push(address) } else { reach.taken.push(address) }
        })?;
        if !reach.addresses.is_empty() {
            let Reach { addresses, networks, .. } = &mut reach;
            self.exchange.ask("list routes", list(GET_ROUTE, &[0; ROUTE_HEADER]), |message| {
                let behind = route(&message).filter(|(_, gateway)| addresses.contains(gateway));
                networks.extend(behind.map(|(network, _)| network));
            })?;
        }
        Ok(reach)
    }
}

/// A device's address, as the neighbour table has it; `None` where one of the two is missing.
pub fn neighbour(message: &Message<'_>) -> Option<(Mac, IpAddr)> {
    if message.kind != NEW_NEIGHBOUR {
        return None;
    }
    let attributes = message.attributes(NEIGHBOUR_HEADER);
    let mac = attributes.find(HARDWARE_ADDRESS)?;
    let mac = Mac(<[u8; 6]>::try_from(mac.value).ok()?);
    Some((mac, address(message.family()?, &attributes.find(ADDRESS)?)?))
}

/// A network and the gateway to it; `None` for what is directly there, and for the way to everything.
pub fn route(message: &Message<'_>) -> Option<(IpNet, IpAddr)> {
    if message.kind != NEW_ROUTE {
        return None;
    }
    let (family, length) = (message.family()?, *message.body.get(1)?);
    let attributes = message.attributes(ROUTE_HEADER);
    let network = IpNet::new(address(family, &attributes.find(DESTINATION)?)?, length).ok()?;
    let gateway = address(family, &attributes.find(GATEWAY)?)?;
    (network.prefix_len() > 0).then_some((network, gateway))
}

fn address(family: u8, attribute: &Attribute<'_>) -> Option<IpAddr> {
    match libc::c_int::from(family) {
        libc::AF_INET => Some(Ipv4Addr::from(attribute.array::<4>()?).into()),
        libc::AF_INET6 => Some(Ipv6Addr::from(attribute.array::<16>()?).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::namespace::{Namespace, run};

    #[test]
    fn a_devices_addresses_and_what_lies_behind_it_are_found() {
        let Some((router, _client)) = Namespace::router_and_client() else { return };
        router.run(|| {
            run("ip neigh add 10.9.0.77 lladdr 02:00:00:00:00:77 dev lan0");
            run("ip neigh add fd09::77 lladdr 02:00:00:00:00:77 dev lan0");
            run("ip neigh add 10.9.0.78 lladdr 02:00:00:00:00:78 dev lan0");
            run("ip route add 10.77.0.0/16 via 10.9.0.77");
            run("ip route add 10.78.0.0/16 via 10.9.0.78");
            run("ip route add default via 10.9.0.77");
            run("ip -6 route add fd77::/48 via fd09::77");
            let of = |number| Neighbours::open().unwrap().reach_of(Mac([2, 0, 0, 0, 0, number])).unwrap();
            let mut reach = of(0x77);
            reach.addresses.sort();
            reach.networks.sort();
            let addresses = ["10.9.0.77", "fd09::77"].map(|address| address.parse().unwrap()).to_vec();
            let networks = ["10.77.0.0/16", "fd77::/48"].map(|network| network.parse().unwrap()).to_vec();
            assert!(reach.taken.contains(&"10.9.0.78".parse().unwrap()));
            assert_eq!(reach, Reach { addresses, networks, taken: reach.taken.clone() });
            assert_eq!(of(0x79), Reach { taken: of(0x79).taken, ..Reach::default() });
        });
    }
}
