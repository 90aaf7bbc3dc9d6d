//! The limit of open files: each CPU, event and program in the kernel takes a descriptor.

/// Raises the limit as far as this process may. A command that was launched before keeps its own.
#[expect(unsafe_code, reason = "getrlimit(2) and setrlimit(2) have no wrappers")]
pub(crate) fn raise_limit() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid rlimit for the kernel to fill.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } == 0 {
        limit.rlim_cur = limit.rlim_max;
        // SAFETY: `limit` is a valid rlimit. Should it be refused, who opens too much is told.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    }
}
