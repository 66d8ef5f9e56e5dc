//! What changes around the daemon while packets flow: its settings, the firewall's ruleset, the guarded interface. What is
//! allowed goes on, what is denied never passes, and what is new is judged as before.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use glacic::control::protocol::What;
use glacic::flow::{Port, Protocol, State};

use crate::kit::network::{Family, LAN, ROUTER_LAN_V4, ROUTER_LAN_V6, ROUTER_MAC};
use crate::kit::server::UdpServer;
use crate::kit::{Daemon, Mode, Network, Placement, eventually, home, queue, settle};

const ALLOWED: u16 = 4000;
const DENIED: u16 = 4002;

fn decide(daemon: &Daemon, network: &Network) {
    let mac = network.station(0).mac;
    daemon.control.allow(mac, Protocol::UDP, Port::Number(ALLOWED));
    daemon.control.deny(mac, Protocol::UDP, Port::Number(DENIED));
    daemon.control.decided_in_kernel(2);
}

/// Sends first packets of an allowed and of a denied flow all the time while something else is done, and says how many of
/// each were sent.
fn under_traffic(network: &Network, servers: &[UdpServer; 2], work: impl FnOnce()) -> u64 {
    let (over, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let number = sent.fetch_add(1, Ordering::Relaxed);
                for port in [ALLOWED, DENIED] {
                    network.send_udp(network.station(0), network.at_server(Family::V4, port), number);
                }
                // A server that is not read for long has no room for more.
                servers.iter().for_each(|server| drop(server.seen()));
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        work();
        over.store(true, Ordering::Relaxed);
    });
    sent.into_inner()
}

/// Each reload changes the ruleset, and is one transaction: no packet meets half of it.
#[test]
fn settings_change_under_traffic_and_no_packet_notices() {
    for placement in Placement::ALL {
        let (network, fw4, config) = home(1, Mode::Log, placement);
        let config = config.learning(false);
        let daemon = Daemon::start(&network, &fw4, &config);
        decide(&daemon, &network);
        let servers = [ALLOWED, DENIED].map(|port| UdpServer::new(&network.server, port));
        let mut events = daemon.control.events();
        let sent = under_traffic(&network, &servers, || {
            for round in 0..6 {
                let other = config.clone().with("guard_input", if round % 2 == 0 { "1" } else { "0" });
                other.with("rate_limit", &format!("{}/minute", 20 + round)).write();
                daemon.signal(libc::SIGHUP);
                events.wait_for("it is taken", |event| event.what == What::ConfigReloaded);
                eventually("the kernel has it", || {
                    (daemon.control.stats().firewall_queue == 0 && daemon.control.status().ruleset).then_some(())
                });
            }
        });
        settle();
        let arrived = servers[0].seen().len() as u64;
        assert_eq!((arrived, servers[1].seen().len()), (sent, 0), "{placement:?}");
        assert!(sent > 20, "{placement:?}: only {sent} packets were sent meanwhile");
    }
}

/// As `fw4 reload` does on every ifup. In fallback, what is allowed goes through an include of fw4's.
#[test]
fn the_firewall_reloads_under_traffic_and_no_packet_notices() {
    for placement in Placement::ALL {
        let (network, fw4, config) = home(1, Mode::Queue, placement);
        let daemon = Daemon::start(&network, &fw4, &config.learning(false));
        decide(&daemon, &network);
        let servers = [ALLOWED, DENIED].map(|port| UdpServer::new(&network.server, port));
        let sent = under_traffic(&network, &servers, || (0..10).for_each(|_| fw4.reload(&network)));
        settle();
        let arrived = servers[0].seen().len() as u64;
        assert_eq!((arrived, servers[1].seen().len()), (sent, 0), "{placement:?}");
        assert!(sent > 10, "{placement:?}: only {sent} packets were sent meanwhile");
    }
}

/// As `service firewall restart` may, and other programs do: every table is gone for a while.
#[test]
fn a_flushed_ruleset_comes_back_with_everything_in_it() {
    for mode in Mode::ALL {
        let (network, fw4, config) = home(1, mode, Placement::Fallback);
        let daemon = Daemon::start(&network, &fw4, &config.learning(false));
        decide(&daemon, &network);
        let servers = [ALLOWED, DENIED].map(|port| UdpServer::new(&network.server, port));
        for round in 1..=3 {
            network.router.nft("flush ruleset\n");
            if mode == Mode::Queue && daemon.config.way_round {
                queue::install_way_round(&network.router);
            }
            fw4.restart(&network);
            eventually("decisions are in force again", || {
                network.send_udp(network.station(0), network.at_server(Family::V4, ALLOWED), round);
                servers[0].has(round).then_some(())
            });
            network.send_udp(network.station(0), network.at_server(Family::V4, DENIED), round);
            settle();
            assert!(!servers[1].has(round), "{mode:?}, round {round}");
        }
    }
}

#[test]
fn a_guarded_interface_comes_and_goes() {
    for mode in Mode::ALL {
        let (network, fw4, config) = home(1, mode, Placement::Guard);
        // At a cold boot the daemon may be there before the bridge.
        take_away(&network);
        let daemon = Daemon::start(&network, &fw4, &config.learning(false));
        let station = network.station(0);
        let servers = [ALLOWED, 4001].map(|port| UdpServer::new(&network.server, port));
        daemon.control.allow(station.mac, Protocol::UDP, Port::Number(ALLOWED));
        for round in 1..=3 {
            bring_back(&network);
            eventually("what is allowed passes", || {
                network.send_udp(station, network.at_server(Family::V4, ALLOWED), round);
                servers[0].has(round).then_some(())
            });
            network.send_udp(station, network.at_server(Family::V4, 4001), round);
            settle();
            assert!(!servers[1].has(round), "{mode:?}, round {round}: what is unknown does not");
            daemon.control.reaches(station.mac, Protocol::UDP, 4001, State::Pending);
            take_away(&network);
        }
    }
}

fn take_away(network: &Network) {
    network.router.ip(&format!("link del {LAN}\n"));
}

fn bring_back(network: &Network) {
    let station = network.station(0);
    let (v4, v6, mac) = (station.v4(), station.v6(), station.mac);
    network.router.ip(&format!(
        "link add {LAN} address {ROUTER_MAC} type bridge\nlink set port0 master {LAN}\nlink set {LAN} up\n\
         addr add {ROUTER_LAN_V4}/16 dev {LAN}\naddr add {ROUTER_LAN_V6}/64 dev {LAN}\n\
         neigh add {v4} lladdr {mac} dev {LAN} nud permanent\nneigh add {v6} lladdr {mac} dev {LAN} nud permanent\n"
    ));
}
