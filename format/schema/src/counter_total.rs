//! `counter_total`: what a thread has done, by the counters of the kernel and of the CPU.

/// Bits of `counter_total.flags`.
pub mod counter_total_flag {
    /// The thread ended: this is its last row.
    pub const ENDED: u32 = 1;
    /// There were more hardware events than the CPU has counters, and they took turns: their counts are reckoned from the time that each was on.
    pub const SCALED: u32 = 2;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] = &[(1, "ended"), (2, "scaled")];
}

/// Events that are counted while a thread runs (`counter_total.counted`).
pub mod counted_event {
    /// PERF_COUNT_HW_CPU_CYCLES.
    pub const CYCLES: u32 = 1;
    /// PERF_COUNT_HW_INSTRUCTIONS.
    pub const INSTRUCTIONS: u32 = 2;
    /// PERF_COUNT_HW_CACHE_MISSES: mostly of the last level.
    pub const CACHE_MISSES: u32 = 4;
    /// PERF_COUNT_HW_BRANCH_MISSES.
    pub const BRANCH_MISSES: u32 = 8;
    /// PERF_COUNT_SW_CPU_CLOCK.
    pub const CPU_CLOCK: u32 = 16;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] = &[
        (1, "cycles"),
        (2, "instructions"),
        (4, "cache_misses"),
        (8, "branch_misses"),
        (16, "cpu_clock"),
    ];
}

crate::record! {
    /// What a thread did within a window (about a second, or until it ended): exact counts of the kernel (`struct task_struct`), and of the CPU where it has counters that can be seen.
    CounterTotal = 47 as "counter_total", Fact {
        /// When the window ended.
        end: u64 [TimeNs],
        /// Length of the window: from the thread's row before, or its start, or that of the recording.
        duration: u64 [DurNs],
        /// CPU time, perf's task-clock (`se.sum_exec_runtime`); of a running thread up to its last tick.
        task_clock: u64 [DurNs],
        /// Context switches because it waited (`nvcsw`).
        voluntary_switches: u64 [Count],
        /// Context switches because others were to run (`nivcsw`).
        involuntary_switches: u64 [Count],
        /// Moves to another CPU (`se.nr_migrations`).
        migrations: u64 [Count],
        /// Page faults that only had to map the page (`min_flt`).
        minor_faults: u64 [Count],
        /// Page faults that had to read the page (`maj_flt`).
        major_faults: u64 [Count],
        /// CPU cycles; 0 unless `counted` names them, as for all that follow. Of a running thread up to the last sample or switch of its CPU.
        cycles: u64 [Count],
        /// Instructions retired.
        instructions: u64 [Count],
        /// Cache misses, mostly of the last level.
        cache_misses: u64 [Count],
        /// Mispredicted branches.
        branch_misses: u64 [Count],
        /// The software clock of CPUs, read as hardware counters are.
        cpu_clock: u64 [DurNs],
        /// The thread.
        tid: u32 [Tid],
        /// Its process.
        tgid: u32 [Tgid],
        /// See `counter_total_flag`.
        flags: u32 [Flags(counter_total_flag::NAMES)],
        /// The events that were counted; the others are not known.
        counted: u32 [Flags(counted_event::NAMES)],
    }
}
