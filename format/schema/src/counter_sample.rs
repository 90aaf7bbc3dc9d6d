//! `counter_sample`: where a thread was when a counter overflowed.

use crate::sample_mode;

/// What was counted (`counter_sample.event`), by perf's names.
pub mod counter_event {
    /// PERF_COUNT_HW_CPU_CYCLES.
    pub const CYCLES: u8 = 1;
    /// PERF_COUNT_HW_INSTRUCTIONS.
    pub const INSTRUCTIONS: u8 = 2;
    /// PERF_COUNT_HW_CACHE_MISSES.
    pub const CACHE_MISSES: u8 = 3;
    /// PERF_COUNT_HW_BRANCH_MISSES.
    pub const BRANCH_MISSES: u8 = 4;
    /// PERF_COUNT_SW_CPU_CLOCK.
    pub const CPU_CLOCK: u8 = 5;
    /// PERF_COUNT_SW_CONTEXT_SWITCHES.
    pub const CONTEXT_SWITCHES: u8 = 6;
    /// PERF_COUNT_SW_CPU_MIGRATIONS: told when the thread runs again, on its new CPU.
    pub const CPU_MIGRATIONS: u8 = 7;
    /// PERF_COUNT_SW_PAGE_FAULTS.
    pub const PAGE_FAULTS: u8 = 8;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] = &[
        (1, "cycles"),
        (2, "instructions"),
        (3, "cache_misses"),
        (4, "branch_misses"),
        (5, "cpu_clock"),
        (6, "context_switches"),
        (7, "cpu_migrations"),
        (8, "page_faults"),
    ];
}

crate::record! {
    /// A counter of a CPU overflowed while a thread ran: one sample for `weight` events. Sums of weights estimate counts; with a period of 1 they are counts, but for events within another program of a perf event: the kernel drops those.
    CounterSample = 52 as "counter_sample", Fact {
        /// When.
        time: u64 [TimeNs],
        /// How many events it stands for: `bpf_perf_event_data.sample_period`.
        weight: u64 [Count],
        /// The running thread.
        tid: u32 [Tid],
        /// Its process.
        tgid: u32 [Tgid],
        /// Kernel stack; 0 when it ran user code or none was taken.
        kstack: u32 [StackId],
        /// User stack; 0 for kernel threads or when none was taken.
        ustack: u32 [StackId],
        /// The CPU.
        cpu: u32 [Cpu],
        /// What was counted.
        event: u8 [Enum(counter_event::NAMES)],
        /// What was interrupted.
        mode: u8 [Enum(sample_mode::NAMES)],
        /// None is defined yet.
        flags: u16 [Flags(&[])],
    }
}
