//! The daemon's life: signals, configuration, other programs in the kernel's tables, and who follows its events.

use std::time::Duration;

use glacic::control::protocol::{WarningCode, What};
use glacic::flow::{Port, Protocol, State};

use crate::kit::network::Family;
use crate::kit::server::{TcpServer, UdpServer};
use crate::kit::traffic::echoes;
use crate::kit::wait::limit;
use crate::kit::{Daemon, Mode, NEGATIVE, Placement, eventually, home, queue, settle};

#[test]
fn a_denial_cuts_what_runs() {
    for mode in Mode::ALL {
        for placement in Placement::ALL {
            let (network, fw4, config) = home(1, mode, placement);
            let daemon = Daemon::start(&network, &fw4, &config.learning(true));
            let station = network.station(0);
            TcpServer::new(&network.server, 4000).echo();
            let mut streams = Family::ALL.map(|family| {
                let connection = network.connect(station, network.at_server(family, 4000));
                assert!(connection.connected().is_some(), "{mode:?} {placement:?} {family:?}");
                connection.into_stream()
            });
            assert!(streams.iter_mut().all(|stream| echoes(stream, b"before")), "{mode:?} {placement:?}");
            daemon.control.deny(station.mac, Protocol::TCP, Port::Number(4000));
            for stream in &mut streams {
                stream.set_read_timeout(Some(NEGATIVE)).expect("a stream takes a time limit");
                assert!(!echoes(stream, b"after"), "{mode:?} {placement:?}");
            }
        }
    }
}

#[test]
fn a_table_that_somebody_removes_is_put_back() {
    let (network, fw4, config) = home(1, Mode::Log, Placement::Guard);
    let daemon = Daemon::start(&network, &fw4, &config.learning(false));
    let udp = [4000, 4001].map(|port| UdpServer::new(&network.server, port));
    let station = network.station(0);
    daemon.control.allow(station.mac, Protocol::UDP, Port::Number(4000));
    daemon.control.decided_in_kernel(1);
    let mut events = daemon.control.events();

    network.router.must("nft", &["flush", "ruleset"], "");
    fw4.restart(&network);
    events.wait_for("it says so", |event| matches!(&event.what, What::Alert { kind, .. } if kind == "ruleset"));
    eventually("the table is back", || {
        let listing = network.router.output("nft", &["list", "chain", "inet", "glacic", "forward"], "");
        let hooked = String::from_utf8_lossy(&listing.stdout).contains("hook forward");
        (hooked && daemon.control.status().ruleset).then_some(())
    });
    for port in [4000, 4001] {
        network.send_udp(station, network.at_server(Family::V4, port), 1);
    }
    assert!(udp[0].gets(1), "decisions are back, too");
    daemon.control.reaches(station.mac, Protocol::UDP, 4001, State::Pending);
    settle();
    assert_eq!(udp[1].seen(), []);
}

#[test]
fn a_bad_configuration_is_reported_and_the_running_one_kept() {
    let (network, fw4, config) = home(1, Mode::Log, Placement::Guard);
    let mut daemon = Daemon::start(&network, &fw4, &config);
    assert_eq!(daemon.control.status().fail_mode, "open");
    let mut events = daemon.control.events();

    config.write_text("config rule_learning 'main'\n\toption enabled '1'\n\toption fail_mode 'ajar'\n");
    daemon.signal(libc::SIGHUP);
    let event = events.wait_for("it is refused", |event| matches!(event.what, What::ConfigRefused { .. }));
    let What::ConfigRefused { message } = event.what else { unreachable!("it was waited for") };
    assert!(message.contains("fail_mode") && message.contains('3'), "names option and line: {message}");
    assert!(daemon.runs());
    let status = daemon.control.status();
    assert_eq!((status.fail_mode.as_str(), status.ruleset), ("open", true));

    config.with("fail_mode", "closed").write();
    daemon.signal(libc::SIGHUP);
    events.wait_for("a good one is taken", |event| event.what == What::ConfigReloaded);
    eventually("it is applied", || (daemon.control.status().fail_mode == "closed").then_some(()));
}

#[test]
fn it_leaves_within_a_second() {
    for mode in Mode::ALL {
        let (network, fw4, config) = home(1, mode, Placement::Guard);
        let daemon = Daemon::start(&network, &fw4, &config.learning(true));
        // Somebody who listens does not keep it.
        let _events = daemon.control.events();
        network.send_udp(network.station(0), network.at_server(Family::V4, 4000), 1);
        daemon.control.reaches(network.station(0).mac, Protocol::UDP, 4000, State::Allowed);
        let (status, took) = daemon.stop();
        assert!(status.success(), "{mode:?}: {status}");
        assert!(took < limit(Duration::from_secs(1)), "{mode:?}: took {took:?}");
    }
}

#[test]
fn what_it_learned_outlives_an_orderly_stop() {
    let (network, fw4, config) = home(1, Mode::Log, Placement::Guard);
    let config = config.learning(true);
    let station = network.station(0);
    let daemon = Daemon::start(&network, &fw4, &config);
    network.send_udp(station, network.at_server(Family::V4, 4000), 1);
    daemon.control.reaches(station.mac, Protocol::UDP, 4000, State::Allowed);
    let before = daemon.control.flows_of(station.mac);
    daemon.stop();
    let daemon = Daemon::start(&network, &fw4, &config);
    let after = daemon.control.flows_of(station.mac);
    assert_eq!((after.len(), after[0].id, after[0].state), (1, before[0].id, State::Allowed));
}

#[test]
fn without_queue_in_the_kernel_it_goes_on_in_log_mode() {
    if queue::is_native() {
        return;
    }
    let (network, fw4, mut config) = home(1, Mode::Queue, Placement::Guard);
    config.way_round = false;
    let daemon = Daemon::start(&network, &fw4, &config.learning(true));
    let status = eventually("it has fallen back", || Some(daemon.control.status()).filter(|s| s.mode == "log"));
    assert!(
        status
            .warnings
            .iter()
            .any(|warning| warning.code == WarningCode::ModuleMissing && warning.message.contains("kmod-nft-queue")),
        "it names the remedy: {:?}",
        status.warnings
    );
    network.send_udp(network.station(0), network.at_server(Family::V4, 4000), 1);
    daemon.control.reaches(network.station(0).mac, Protocol::UDP, 4000, State::Allowed);
}

#[test]
fn events_tell_what_happens() {
    let (network, fw4, config) = home(1, Mode::Log, Placement::Guard);
    let daemon = Daemon::start(&network, &fw4, &config.learning(false));
    let station = network.station(0);
    let (mut one, mut other) = (daemon.control.events(), daemon.control.events());
    network.send_udp(station, network.at_server(Family::V4, 4000), 1);
    for events in [&mut one, &mut other] {
        events.wait_for(
            "the new device",
            |event| matches!(event.what, What::DeviceNew { mac, .. } if mac == station.mac),
        );
        let event = events.wait_for("the new flow", |event| matches!(event.what, What::FlowNew { .. }));
        let What::FlowNew { flow } = event.what else { unreachable!("it was waited for") };
        assert_eq!(
            (flow.mac, flow.proto, flow.port, flow.state),
            (station.mac, Protocol::UDP, Port::Number(4000), State::Pending)
        );
    }
    daemon.control.allow(station.mac, Protocol::UDP, Port::Number(4000));
    one.wait_for(
        "the decision",
        |event| matches!(&event.what, What::FlowChanged { flow } if flow.state == State::Allowed && flow.mac == station.mac),
    );
    daemon.control.learning(true);
    one.wait_for("the new mode", |event| event.what == What::LearningChanged { learning: true });
}

#[test]
fn the_queue_is_set_up_as_promised() {
    let (network, fw4, config) = home(1, Mode::Queue, Placement::Guard);
    let _daemon = Daemon::start(&network, &fw4, &config);
    let counters = queue::counters(&network.router, queue::QUEUE).expect("somebody reads the queue");
    assert_eq!((counters.waiting, counters.dropped, counters.user_dropped), (0, 0, 0));
    assert!(counters.copy_range >= 128, "headers fit: {}", counters.copy_range);
}
