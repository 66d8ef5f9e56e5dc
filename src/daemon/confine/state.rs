//! How the daemon is confined, as the kernel shows it: not what was tried, but what came of it.

use std::fs;

use super::user::User;
use crate::control::protocol::Confinement;

/// Names of the capabilities, by number (linux/capability.h), as far as a daemon may be left with them.
const NAMES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// Looks at this thread; the others have inherited it.
pub fn look(trouble: Vec<String>) -> Confinement {
    read(&fs::read_to_string("/proc/thread-self/status").unwrap_or_default(), trouble)
}

fn read(status: &str, trouble: Vec<String>) -> Confinement {
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|values| values.split_whitespace().next()).unwrap_or_default()
    };
    let permitted = u64::from_str_radix(field("CapPrm"), 16).unwrap_or(u64::MAX);
    let held = (0..64u32).filter(|number| permitted >> number & 1 == 1);
    let name = |number: u32| {
        let known = usize::try_from(number).ok().and_then(|number| NAMES.get(number).copied());
        known.map_or_else(|| number.to_string(), str::to_owned)
    };
    Confinement {
        user: field("Uid").parse().map_or_else(|_| String::new(), User::name_of),
        capabilities: held.map(name).collect(),
        no_new_privileges: field("NoNewPrivs") == "1",
        filter: field("Seccomp") == "2",
        trouble,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_shows_is_told() {
        let status = "Name:\tglacic\nUid:\t0\t0\t0\t0\nCapPrm:\t0000000000003000\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n";
        let confinement = read(status, Vec::new());
        assert_eq!(confinement.user, "root");
        assert_eq!(confinement.capabilities, ["net_admin", "net_raw"]);
        assert!(confinement.no_new_privileges && confinement.filter);
    }

    #[test]
    fn a_kernel_that_shows_little_promises_nothing() {
        let confinement = read("Uid:\t4242\t4242\t4242\t4242\n", Vec::new());
        assert_eq!(confinement.user, "4242");
        assert!(!confinement.no_new_privileges && !confinement.filter && confinement.capabilities.len() == 64);
    }
}
