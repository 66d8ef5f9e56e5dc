use super::*;

const HERE: u32 = 0x1234;

/// What the kernel would make of a call: the few instructions that filters of ours are made of.
fn verdict(program: &[Step], machine: u32, number: u32, argument: u32) -> u32 {
    let mut loaded = 0;
    let mut at = 0;
    loop {
        let step = program[at];
        at += 1;
        let mut jump = |met: bool| at += usize::from(if met { step.jt } else { step.jf });
        match step.code {
            LOAD => {
                loaded = match step.k {
                    NUMBER => number,
                    ARCHITECTURE => machine,
                    ARGUMENT => argument,
                    other => panic!("loads {other}"),
                }
            }
            EQUAL => jump(loaded == step.k),
            AT_LEAST => jump(loaded >= step.k),
            ANY_BIT => jump(loaded & step.k != 0),
            RETURN => return step.k,
            other => panic!("instruction {other:#x}"),
        }
    }
}

const NO: u32 = refuse(libc::EPERM);

#[test]
fn what_is_listed_is_refused_and_nothing_else() {
    let program = program(HERE);
    let looked_at = [libc::SYS_clone, libc::SYS_clone3, libc::SYS_socket];
    for number in (0..6000).chain([u32::MAX]) {
        // As wide as a register, which is 32 bits on some machines.
        let expected = match number as c_long {
            _ if SECOND_NUMBERS.is_some_and(|second| number >= second) => NO,
            call if looked_at.contains(&call) => continue,
            call if REFUSED.contains(&call) => NO,
            _ => ALLOW,
        };
        assert_eq!(verdict(&program, HERE, number, 0), expected, "call {number}");
    }
}

/// By the numbers of the kernel's tables (arch/*/kernel/syscalls, asm-generic/unistd.h), not by our names for them.
#[test]
fn no_call_sets_the_clock() {
    let calls: &[u32] = if cfg!(target_arch = "mips") {
        // stime, settimeofday, adjtimex, clock_settime, clock_adjtime, clock_settime64, clock_adjtime64
        &[4025, 4079, 4124, 4262, 4341, 4404, 4405]
    } else if cfg!(target_arch = "arm") {
        &[79, 124, 262, 372, 404, 405]
    } else if cfg!(target_arch = "x86_64") {
        &[164, 159, 227, 305]
    } else {
        &[170, 171, 112, 266]
    };
    let program = program(HERE);
    for call in calls {
        assert_eq!(verdict(&program, HERE, *call, 0), NO, "call {call}");
    }
}

#[test]
fn numbers_of_another_machine_are_refused() {
    assert_eq!(verdict(&program(HERE), HERE + 1, libc::SYS_read as u32, 0), NO);
}

#[test]
fn threads_are_made_and_new_worlds_are_not() {
    let program = program(HERE);
    let clone = |flags: libc::c_int| verdict(&program, HERE, libc::SYS_clone as u32, flags as u32);
    assert_eq!(clone(libc::CLONE_VM | libc::CLONE_FS | libc::CLONE_FILES | libc::CLONE_THREAD), ALLOW);
    assert_eq!(clone(libc::SIGCHLD), ALLOW);
    for world in [libc::CLONE_NEWUSER, libc::CLONE_NEWNET, libc::CLONE_NEWNS, libc::CLONE_NEWPID] {
        assert_eq!(clone(libc::SIGCHLD | world), NO);
    }
    assert_eq!(verdict(&program, HERE, libc::SYS_clone3 as u32, 0), refuse(libc::ENOSYS));
}

#[test]
fn sockets_are_of_the_families_in_use() {
    let program = program(HERE);
    let socket = |family: libc::c_int| verdict(&program, HERE, libc::SYS_socket as u32, family as u32);
    assert!(FAMILIES.iter().all(|family| socket(*family) == ALLOW));
    for family in [libc::AF_PACKET, libc::AF_ALG, libc::AF_VSOCK, libc::AF_KEY] {
        assert_eq!(socket(family), NO);
    }
}

/// Runs something with the filter on, in a thread that ends afterwards.
fn filtered<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let thread = std::thread::spawn(|| {
        super::super::privileges::no_new_privileges().unwrap();
        install().unwrap();
        if MACHINE.is_none() || !is_known_to_kernel() {
            eprintln!("not tested: this kernel or machine has no filters");
            return None;
        }
        Some(work())
    });
    thread.join().unwrap()
}

#[test]
fn the_kernel_refuses_what_the_filter_says() {
    let errors = filtered(|| {
        // SAFETY: none of these takes a pointer that the kernel would follow: each is refused before.
        unsafe {
            [
                libc::unshare(libc::CLONE_NEWNET),
                libc::socket(libc::AF_PACKET, libc::SOCK_RAW, 0),
                libc::personality(0xffff_ffff),
                libc::syscall(libc::SYS_ptrace, 0, 0, 0, 0) as libc::c_int,
            ]
            .map(|returned| (returned, io::Error::last_os_error().raw_os_error()))
        }
    });
    if let Some(errors) = errors {
        assert!(errors.iter().all(|(returned, _)| *returned == -1), "{errors:?}");
        assert_eq!(errors[3].1, Some(libc::EPERM));
    }
}

#[test]
fn threads_and_programs_are_started_under_it() {
    let said = filtered(|| {
        std::thread::spawn(|| std::process::Command::new("/bin/cat").arg("/proc/self/status").output().unwrap().stdout)
            .join()
            .unwrap()
    });
    if let Some(said) = said {
        let said = String::from_utf8(said).unwrap();
        assert!(said.contains("Seccomp:\t2") && said.contains("NoNewPrivs:\t1"), "{said}");
    }
}
