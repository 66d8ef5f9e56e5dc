//! What the process may do: capabilities (capabilities(7)), its user, and that nothing it starts gains any.
//!
//! All of this is a thread's own: it is done while there is one thread, and inherited by those to come.

use std::io;

use libc::{c_int, c_ulong};

use super::user::User;

/// The one capability that is needed: rulesets, set elements, connections, queues and logs of this network.
pub const NET_ADMIN: u32 = 12;

/// `_LINUX_CAPABILITY_VERSION_3`: 64 bits, in two halves.
const VERSION: u32 = 0x2008_0522;

/// Capabilities as bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sets {
    effective: u64,
    permitted: u64,
    inheritable: u64,
}

fn checked(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn control(option: c_int, second: u32, third: u32) -> io::Result<c_int> {
    // SAFETY: the options used here take numbers, all as wide as the kernel reads them.
    checked(unsafe { libc::prctl(option, c_ulong::from(second), c_ulong::from(third), 0 as c_ulong, 0 as c_ulong) })
}

fn sets() -> io::Result<Sets> {
    let header = [VERSION, 0];
    let mut words = [0u32; 6];
    // SAFETY: the header is of version 3, whose data are two triples of 32-bit sets.
    if unsafe { libc::syscall(libc::SYS_capget, header.as_ptr(), words.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let wide = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
    let [effective, permitted, inheritable, effective_high, permitted_high, inheritable_high] = words;
    Ok(Sets {
        effective: wide(effective, effective_high),
        permitted: wide(permitted, permitted_high),
        inheritable: wide(inheritable, inheritable_high),
    })
}

fn set(sets: Sets) -> io::Result<()> {
    let header = [VERSION, 0];
    let low = [sets.effective, sets.permitted, sets.inheritable].map(|set| set as u32);
    let high = [sets.effective, sets.permitted, sets.inheritable].map(|set| (set >> 32) as u32);
    let words = [low, high].concat();
    // SAFETY: as above; the kernel only reads.
    match unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), words.as_ptr()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Takes everything but [`NET_ADMIN`] out of what programs that are started could ever get. `false`: some of it stayed,
/// because this process may not.
pub fn bound() -> bool {
    let mut done = true;
    for capability in 0..64 {
        // An error says that the kernel has no such capability.
        if capability != NET_ADMIN && control(libc::PR_CAPBSET_READ, capability, 0).is_ok_and(|has| has == 1) {
            done &= control(libc::PR_CAPBSET_DROP, capability, 0).is_ok();
        }
    }
    done
}

/// Becomes this user, and keeps what is permitted.
pub fn become_user(user: &User) -> io::Result<()> {
    control(libc::PR_SET_KEEPCAPS, 1, 0)?;
    // Whoever wants the daemon to end with them wants so still; the kernel forgets it with the user.
    let mut end_with_parent: c_int = 0;
    // SAFETY: the kernel writes one int.
    unsafe { libc::prctl(libc::PR_GET_PDEATHSIG, &raw mut end_with_parent) };
    // SAFETY: no pointer is followed where no group is given.
    checked(unsafe { libc::setgroups(0, std::ptr::null()) })?;
    // SAFETY: these take numbers.
    checked(unsafe { libc::setresgid(user.gid, user.gid, user.gid) })?;
    // SAFETY: as above.
    checked(unsafe { libc::setresuid(user.uid, user.uid, user.uid) })?;
    control(libc::PR_SET_PDEATHSIG, u32::try_from(end_with_parent).unwrap_or(0), 0).map(drop)
}

/// Keeps [`NET_ADMIN`], as far as it is there, and hands it on to programs that are started; all else is gone for good.
pub fn keep_net_admin() -> io::Result<()> {
    let kept = sets()?.permitted & (1 << NET_ADMIN);
    set(Sets { effective: kept, permitted: kept, inheritable: kept })?;
    if kept != 0 {
        control(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE as u32, NET_ADMIN)?;
    }
    Ok(())
}

/// Nothing that is started gains anything by being started.
pub fn no_new_privileges() -> io::Result<()> {
    control(libc::PR_SET_NO_NEW_PRIVS, 1, 0).map(drop)
}

/// Whether this process may change its user.
pub fn is_root() -> bool {
    // SAFETY: geteuid takes nothing, touches nothing and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_capability_stays_and_is_handed_on() {
        let ended = std::thread::spawn(|| {
            if sets().unwrap().permitted & (1 << NET_ADMIN) == 0 {
                return eprintln!("not tested: this is not root");
            }
            assert!(bound());
            keep_net_admin().unwrap();
            no_new_privileges().unwrap();
            let only = 1 << NET_ADMIN;
            assert_eq!(sets().unwrap(), Sets { effective: only, permitted: only, inheritable: only });
            assert!(set(Sets { effective: 3, permitted: 3, inheritable: 0 }).is_err(), "nothing comes back");
            let said = std::process::Command::new("/bin/cat").arg("/proc/self/status").output().unwrap().stdout;
            let said = String::from_utf8(said).unwrap();
            for line in ["CapEff:\t0000000000001000", "CapBnd:\t0000000000001000", "NoNewPrivs:\t1"] {
                assert!(said.contains(line), "{said}");
            }
        });
        ended.join().unwrap();
    }
}
