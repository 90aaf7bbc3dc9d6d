//! CPU time and memory of the recorder itself.

use std::time::Duration;

/// CPU time (user and system) and peak memory in bytes of this process.
pub(crate) fn of_process() -> (Duration, u64) {
    of(libc::RUSAGE_SELF)
}

/// CPU time of the calling thread.
pub(crate) fn of_thread() -> Duration {
    of(libc::RUSAGE_THREAD).0
}

#[expect(unsafe_code, reason = "getrusage(2)")]
fn of(whose: libc::c_int) -> (Duration, u64) {
    // SAFETY: an all-zero rusage is valid, and the kernel fills it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(whose, &raw mut usage);
        usage
    };
    let time = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
    };
    (time(usage.ru_utime) + time(usage.ru_stime), usage.ru_maxrss as u64 * 1024)
}
