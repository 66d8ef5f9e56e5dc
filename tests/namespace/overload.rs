//! Somebody on the LAN sends from forged addresses, as fast as he can: memory stays bounded, the owner's flows go on,
//! and there is one alert.

use glacic::control::protocol::What;
use glacic::flow::{Mac, Port, Protocol};

use crate::kit::network::Family;
use crate::kit::server::UdpServer;
use crate::kit::traffic::Frames;
use crate::kit::{Daemon, Mode, Network, Placement, eventually, frames, home, queue, settle};

/// Resident memory may grow so much, in KiB, between the small and the large flood.
const GROWTH: u64 = 256;

/// And so much for a device that is let in while the flood goes on, in KiB: one every five seconds, so that on a slow machine
/// it is the time that adds to memory, not the packets.
const A_DEVICE: u64 = 2;

/// Packets of the small flood, and of the large one; `GLACIC_FLOOD` sets the latter.
const SMALL: u32 = 10_000;

fn large() -> u32 {
    // An emulated router takes its time; what it adds is the kernel's own queue, not the number.
    let default = if queue::is_native() { 40_000 } else { 1_000_000 };
    std::env::var("GLACIC_FLOOD").ok().and_then(|number| number.parse().ok()).unwrap_or(default)
}

/// Sends packets with distinct MAC addresses and ports, numbered from `from` to `to`.
fn flood(network: &Network, frames: &Frames, from: u32, to: u32) {
    for number in from..to {
        let [_, a, b, c] = number.to_be_bytes();
        let mac = Mac([0x02, 0x66, 0, a, b, c]);
        // Distinct connections, too: conntrack is not to hide any.
        let source_port = 1024 + (number / 60_000) as u16;
        let port = 5000 + (number % 60_000) as u16;
        frames.send(&frames::udp(mac, network.station(1).v4(), source_port, port, number.into()));
    }
}

/// Resident memory once nothing is under way any more.
fn settled_memory(daemon: &Daemon) -> u64 {
    let mut last = None;
    eventually("the flood is worked off", || {
        let stats = daemon.control.stats();
        let now = (stats.packets, stats.store_queue, stats.firewall_queue);
        let idle = last == Some(now) && now.1 == 0 && now.2 == 0;
        last = Some(now);
        std::thread::sleep(std::time::Duration::from_millis(100));
        idle.then_some(())
    });
    daemon.resident()
}

fn run(mode: Mode, placement: Placement, learning: bool) {
    let what = format!("{mode:?} {placement:?} learning {learning}");
    let (network, fw4, config) = home(2, mode, placement);
    // The server's own answers are not what is tested.
    network.server.nft(
        "table inet quiet {\n\tchain in {\n\t\ttype filter hook prerouting priority raw;\n\
         \t\tudp dport != 4000 drop\n\t}\n}\n",
    );
    let daemon = Daemon::start(&network, &fw4, &config.learning(learning));
    let owner = network.station(0);
    daemon.control.allow(owner.mac, Protocol::UDP, Port::Number(4000));
    daemon.control.decided_in_kernel(1);
    let udp = UdpServer::new(&network.server, 4000);
    let mut events = daemon.control.events();
    let frames = network.frames(network.station(1));

    flood(&network, &frames, 0, SMALL);
    let before = settled_memory(&daemon);
    let devices = daemon.control.status().devices;
    std::thread::scope(|scope| {
        scope.spawn(|| flood(&network, &frames, SMALL, large()));
        for number in 0..10 {
            network.send_udp(owner, network.at_server(Family::V4, 4000), number);
            assert!(udp.gets(number), "{what}: the owner's flow works meanwhile");
        }
    });
    let after = settled_memory(&daemon);
    let devices = daemon.control.status().devices - devices;
    println!("{what}: {before} KiB after {SMALL} packets, {after} KiB and {devices} devices more after {}", large());
    assert!(
        after <= before + GROWTH + devices * A_DEVICE,
        "{what}: grew from {before} KiB to {after} KiB, {devices} devices"
    );

    network.send_udp(owner, network.at_server(Family::V4, 4000), 100);
    assert!(udp.gets(100), "{what}: the owner's flow works afterwards");
    let alerts: Vec<String> = events
        .drain()
        .into_iter()
        .filter_map(|event| match event.what {
            What::Alert { kind, .. } => Some(kind),
            _ => None,
        })
        .collect();
    assert_eq!(alerts.iter().filter(|kind| *kind == "too_many_devices").count(), 1, "{what}: {alerts:?}");
    let mut kinds = alerts.clone();
    kinds.sort();
    kinds.dedup();
    assert_eq!(kinds.len(), alerts.len(), "{what}: no alert twice: {alerts:?}");
    assert!(daemon.control.status().devices <= 1100, "{what}: devices are bounded");
    settle();
    assert_eq!(udp.seen().len(), 11, "{what}: nothing was sent twice");
}

#[test]
fn forged_addresses_in_log_mode() {
    run(Mode::Log, Placement::Guard, true);
}

#[test]
fn forged_addresses_in_queue_mode() {
    run(Mode::Queue, Placement::Fallback, true);
}
