//! `memory_use`: how much memory each process has.

/// Bits of `memory_use.flags`.
pub mod memory_use_flag {
    /// Before 6.2 each thread keeps up to 64 changes of a counter to itself: they are not in.
    pub const APPROXIMATE: u32 = 1;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] = &[(1, "approximate")];
}

crate::record! {
    /// The pages that a process had in memory at a moment: `mm_struct.rss_stat`, what /proc/PID/status calls RssAnon, RssFile, RssShmem, VmSwap and VmHWM.
    MemoryUse = 45 as "memory_use", Fact {
        /// The moment.
        time: u64 [TimeNs],
        /// Anonymous pages.
        anon_pages: u64 [Count],
        /// Pages of files.
        file_pages: u64 [Count],
        /// Pages of shared memory (tmpfs, System V).
        shmem_pages: u64 [Count],
        /// Anonymous pages that are in swap.
        swap_pages: u64 [Count],
        /// The most pages in memory that the kernel has noted (`hiwater_rss`): it does so only when some go.
        peak_pages: u64 [Count],
        /// The process.
        tgid: u32 [Tgid],
        /// See `memory_use_flag`.
        flags: u32 [Flags(memory_use_flag::NAMES)],
    }
}
