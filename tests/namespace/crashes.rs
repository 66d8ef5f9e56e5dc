//! kill -9 at random moments under traffic: the database opens each time, no decision of the owner is missing and no
//! learned flow that is older than ten seconds; and meanwhile the kernel goes on with what was decided.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::path::Path;
use std::time::{Duration, Instant};

use glacic::control::protocol::WarningCode;
use glacic::flow::query::Filter;
use glacic::flow::{Port, Protocol, State};

use crate::kit::network::Family;
use crate::kit::server::UdpServer;
use crate::kit::{Daemon, Mode, Placement, home, queue, settle};

/// The age from which a learned flow must survive.
const SAFE: Duration = Duration::from_secs(10);

/// So many lives; every so many of them lasts long enough for learned flows to become safe.
fn lives() -> u16 {
    if queue::is_native() { 10 } else { 50 }
}
const LONG_LIFE_EVERY: u16 = 17;

/// Up to half a second. Randomness makes the test find more over time; what it needs is in its messages.
fn random_pause() -> Duration {
    Duration::from_millis(RandomState::new().hash_one(Instant::now()) % 500)
}

/// What a power cut can leave of a database: SQLite's log, which would mend it, is gone as well.
fn damage(database: &Path) {
    std::fs::write(database, "what is left of it").expect("the test's folder can be written");
    std::fs::remove_file(database.with_extension("db-wal")).expect("a killed daemon leaves the log of its database");
}

/// A power cut hit the database of a house that had learned enough, right after it was told so; and then another.
#[test]
fn a_house_that_was_told_to_enforce_does_so_also_with_a_damaged_database() {
    let (network, fw4, config) = home(1, Mode::Log, Placement::Guard);
    let config = config.learning(true);
    let (station, udp) = (network.station(0), UdpServer::new(&network.server, 4000));
    let daemon = Daemon::start(&network, &fw4, &config);
    daemon.control.learning(false);
    daemon.control.deny(station.mac, Protocol::UDP, Port::Number(4000));
    daemon.kill();
    damage(&config.database);

    Daemon::start(&network, &fw4, &config).kill();
    let daemon = Daemon::start(&network, &fw4, &config);
    assert!(!daemon.control.status().learning, "the word holds also where nothing else was ever written");
    daemon.kill();
    damage(&config.database);

    let daemon = Daemon::start(&network, &fw4, &config);
    let status = daemon.control.status();
    assert!(!status.learning, "{status:?}");
    let told = status.warnings.iter().find(|warning| warning.code == WarningCode::DatabaseMoved);
    assert!(told.is_some_and(|warning| warning.message.contains("learning is off")), "{:?}", status.warnings);
    network.send_udp(station, network.at_server(Family::V4, 4000), 1);
    daemon.control.reaches(station.mac, Protocol::UDP, 4000, State::Pending);
    settle();
    assert!(!udp.has(1), "what was denied is not trusted anew");
}

#[test]
fn nothing_is_lost_that_was_promised() {
    const ALWAYS: u16 = 4000;
    const NEVER: u16 = 4001;
    let (network, fw4, config) = home(1, Mode::Log, Placement::Guard);
    let config = config.learning(true).with("rate_limit", "1000/second");
    let station = network.station(0);
    let servers = [ALWAYS, NEVER].map(|port| UdpServer::new(&network.server, port));
    let mut promised: HashMap<u16, State> = HashMap::new();
    let mut next_port = 10_000;

    for life in 1..=lives() {
        let daemon = Daemon::start(&network, &fw4, &config);
        let status = daemon.control.status();
        assert_eq!((status.database.trouble, status.database.moved_aside), (None, None), "life {life}");
        let listed = |daemon: &Daemon| -> HashMap<u16, State> {
            let page = daemon.control.flows(Filter::default());
            assert_eq!(page.total, page.flows.len() as u64, "all flows fit on one page");
            page.flows.iter().filter_map(|flow| Some((flow.port.number()?, flow.state))).collect()
        };
        let kept = listed(&daemon);
        for (port, state) in &promised {
            assert_eq!(kept.get(port), Some(state), "life {life}: port {port}");
        }
        // What a restart has found lies in the database.
        promised.extend(kept);

        // New flows and decisions of the owner, until the end comes.
        if life == 1 {
            daemon.control.allow(station.mac, Protocol::UDP, Port::Number(ALWAYS));
            daemon.control.deny(station.mac, Protocol::UDP, Port::Number(NEVER));
            promised.extend([(ALWAYS, State::Allowed), (NEVER, State::Denied)]);
        }
        let mut seen: HashMap<u16, Instant> = HashMap::new();
        let long = life % LONG_LIFE_EVERY == 0;
        let end = Instant::now() + random_pause() + if long { SAFE + Duration::from_secs(1) } else { Duration::ZERO };
        let mut talks_until = Instant::now() + Duration::from_millis(300);
        let mut talked = 0;
        while Instant::now() < end || talked == 0 {
            if Instant::now() < talks_until && talked < 5 {
                let port = next_port;
                next_port += 1;
                talked += 1;
                network.send_udp(station, network.at_server(Family::V4, port), 0);
                if talked % 2 == 0 {
                    let decided = next_port;
                    next_port += 1;
                    daemon.control.deny(station.mac, Protocol::UDP, Port::Number(decided));
                    promised.insert(decided, State::Denied);
                }
            } else {
                talks_until = Instant::now();
            }
            for port in listed(&daemon).into_keys() {
                seen.entry(port).or_insert_with(Instant::now);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        daemon.kill();
        let killed = Instant::now();
        let old = seen.into_iter().filter(|(_, at)| killed - *at > SAFE + Duration::from_millis(500));
        for (port, _) in old {
            promised.entry(port).or_insert(State::Allowed);
        }
        // Nobody is there, and what was decided still holds.
        for port in [ALWAYS, NEVER] {
            network.send_udp(station, network.at_server(Family::V4, port), life.into());
        }
        assert!(servers[0].gets(life.into()), "life {life}: allowed flows pass without a daemon");
    }
    settle();
    assert_eq!(servers[1].seen(), [], "denied flows never passed");
}
