//! What is said about settings that could each be read.

use crate::config::read;
use crate::config::tests::{about, main, said};

/// Well-formed values that are wrong together: the lines, and what is said of the first of them.
#[test]
fn what_does_not_fit_together() {
    for (lines, expected) in [
        ("option enabled 1", "option enabled '1': nothing is guarded; add a line such as \"list zone 'lan'\""),
        ("option names_group 100", "option names_group '100': log_group and names_group must differ"),
        ("option log_group 101", "option log_group '101': log_group and names_group must differ"),
        (
            "option log_group 65535\noption queues 2",
            "option log_group '65535': the last of 2 queues would be beyond 65535",
        ),
        (
            "option max_flows_per_device 500\noption max_flows 400",
            "option max_flows_per_device: one device could learn 500 flows, but all together only 400",
        ),
        ("option max_flows 400", "option max_flows: one device could learn 500 flows, but all together only 400"),
    ] {
        let outcome = read(main(lines).as_bytes(), "f");
        assert_eq!(outcome.settings, None, "{lines}");
        assert!(said(lines).contains(&expected.to_owned()), "{lines}: {:?}", said(lines));
    }
}

/// Allowed, but the owner should know: the lines, and how what is said of the first of them begins.
#[test]
fn what_is_unwise_or_without_effect() {
    for (lines, expected) in [
        (
            "list zone lan\nlist zone wan",
            "3:12: warning: list zone 'wan': behind an uplink all the Internet is one device",
        ),
        ("option interface 'br-lan pppoe-wan'", "2:19: warning: list interface 'pppoe-wan': it has no MAC addresses"),
        ("option log_group 0", "2:9: warning: option log_group '0': group 0 is where other loggers listen"),
        ("option cache_size 500000", "2:9: warning: option cache_size '500000': takes about 50 MB of memory"),
        ("option hold 2s", "2:9: warning: option hold '2s': without effect, log mode has no packets to hold"),
        (
            "option hold 2s\noption inline_mode auto",
            "2:9: warning: option hold '2s': without effect, inline_mode 'auto'",
        ),
        (
            "option fail_mode closed",
            "2:9: warning: option fail_mode 'closed': without effect while learning in log mode",
        ),
        (
            "option anti_lockout 0\noption guard_input 1",
            "2:9: warning: option anti_lockout '0': with guard_input '1' an undecided or denied device cannot reach SSH",
        ),
        (
            "option learning_period 14d\noption learning_mode 0",
            "2:9: note: option learning_period '14d': without effect while learning_mode is '0'",
        ),
        ("option learning_period 14", "2:9: warning: option learning_period '14s': hardly anything is learned"),
        ("option flush_interval 5m", "2:9: warning: option flush_interval '5m': writing this often wears out flash"),
        ("option mark 0x1", "2:9: note: option mark '0x00000001': without effect in guard placement"),
        (
            "option mark 0x100\noption placement fallback",
            "2:9: warning: option mark '0x00000100': overlaps 0x00003f00, which belongs to mwan3",
        ),
        ("option database /tmp/flows.db", "2:9: warning: option database '/tmp/flows.db': this is memory on OpenWrt"),
        (
            "list ignore_network 10.0.0.1/8",
            "2:22: warning: list ignore_network '10.0.0.1/8': has bits beyond its prefix: 10.0.0.0/8",
        ),
        ("list ignore_network ::/0", "2:22: warning: list ignore_network '::/0': is every destination there is"),
        (
            "option names 0\noption reverse_dns 1",
            "3:9: note: option reverse_dns '1': without effect while names is '0'",
        ),
    ] {
        assert!(
            about(&main(lines)).iter().any(|line| line.starts_with(expected)),
            "{lines}: {:?}",
            about(&main(lines))
        );
        assert!(read(main(lines).as_bytes(), "f").settings.is_some(), "{lines} is no error");
    }
}

#[test]
fn and_what_is_neither_is_not_mentioned() {
    for lines in [
        "option hold 2s\noption inline_mode 1",
        "option fail_mode closed\noption inline_mode 1",
        "option fail_mode closed\noption learning_mode 0",
        "option fail_mode closed\noption placement fallback",
        "option anti_lockout 0",
        "option learning_period 14d",
        "option flush_interval 5m\noption database /mnt/usb/flows.db",
        "option mark 0x80000000\noption placement fallback",
        "option enabled 1\nlist interface br-lan",
        "list interface gretap1",
    ] {
        let expected: &[&str] = if lines.contains("5m") { &["2:9: warning"] } else { &[] };
        let told = about(&main(lines));
        assert_eq!(told.len(), expected.len(), "{lines}: {told:?}");
    }
}

#[test]
fn what_does_nothing_yet_is_said_only_when_asked_for() {
    for (line, asked) in [
        ("option scope destination", true),
        ("option scope service", false),
        ("option queues 2", true),
        ("option queues 1", false),
        ("option names_group 99", true),
        ("option names_group 101", false),
        ("option reverse_dns on", true),
        ("option names 1", false),
        ("option names 0", false),
    ] {
        let expected = format!("2:9: note: {} is accepted but does nothing yet", quoted_value(line));
        let said = about(&main(line));
        assert_eq!(said, if asked { vec![expected] } else { vec![] }, "{line}");
    }
    let device = main("") + "config device\n\toption mac b8:27:eb:00:00:01\n\toption scope destination\n";
    assert_eq!(about(&device), ["5:9: note: option scope 'destination' is accepted but does nothing yet"]);
}

/// `option a b` with the value between quotes.
fn quoted_value(line: &str) -> String {
    let (name, value) = line.rsplit_once(' ').unwrap();
    format!("{name} '{value}'")
}

#[test]
fn devices_that_are_hard_to_tell_apart() {
    let text = main("")
        + "config device\n\toption mac b8:27:eb:00:00:01\n\toption name tv\n\
           config device\n\toption mac b8:27:eb:00:00:02\n\toption name TV\n\
           config device\n\toption mac 02:27:eb:00:00:02\n";
    let told = about(&text);
    assert_eq!(told[0], "8:9: warning: option name 'TV': b8:27:eb:00:00:01 has this name too, so it names neither");
    assert!(told[1].starts_with("10:9: note: option mac '02:27:eb:00:00:02': locally administered"), "{told:?}");
}
