//! `wire_fork`: a thread was created.

crate::record! {
    /// A thread was created (`sched_process_fork`).
    WireFork = 65 as "wire_fork", Wire {
        /// When.
        time: u64 [TimeNs],
        /// `start_time` of the new thread.
        start: u64 [TimeNs],
        /// The new thread.
        tid: u32 [Tid],
        /// Its process.
        tgid: u32 [Tgid],
        /// The process that created it.
        parent: u32 [Tgid],
        /// Real user id.
        uid: u32 [Number],
        /// Its name: the first 8 bytes of `comm`.
        comm0: u64 [Number],
        /// The last 8 bytes of `comm`.
        comm1: u64 [Number],
        /// See `task_flag`.
        flags: u32 [Flags(crate::task_flag::NAMES)],
        /// None is defined yet.
        spare: u32 [Number],
    }
}
