//! `syscall_latency`: log2 histograms of system call times, one row per occupied bucket.

crate::record! {
    /// How many calls of one system call by one process took between 2^bucket and 2^(bucket+1) - 1 nanoseconds within a window.
    SyscallLatency = 4 as "syscall_latency", Fact {
        /// When the window ended.
        end: u64 [TimeNs],
        /// Length of the window.
        duration: u64 [DurNs],
        /// Calls in the bucket.
        count: u64 [Count],
        /// The process.
        tgid: u32 [Tgid],
        /// The system call. With 0x80000000 added: a number of the 32-bit table of an x86-64 kernel.
        nr: u32 [Syscall],
        /// floor(log2(nanoseconds)); bucket 0 also holds calls of 0 ns.
        bucket: u32 [Number],
        /// None is defined yet.
        flags: u32 [Flags(&[])],
    }
}
