//! What the owner is told about a file, and what a file comes to.

use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;

use super::options::MAIN;
use super::settings::{Baseline, DenyWith, FailMode, Inline, Placement, Rate, Scope};
use super::*;
use crate::flow::{DeviceMode, Mac, Port, Protocol};

const MAC: Mac = Mac([0xb8, 0x27, 0xeb, 0, 0, 1]);

/// What is said about a file.
pub(super) fn about(text: &str) -> Vec<String> {
    read(text.as_bytes(), "f").lines().map(|line| line.strip_prefix("f:").unwrap().to_owned()).collect()
}

/// What is said about these lines within the main section, by line of theirs; tabs before them are added.
pub(super) fn said(lines: &str) -> Vec<String> {
    about(&main(lines)).into_iter().map(|line| line.replacen("2:9: ", "", 1)).collect()
}

pub(super) fn main(lines: &str) -> String {
    format!("config rule_learning 'main'\n\t{}\n", lines.replace('\n', "\n\t"))
}

fn settings(text: &str) -> Settings {
    let outcome = read(text.as_bytes(), "f");
    outcome.settings.unwrap_or_else(|| panic!("{:#?}", outcome.problems))
}

#[test]
fn an_empty_section_means_the_defaults() {
    assert_eq!(settings(&main("")), Settings::default());
    assert_eq!(about(&main("")), [""; 0]);
}

#[test]
fn the_shipped_file_is_the_defaults_for_the_lan() {
    let shipped = include_bytes!("../../openwrt/glacic/files/glacic.config");
    let outcome = read(shipped, "glacic.config");
    assert_eq!(outcome.problems, []);
    assert_eq!(outcome.settings, Some(Settings { zones: vec!["lan".to_owned()], ..Settings::default() }));
    let tree = uci::read(shipped).unwrap();
    for option in options().iter().filter(|option| option.section == "rule_learning" && option.name != "interface") {
        assert!(tree.sections[0].entry(option.name).is_some(), "{} is not in it", option.name);
    }
}

#[test]
fn the_commented_examples_of_the_shipped_file_are_right() {
    let shipped = include_str!("../../openwrt/glacic/files/glacic.config");
    let all = shipped.replace("\n#config", "\nconfig").replace("\n#\t", "\n\t");
    let settings = settings(&all);
    assert_eq!((settings.devices.len(), settings.baseline.len()), (1, 1));
}

/// Every field other than it is by default.
fn scrambled() -> Settings {
    Settings {
        enabled: true,
        learning: false,
        inline: Inline::Auto,
        log_group: 7,
        names_group: 8,
        queues: 9,
        placement: Placement::Fallback,
        zones: Vec::new(),
        interfaces: Vec::new(),
        guard_input: true,
        anti_lockout: false,
        fail_mode: FailMode::Closed,
        deny_with: DenyWith::Reject,
        scope: Scope::Destination,
        learning_period: Some(Duration::from_secs(1)),
        hold: Some(Duration::from_secs(1)),
        mark: 1,
        cache_size: 1,
        max_flows: 2,
        max_flows_per_device: 3,
        retention: Duration::from_secs(1),
        rate_limit: Rate { count: 1, per: Duration::from_secs(1) },
        ignore_networks: Vec::new(),
        database: PathBuf::from("/x"),
        flush_interval: Duration::from_secs(1),
        names: false,
        reverse_dns: true,
        devices: Vec::new(),
        baseline: Vec::new(),
    }
}

#[test]
fn the_table_and_the_settings_have_the_same_defaults() {
    let mut settings = scrambled();
    for row in MAIN.iter().filter(|row| !row.default.is_empty()) {
        let line = |value: &&str| format!("{} {} '{value}'", if row.is_list() { "list" } else { "option" }, row.name);
        let lines: Vec<_> = row.default.iter().map(line).collect();
        let tree = uci::read(main(&lines.join("\n")).as_bytes()).unwrap();
        let faults = assign::assign(row, tree.sections[0].entry(row.name).unwrap(), &mut settings);
        assert!(faults.is_empty(), "{} {}", row.name, faults[0].message);
    }
    assert_eq!(settings, Settings::default());
}

#[test]
fn the_table_describes_each_option_once() {
    let mut seen = std::collections::HashSet::new();
    for option in options() {
        assert!(seen.insert((option.section, option.name)), "{} twice", option.name);
        assert!(
            !option.help.is_empty() && !option.help.ends_with('.') && !option.help.contains('\n'),
            "{}",
            option.name
        );
        assert!(!option.shape.to_string().is_empty());
        assert!(option.list || option.default.len() <= 1, "{}", option.name);
    }
}

#[test]
fn every_option_is_read() {
    let text = "config rule_learning\n\
        option enabled yes\n option learning_mode off\n option inline_mode auto\n option log_group 200\n\
        option names_group 300\n option queues 4\n option placement fallback\n list zone lan\n list zone guest\n\
        option interface 'br-iot br-cam'\n option guard_input 1\n option anti_lockout 0\n option fail_mode closed\n\
        option deny_with reject\n option scope destination\n option learning_period 14d\n option hold 2s\n\
        option mark 0x80000000\n option cache_size 5000\n option max_flows 6000\n option max_flows_per_device 70\n\
        option retention_days 8\n option rate_limit 9/hour\n list ignore_network 10.0.0.0/8\n list ignore_network fd00::1\n\
        option database /srv/flows.db\n option flush_interval 1h\n option names 0\n option reverse_dns true\n\
        config device\n option mac B8-27-EB-00-00-01\n option name Kamera\n option mode enforce\n option scope service\n\
        config device\n option mac b8:27:eb:00:00:02\n\
        config baseline\n option proto udp\n option port 123\n\
        config baseline\n option proto icmp\n\
        config baseline\n option proto ICMPv6\n option port 128\n\
        config baseline\n option proto gre\n\
        config baseline\n option proto tcp\n option port any\n";
    let device = |mac| settings::Device { mac, name: None, mode: DeviceMode::Default, scope: None };
    let camera = settings::Device {
        name: Some("Kamera".to_owned()),
        mode: DeviceMode::Enforce,
        scope: Some(Scope::Service),
        ..device(MAC)
    };
    let baseline = |protocol, port| Baseline { protocol, port };
    let expected = Settings {
        enabled: true,
        learning: false,
        inline: Inline::Auto,
        log_group: 200,
        names_group: 300,
        queues: 4,
        placement: Placement::Fallback,
        zones: vec!["lan".to_owned(), "guest".to_owned()],
        interfaces: vec!["br-iot".to_owned(), "br-cam".to_owned()],
        guard_input: true,
        anti_lockout: false,
        fail_mode: FailMode::Closed,
        deny_with: DenyWith::Reject,
        scope: Scope::Destination,
        learning_period: Some(Duration::from_secs(14 * 86_400)),
        hold: Some(Duration::from_secs(2)),
        mark: 0x8000_0000,
        cache_size: 5000,
        max_flows: 6000,
        max_flows_per_device: 70,
        retention: Duration::from_secs(8 * 86_400),
        rate_limit: Rate { count: 9, per: Duration::from_secs(3600) },
        ignore_networks: vec!["10.0.0.0/8".parse().unwrap(), "fd00::1/128".parse().unwrap()],
        database: PathBuf::from("/srv/flows.db"),
        flush_interval: Duration::from_secs(3600),
        names: false,
        reverse_dns: true,
        devices: vec![camera, device(Mac([0xb8, 0x27, 0xeb, 0, 0, 2]))],
        baseline: vec![
            baseline(Protocol::UDP, Port::Number(123)),
            baseline(Protocol::ICMP, Port::Any),
            baseline(Protocol::ICMPV6, Port::Number(128)),
            baseline(Protocol(47), Port::Number(0)),
            baseline(Protocol::TCP, Port::Any),
        ],
    };
    assert_eq!(settings(text), expected);
}

#[test]
fn a_bad_value_is_named_with_what_is_allowed() {
    let duration = "expected a duration such as 30s, 15m, 24h or 14d, from";
    for (line, message) in [
        ("option placement 'gaurd'", "option placement 'gaurd': expected guard or fallback".to_owned()),
        ("option enabled 'maybe'", "option enabled 'maybe': expected 0 or 1".to_owned()),
        ("option inline_mode '2'", "option inline_mode '2': expected 0, 1 or auto".to_owned()),
        ("option queues '0'", "option queues '0': expected a number from 1 to 16".to_owned()),
        ("option queues '17'", "option queues '17': expected a number from 1 to 16".to_owned()),
        ("option queues '-1'", "option queues '-1': expected a number from 1 to 16".to_owned()),
        ("option log_group '65536'", "option log_group '65536': expected a number from 0 to 65535".to_owned()),
        ("option mark '0'", "option mark '0': expected bits of the packet mark such as 0x01000000, not 0".to_owned()),
        ("option cache_size '99'", "option cache_size '99': expected a number from 100 to 1000000".to_owned()),
        ("option max_flows '1e4'", "option max_flows '1e4': expected a number from 100 to 100000".to_owned()),
        ("option retention_days '0'", "option retention_days '0': expected a number from 1 to 3650".to_owned()),
        ("option hold '31s'", format!("option hold '31s': {duration} 1s to 30s, or 0 for none")),
        ("option flush_interval '0'", format!("option flush_interval '0': {duration} 1m to 30d")),
        ("option learning_period '2w'", format!("option learning_period '2w': {duration} 1s to 3650d, or 0 for none")),
        (
            "option rate_limit '10'",
            "option rate_limit '10': expected a rate such as 10/minute (second, minute, hour or day)".to_owned(),
        ),
        (
            "option database 'flows.db'",
            "option database 'flows.db': expected an absolute path of a file, such as /etc/glacic/flows.db".to_owned(),
        ),
    ] {
        assert_eq!(said(line), [message], "{line}");
    }
    let networks = "expected a network such as 224.0.0.0/4 or ff00::/8, or an address";
    assert_eq!(
        about(&main("list ignore_network '10.0.0.0/8'\nlist ignore_network '10.0.0/8'")),
        [format!("3:22: list ignore_network '10.0.0/8': {networks}")],
        "at the very item"
    );
}

#[test]
fn every_problem_is_named_in_one_run() {
    let text = "config rule_learning\n\toption enabld '1'\n\toption queues 'many'\n\n\
                config devise\n\toption mac 'x'\n\n\
                config device 'cam'\n\toption mac 'x'\n\toption mode 'off'\n\toption port 1\n\n\
                config device\n\toption name 'tv'\n\n\
                config baseline\n\toption proto 'tcp'\n\
                foo\n";
    assert_eq!(
        about(text),
        [
            "2:9: option 'enabld': section rule_learning has no such option (did you mean enabled?)",
            "3:9: option queues 'many': expected a number from 1 to 16",
            "5:1: section type 'devise': expected one of rule_learning, device, baseline (did you mean device?)",
            "9:9: option mac 'x': expected the MAC address of one device, such as b8:27:eb:00:00:01",
            "10:9: option mode 'off': expected default, learn, enforce, trust or block",
            "11:9: option 'port': section device has no such option (it belongs into config baseline)",
            "18:1: 'foo': expected config, option, list or package",
        ]
    );
    let problems = read(text.as_bytes(), "f").problems;
    let places: Vec<_> = problems.iter().map(|p| (p.section.as_deref(), p.option.as_deref())).collect();
    assert_eq!(places[0], (Some("@rule_learning[0]"), Some("enabld")));
    assert_eq!(places[2], (Some("@devise[0]"), None));
    assert_eq!(places[3], (Some("cam"), Some("mac")));
    assert_eq!(places[6], (None, None));
}

#[test]
fn what_is_missing_is_named_unless_it_may_be_in_a_line_that_could_not_be_read() {
    let text = format!(
        "{}config device\n\toption name 'tv'\nconfig baseline\n\toption port 1\nconfig baseline\n\toption proto tcp\n",
        main("")
    );
    let missing = [
        "3:1: option mac is missing: expected the MAC address of one device, such as b8:27:eb:00:00:01",
        "5:1: option proto is missing: expected a protocol such as tcp, udp, icmp or icmpv6, or a number from 0 to 255",
        "7:1: option port is missing: tcp has ports; name one, or 'any' for all of them",
    ];
    assert_eq!(about(&text), missing);
    assert_eq!(about(&format!("{text}foo\n")), ["9:1: 'foo': expected config, option, list or package"]);
    let section = "1:1: section rule_learning is missing: add the lines \"config rule_learning 'main'\", \
                   \"option enabled '1'\" and \"list zone 'lan'\"";
    assert_eq!(about(""), [section]);
    assert_eq!(about("confg rule_learning\n"), ["1:1: 'confg': expected config, option, list or package"]);
    assert_eq!(about("\0"), ["1:1: a NUL byte: this is no text file"]);
}

#[test]
fn there_is_one_main_section_and_one_section_a_device() {
    let text = "config rule_learning\nconfig rule_learning 'main'\n";
    assert_eq!(about(text), ["2:1: a second section rule_learning; the first begins at 1:1: keep one"]);
    let text =
        main("") + "config device\n\toption mac b8:27:eb:00:00:01\nconfig device\n\toption mac B8:27:EB:00:00:01\n";
    assert_eq!(about(&text), ["6:9: option mac 'b8:27:eb:00:00:01': the section at 3:1 is about this device too"]);
    for mac in ["01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"] {
        let text = main("") + "config device\n\toption mac " + mac;
        assert_eq!(
            about(&text),
            [format!("4:9: option mac '{mac}': expected the MAC address of one device, such as b8:27:eb:00:00:01")]
        );
    }
}

#[test]
fn options_and_lists() {
    assert_eq!(settings(&main("option zone 'lan\tguest'")).zones, ["lan", "guest"]);
    assert_eq!(settings(&main("option zone lan\nlist zone guest")).zones, ["lan", "guest"]);
    assert_eq!(settings(&main("list zone lan\nlist zone lan")).zones, ["lan"]);
    assert_eq!(about(&main("list zone lan\nlist zone lan")), ["3:12: note: list zone 'lan': is listed twice"]);
    assert_eq!(
        about(&main("list zone 'lan guest'")),
        ["2:12: list zone 'lan guest': expected the name of a firewall zone such as lan"]
    );
    assert_eq!(
        about(&main("list queues 2")),
        ["2:7: list queues: one value is expected, not a list: write option queues '2'"]
    );
    assert_eq!(
        about(&main("option queues 1\noption queues 1")),
        ["3:9: warning: option queues is set again: what stands at 2:9 does not count"]
    );
}

#[test]
fn a_baseline_is_about_ports_where_there_are_ports() {
    let baseline = |lines: &str| about(&(main("") + "config baseline\n" + lines));
    assert_eq!(
        baseline("option proto udp\noption port 0"),
        ["5:8: option port '0': expected a number from 1 to 65535 for udp, or any"]
    );
    assert_eq!(
        baseline("option proto icmp\noption port 256"),
        ["5:8: option port '256': for icmp this is the type, expected a number from 0 to 255, or any"]
    );
    assert_eq!(baseline("option proto esp\noption port 1"), ["5:8: option port '1': esp has no ports, leave it out"]);
    assert_eq!(baseline("option proto esp\noption port 0"), [""; 0]);
    assert_eq!(
        baseline("option proto tcp\noption port any"),
        ["5:8: warning: option port 'any': nothing any device does over tcp is guarded then"]
    );
    assert_eq!(
        baseline("option proto tcp\noption port 80-90"),
        ["5:8: option port '80-90': expected a port number (for ICMP a type) from 0 to 65535, or any"]
    );
}

#[test]
fn a_value_that_could_not_be_read_causes_no_second_complaint() {
    assert_eq!(
        said("option log_group x\noption names_group 100").len(),
        2,
        "one for the group, one that it does nothing yet"
    );
    assert_eq!(said("option enabled 1\nlist zone 'a b'").len(), 1);
}

#[test]
fn a_file_of_nonsense_is_refused_in_bounded_memory() {
    let outcome = read(main(&"option x 1\n".repeat(2000)).as_bytes(), "f");
    assert_eq!(outcome.problems.len(), 1, "one option, however often it comes");
    let text: String = (0..2000).map(|n| format!("option x{n} 1\n")).collect();
    let outcome = read(main(&text).as_bytes(), "f");
    assert_eq!(outcome.problems.len(), 1001);
    assert_eq!(outcome.problems.last().map(|p| p.message.as_str()), Some("and 1000 more problems"));
    assert_eq!(outcome.settings, None);
    let text: String = (0..300).map(|n| format!("list interface eth{n}\n")).collect();
    assert_eq!(about(&main(&text)), ["258:17: list interface: more than 256 values"]);
}

#[test]
fn what_a_file_says_cannot_command_a_terminal() {
    let told = said("option placement '\u{1b}]0;x\u{7}\n\u{202e}'").concat();
    assert!(!told.chars().any(char::is_control) && !told.contains('\u{202e}'), "{told:?}");
    assert!(said(&format!("option placement '{}'", "x".repeat(5000)))[0].len() < 200);
}

#[test]
fn an_outcome_counts() {
    let outcome =
        read(main("option queues 2\noption cache_size 500000\noption enabled x").as_bytes(), "/etc/config/glacic");
    assert_eq!([Severity::Error, Severity::Warning, Severity::Note].map(|s| outcome.count(s)), [1, 1, 1]);
    assert_eq!(outcome.worst(), Some(Severity::Error));
    assert_eq!(outcome.lines().last().unwrap(), "/etc/config/glacic:4:9: option enabled 'x': expected 0 or 1");
    assert_eq!(read(main("").as_bytes(), "f").worst(), None);
}

#[test]
fn a_file_is_loaded() {
    let shipped = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("openwrt/glacic/files/glacic.config");
    assert!(load(&shipped).unwrap().settings.is_some());
    assert_eq!(load(std::path::Path::new("/nonexistent/glacic")).unwrap_err().kind(), std::io::ErrorKind::NotFound);
}

proptest! {
    /// Lines that look like a configuration: nothing panics, and an error and settings exclude each other.
    #[test]
    fn no_file_makes_it_panic(lines in prop::collection::vec((0..48usize, "[0-9a-z/:. '-]{0,12}", any::<bool>()), 0..30)) {
        let options = options();
        let mut text = String::new();
        for (n, value, list) in lines {
            match options.get(n) {
                Some(option) if list || option.list => text += &format!("list {} '{value}'\n", option.name),
                Some(option) => {
                    let value = if value.len() % 2 == 0 { option.default.first().unwrap_or(&"1") } else { &value.as_str() };
                    text += &format!("option {} \"{value}\"\n", option.name);
                }
                None => text += ["config rule_learning\n", "config device\n", "config baseline\n"][n % 3],
            }
        }
        let outcome = read(text.as_bytes(), "f");
        prop_assert_eq!(outcome.settings.is_none(), outcome.count(Severity::Error) > 0);
        prop_assert!(outcome.problems.is_sorted_by_key(Problem::at));
    }
}
