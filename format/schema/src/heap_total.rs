//! `heap_total`: what a program allocates and frees, by stack.

crate::record! {
    /// What a process allocated from its C library at one place within a window (about a second), and what of all that it ever allocated there it gave back in it.
    HeapTotal = 53 as "heap_total", Fact sums "calls of malloc and free" in "map of allocations" {
        /// When the window ended.
        end: u64 [TimeNs],
        /// Length of the window.
        duration: u64 [DurNs],
        /// Successful calls of malloc(3) and its kin. One of realloc(3) gives back what it was given, and allocates anew.
        count: u64 [Count],
        /// Bytes that they asked for.
        bytes: u64 [Bytes],
        /// Allocations of this place that were given back, wherever that was done.
        frees: u64 [Count],
        /// Their bytes.
        freed_bytes: u64 [Bytes],
        /// What was given back and not seen allocated: from before the recording, or by a parent before fork(2). Only where the stack is 0.
        unknown_frees: u64 [Count],
        /// The process.
        tgid: u32 [Tgid],
        /// User stack of the allocation; 0 when none was taken.
        ustack: u32 [StackId],
        /// Which program of the process: a number that grows with each exec(2) (`self_exec_id`).
        image: u32 [Number],
        /// None is defined yet.
        flags: u32 [Flags(&[])],
    }
}
