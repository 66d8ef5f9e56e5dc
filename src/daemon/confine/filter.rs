//! System calls that neither the daemon nor the nft it starts ever needs: the kernel refuses them (seccomp, linux/seccomp.h).
//!
//! A list of what is refused, not of what is allowed: nft inherits it, whatever its version and C library call. Each
//! refusal is an error that the caller sees (EPERM), not its death.

use std::io;

use libc::c_long;

/// What the kernel calls this machine (`AUDIT_ARCH_*`, linux/audit.h); none where glacic does not know its numbers.
const MACHINE: Option<u32> = if cfg!(target_arch = "x86_64") {
    Some(0xc000_003e)
} else if cfg!(target_arch = "aarch64") {
    Some(0xc000_00b7)
} else if cfg!(target_arch = "riscv64") {
    Some(0xc000_00f3)
} else if cfg!(all(target_arch = "arm", target_endian = "little")) {
    Some(0x4000_0028)
} else if cfg!(all(target_arch = "mips", target_endian = "big")) {
    Some(0x0000_0008)
} else if cfg!(all(target_arch = "mips", target_endian = "little")) {
    Some(0x4000_0008)
} else {
    None
};

/// x86_64 answers to a second set of numbers, from here on.
const SECOND_NUMBERS: Option<u32> = if cfg!(target_arch = "x86_64") { Some(0x4000_0000) } else { None };

/// Where 32-bit machines begin with the calls for times after 2038 (asm-generic/unistd.h); the `libc` crate does not name
/// them.
#[cfg(target_pointer_width = "32")]
const LATER: c_long = if cfg!(target_arch = "mips") { 4_403 } else { 403 };

/// Calls that are refused whatever they ask for.
const REFUSED: &[c_long] = &[
    // Into other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    // Other worlds: file systems, namespaces, handles past the folders.
    libc::SYS_mount,
    libc::SYS_umount2,
    #[cfg(target_arch = "mips")]
    libc::SYS_umount,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_mknodat,
    #[cfg(any(target_arch = "x86_64", target_arch = "arm", target_arch = "mips"))]
    libc::SYS_mknod,
    libc::SYS_fanotify_init,
    // Code and data of the kernel.
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_kexec_file_load,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_syslog,
    // The machine as a whole.
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    // clock_settime64, clock_adjtime64.
    #[cfg(target_pointer_width = "32")]
    (LATER + 1),
    #[cfg(target_pointer_width = "32")]
    (LATER + 2),
    #[cfg(target_arch = "mips")]
    libc::SYS_stime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
    libc::SYS_personality,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    // A second way to everything about sockets, whose arguments are out of reach of a filter.
    #[cfg(target_arch = "mips")]
    libc::SYS_socketcall,
];

/// Threads and programs are made with `clone`; what would put them into another world is refused.
const NEW_WORLDS: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u32;

/// Families of sockets that are in use: no packet sockets, no cryptography in the kernel, nothing exotic.
const FAMILIES: [libc::c_int; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// Where `struct seccomp_data` has what is looked at: the number, the machine, the lower half of the first argument.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENT: u32 = if cfg!(target_endian = "big") { 20 } else { 16 };

/// `BPF_LD|BPF_W|BPF_ABS`, `BPF_JMP|{BPF_JEQ,BPF_JGE,BPF_JSET}|BPF_K`, `BPF_RET|BPF_K` (linux/filter.h).
const LOAD: u16 = 0x20;
const EQUAL: u16 = 0x15;
const AT_LEAST: u16 = 0x35;
const ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;

/// `SECCOMP_RET_*`.
const ALLOW: u32 = 0x7fff_0000;
const fn refuse(errno: i32) -> u32 {
    0x0005_0000 | errno as u32
}

type Step = libc::sock_filter;

const fn step(code: u16, k: u32, jt: u8, jf: u8) -> Step {
    Step { code, jt, jf, k }
}

/// The calls that are looked at, each with what becomes of it, in the order of their numbers.
fn rules() -> Vec<(u32, Vec<Step>)> {
    let no = |errno| vec![step(RETURN, refuse(errno), 0, 0)];
    let number = |call: c_long| u32::try_from(call).unwrap_or(u32::MAX);
    let mut rules: Vec<(u32, Vec<Step>)> = REFUSED.iter().map(|call| (number(*call), no(libc::EPERM))).collect();
    // Its arguments are out of reach of a filter; C libraries go on with `clone` where it is not there.
    rules.push((number(libc::SYS_clone3), no(libc::ENOSYS)));
    rules.push((
        number(libc::SYS_clone),
        vec![
            step(LOAD, ARGUMENT, 0, 0),
            step(ANY_BIT, NEW_WORLDS, 0, 1),
            step(RETURN, refuse(libc::EPERM), 0, 0),
            step(RETURN, ALLOW, 0, 0),
        ],
    ));
    let mut socket = vec![step(LOAD, ARGUMENT, 0, 0)];
    for family in FAMILIES {
        socket.push(step(EQUAL, family as u32, 0, 1));
        socket.push(step(RETURN, ALLOW, 0, 0));
    }
    socket.extend(no(libc::EPERM));
    rules.push((number(libc::SYS_socket), socket));
    rules.sort_by_key(|(number, _)| *number);
    rules
}

/// The filter for a machine: halved at each step, so that a call that is allowed takes a handful of comparisons.
fn program(machine: u32) -> Vec<Step> {
    let mut program = vec![
        step(LOAD, ARCHITECTURE, 0, 0),
        step(EQUAL, machine, 1, 0),
        step(RETURN, refuse(libc::EPERM), 0, 0),
        step(LOAD, NUMBER, 0, 0),
    ];
    if let Some(second) = SECOND_NUMBERS {
        program.push(step(AT_LEAST, second, 0, 1));
        program.push(step(RETURN, refuse(libc::EPERM), 0, 0));
    }
    program.extend(tree(&rules()));
    program
}

fn tree(rules: &[(u32, Vec<Step>)]) -> Vec<Step> {
    // A jump leads 255 steps far at most; the lower half of all rules takes fewer.
    let far = |steps: &[Step]| u8::try_from(steps.len()).unwrap_or(u8::MAX);
    match rules {
        [] => vec![step(RETURN, ALLOW, 0, 0)],
        [(number, body)] => {
            let mut steps = vec![step(EQUAL, *number, 0, far(body))];
            steps.extend_from_slice(body);
            steps.push(step(RETURN, ALLOW, 0, 0));
            steps
        }
        rules => {
            let (lower, upper) = rules.split_at(rules.len() / 2);
            let first = upper.first().map_or(u32::MAX, |(number, _)| *number);
            let lower = tree(lower);
            let mut steps = vec![step(AT_LEAST, first, far(&lower), 0)];
            steps.extend(lower);
            steps.extend(tree(upper));
            steps
        }
    }
}

/// Puts the filter on this thread, and on all threads and programs that it starts, where kernel and machine have it.
/// Needs `no_new_privs`.
pub fn install() -> io::Result<()> {
    let (Some(machine), true) = (MACHINE, is_known_to_kernel()) else { return Ok(()) };
    let mut program = program(machine);
    let length = libc::c_ushort::try_from(program.len()).map_err(io::Error::other)?;
    let filter = libc::sock_fprog { len: length, filter: program.as_mut_ptr() };
    // SAFETY: `filter` describes `program`, which outlives the call; the kernel copies it.
    let done = unsafe {
        libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER as libc::c_ulong, &raw const filter, 0, 0)
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Whether there is such a thing as a filter here. Where there is none (small kernels, emulators of user programs), the
/// state says so, and nobody can do anything about it.
fn is_known_to_kernel() -> bool {
    // SAFETY: takes no pointers.
    unsafe { libc::prctl(libc::PR_GET_SECCOMP) >= 0 }
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
