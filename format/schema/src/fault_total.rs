//! `fault_total`: exact counts of minor page faults.

crate::record! {
    /// How many minor page faults a process had at one place within a window (about a second): touches of pages that only had to be mapped (PERF_COUNT_SW_PAGE_FAULTS_MIN).
    FaultTotal = 46 as "fault_total", Fact sums "page faults" in "map of memory sums" {
        /// When the window ended.
        end: u64 [TimeNs],
        /// Length of the window.
        duration: u64 [DurNs],
        /// Faults. Pages that the kernel provides for a system call without touching them (MAP_POPULATE, pinned pages) count for getrusage(2) and not here.
        count: u64 [Count],
        /// The process.
        tgid: u32 [Tgid],
        /// User stack; 0 when none was taken, or there was no room for more places than 16384 at a time.
        ustack: u32 [StackId],
    }
}
