//! The two clocks, read by a system call whose time is 64 bits wide on every machine: the C library of a 32-bit router
//! may still count seconds in 32 bits, and end in 2038.

use crate::flow::{Monotonic, Now, Wall};

#[cfg(target_pointer_width = "64")]
const CLOCK_GETTIME64: libc::c_long = libc::SYS_clock_gettime;
/// `clock_gettime64` has the number 403 on every 32-bit machine; MIPS (o32) adds 4000 to all numbers.
#[cfg(all(target_pointer_width = "32", not(target_arch = "mips")))]
const CLOCK_GETTIME64: libc::c_long = 403;
#[cfg(all(target_pointer_width = "32", target_arch = "mips"))]
const CLOCK_GETTIME64: libc::c_long = 4403;

/// `struct __kernel_timespec` of linux/time_types.h.
#[repr(C)]
#[derive(Default)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

/// What both clocks show now.
pub fn now() -> Now {
    let boot = read(libc::CLOCK_BOOTTIME);
    let wall = read(libc::CLOCK_REALTIME);
    let seconds = u64::try_from(boot.seconds).unwrap_or(0);
    let millis = u64::try_from(boot.nanoseconds / 1_000_000).unwrap_or(0);
    Now {
        mono: Monotonic { millis: seconds.saturating_mul(1000).saturating_add(millis) },
        wall: Wall { seconds: wall.seconds },
    }
}

fn read(clock: libc::clockid_t) -> Timespec {
    let mut time = Timespec::default();
    // SAFETY: the kernel writes one `__kernel_timespec`, which `Timespec` mirrors, and keeps no pointer to it. If it
    // refuses (it does not for these clocks), the time stays 0.
    unsafe { libc::syscall(CLOCK_GETTIME64, clock, &raw mut time) };
    time
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_standard_library() {
        let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
        let now = now();
        assert!((now.wall.seconds - wall).abs() <= 1, "{now:?} against {wall}");
        assert!(now.mono.millis > 0);
    }

    #[test]
    fn never_goes_backwards() {
        let first = now();
        assert!((0..1000).all(|_| now().mono >= first.mono));
    }
}
