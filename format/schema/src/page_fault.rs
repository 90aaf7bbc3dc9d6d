//! `page_fault`: major page faults, one by one.

/// Bits of `page_fault.flags`.
pub mod page_fault_flag {
    /// The kernel touched the page for the thread, in a system call.
    pub const KERNEL: u16 = 1;
    /// `duration` is known.
    pub const TIMED: u16 = 2;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] = &[(1, "kernel"), (2, "timed")];
}

crate::record! {
    /// A thread touched a page that had to be read from a file or from swap (PERF_COUNT_SW_PAGE_FAULTS_MAJ, one event each).
    PageFault = 43 as "page_fault", Fact {
        /// When the page was there (`mm_account_fault()` of mm/memory.c).
        end: u64 [TimeNs],
        /// How long the fault took, from `page_fault_user` or `page_fault_kernel`; 0 unless the flag `timed` is set.
        duration: u64 [DurNs],
        /// The address that was touched.
        address: u64 [Address],
        /// The thread.
        tid: u32 [Tid],
        /// Its process.
        tgid: u32 [Tgid],
        /// User stack; 0 when none was taken.
        ustack: u32 [StackId],
        /// The CPU on which it ended.
        cpu: u16 [Cpu],
        /// See `page_fault_flag`.
        flags: u16 [Flags(page_fault_flag::NAMES)],
    }
}
