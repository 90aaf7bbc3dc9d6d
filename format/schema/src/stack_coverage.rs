//! `stack_coverage`: how much long waiting time has which stacks.

crate::record! {
    /// Within a window: the off-CPU time of waits at least `threshold` long, split by which of their stacks were taken. Waits that began before the recording are left out, as are new threads before their first run. Kernel threads have no user stack; theirs count as `both` with the kernel stack alone.
    StackCoverage = 30 as "stack_coverage", Definition {
        /// When the window ended.
        end: u64 [TimeNs],
        /// Waits shorter than this are not counted.
        threshold: u64 [DurNs],
        /// Number of waits counted.
        waits: u64 [Count],
        /// Their off-CPU time in all.
        total: u64 [DurNs],
        /// Of it, in waits with kernel and user stack.
        both: u64 [DurNs],
        /// Of it, in waits with a kernel stack only.
        kernel_only: u64 [DurNs],
        /// Stacks taken by the kernel program, needed or not.
        taken: u64 [Count],
    }
}
