//! `loss`: what a probe produced, and what of it could not be kept.

crate::record! {
    /// Cumulative counters of one probe on one CPU. At the end of a recording, produced - lost rows are in the file; of records whose rows are sums (syscall_count, fault_total, alloc_total, heap_total) it is what they add up that is counted.
    Loss = 28 as "loss", Definition {
        /// When they were read.
        time: u64 [TimeNs],
        /// Facts (or messages) that the kernel program made so far.
        produced: u64 [Count],
        /// Those of them that found the ring full; of sums, the table.
        lost: u64 [Count],
        /// The record that they were to become (its id in the schema).
        record: u32 [Number],
        /// The CPU; 4294967295 for rows that the recorder made itself (facts still open at the stop).
        cpu: u32 [Cpu],
    }
}
