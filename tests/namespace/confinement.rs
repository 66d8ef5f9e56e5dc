//! What the daemon gives up, on real packets: all other tests of this suite run it the same way.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use glacic::control::protocol::{Request, Status, Warning, WarningCode};

use crate::kit::daemon::{self, Config, Daemon, Mode, Placement, USER};
use crate::kit::{Fw4, Network, wait};

/// `/proc/PID/status` of every thread, a field of it.
fn of_all_threads(pid: u32, field: &str) -> Vec<String> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("the daemon is there");
    let field = format!("{field}:");
    threads
        .map(|thread| {
            let status = fs::read_to_string(thread.expect("a thread").path().join("status")).expect("it is there");
            let line = status.lines().find_map(|line| line.strip_prefix(&field)).expect("the kernel shows it");
            line.split_whitespace().next().unwrap_or_default().to_owned()
        })
        .collect()
}

/// The numbers of the user to become, and of its group. None where there is no such user (a guest may have none), or where
/// the kernel knows a single one (in a namespace of users).
fn user() -> Option<(u32, u32)> {
    if fs::read_to_string("/proc/self/uid_map").ok()?.split_whitespace().nth(2) == Some("1") {
        return None;
    }
    let passwd = fs::read_to_string("/etc/passwd").ok()?;
    let line = passwd.lines().find(|line| line.starts_with(&format!("{USER}:")))?;
    let mut fields = line.split(':').skip(2).map(|field| field.parse().expect("a number"));
    Some((fields.next()?, fields.next()?))
}

#[test]
fn it_keeps_one_capability_and_becomes_its_user() {
    let (network, fw4, config) = daemon::home(1, Mode::Log, Placement::Guard);
    let daemon = Daemon::start(&network, &fw4, &config);
    let pid = daemon.pid();
    let threads = of_all_threads(pid, "Name").len();
    assert!(threads >= 4, "{threads} threads");
    for field in ["CapPrm", "CapEff", "CapInh", "CapBnd", "CapAmb"] {
        assert_eq!(of_all_threads(pid, field), vec!["0000000000001000"; threads], "{field}");
    }
    assert_eq!(of_all_threads(pid, "NoNewPrivs"), vec!["1"; threads]);
    let filters = fs::read_to_string("/proc/self/status").expect("the kernel shows it").contains("Seccomp:");
    if filters {
        assert_eq!(of_all_threads(pid, "Seccomp"), vec!["2"; threads]);
    }
    let status: Status = daemon.control.ask(&Request::Status).expect("the daemon answers");
    assert_eq!(status.confinement.capabilities, ["net_admin"]);
    assert_eq!((status.confinement.no_new_privileges, status.confinement.filter), (true, filters));
    let Some((uid, gid)) = user() else { return eprintln!("not tested: there is no other user in here") };
    assert_eq!(of_all_threads(pid, "Uid"), vec![uid.to_string(); threads]);
    assert_eq!(of_all_threads(pid, "Gid"), vec![gid.to_string(); threads]);
    assert_eq!(of_all_threads(pid, "Groups"), vec![String::new(); threads]);
    assert_eq!((status.confinement.user.as_str(), status.confinement.trouble), (USER, vec![]));
    for theirs in [&config.database, &config.run_directory, &config.run_directory.join("control.sock")] {
        assert_eq!(fs::metadata(theirs).expect("it is there").uid(), uid, "{}", theirs.display());
    }
}

#[test]
fn a_configuration_that_only_root_may_read_is_read_again() {
    use std::os::unix::fs::PermissionsExt;
    let (network, fw4, config) = daemon::home(1, Mode::Log, Placement::Guard);
    let daemon = Daemon::start(&network, &fw4, &config);
    let changed = config.clone().with("fail_mode", "closed");
    changed.write();
    fs::set_permissions(changed.path(), fs::Permissions::from_mode(0o600)).expect("the test's own file");
    daemon.signal(libc::SIGHUP);
    wait::eventually("the new settings hold", || {
        let status: Status = daemon.control.ask(&Request::Status).ok()?;
        (status.fail_mode == "closed").then_some(())
    });
}

#[test]
fn a_user_that_is_missing_is_told_and_the_rest_is_given_up_all_the_same() {
    let network = Network::new(1);
    let fw4 = Fw4::new(&network);
    fw4.restart(&network);
    let config = Config::new(&network).with_user("nobody-of-this-name");
    let daemon = Daemon::start(&network, &fw4, &config);
    let status: Status = daemon.control.ask(&Request::Status).expect("the daemon answers");
    assert_eq!(status.confinement.user, "root");
    assert_eq!(status.confinement.capabilities, ["net_admin"]);
    let told = |warning: &Warning| {
        warning.code == WarningCode::Other && warning.message.contains("there is no user nobody-of-this-name")
    };
    assert!(status.warnings.iter().any(told), "{:?}", status.warnings);
}

#[test]
fn what_an_earlier_user_owned_is_taken_over() {
    let (network, fw4, config) = daemon::home(1, Mode::Log, Placement::Guard);
    drop(Daemon::start(&network, &fw4, &config));
    let owner = |path: &Path| fs::metadata(path).expect("it is there").uid();
    let first = owner(&config.database);
    let as_root = config.clone().with_user("nobody-of-this-name");
    let daemon = Daemon::start(&network, &fw4, &as_root);
    let status: Status = daemon.control.ask(&Request::Status).expect("the daemon answers");
    assert_eq!((status.database.trouble, status.database.moved_aside), (None, None));
    assert_eq!(owner(&config.database), 0);
    drop(daemon);
    let daemon = Daemon::start(&network, &fw4, &config);
    let status: Status = daemon.control.ask(&Request::Status).expect("the daemon answers");
    assert_eq!((status.database.trouble, status.database.moved_aside), (None, None));
    assert_eq!(owner(&config.database), first);
}

#[test]
fn the_process_that_stays_root_ends_with_the_daemon() {
    let (network, fw4, config) = daemon::home(1, Mode::Log, Placement::Guard);
    let daemon = Daemon::start(&network, &fw4, &config);
    let steward = wait::eventually("there is a second process", || steward_of(daemon.pid()));
    let capabilities = &of_all_threads(steward, "CapEff")[0];
    assert_eq!(capabilities, &of_all_threads(std::process::id(), "CapEff")[0], "it may do what its parent could");
    daemon.kill();
    // Whoever collects the dead may take their time: such a process has no program any more.
    wait::eventually("it has gone", || fs::read_link(format!("/proc/{steward}/exe")).is_err().then_some(()));
}

fn steward_of(parent: u32) -> Option<u32> {
    let pids = fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.into_iter().find(|pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // After the name, which is in brackets: state and parent.
        let (name, rest) = stat.rsplit_once(") ").unwrap_or_default();
        name.ends_with("(glacic-steward") && rest.split(' ').nth(1).is_some_and(|of| of == parent.to_string())
    })
}
