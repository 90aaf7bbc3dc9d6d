//! `wire_comm`: a thread changed its name.

crate::record! {
    /// A thread changed its name (`task_rename`).
    WireComm = 67 as "wire_comm", Wire {
        /// When.
        time: u64 [TimeNs],
        /// Its new name: the first 8 bytes of `comm`.
        comm0: u64 [Number],
        /// The last 8 bytes of `comm`.
        comm1: u64 [Number],
        /// The thread.
        tid: u32 [Tid],
        /// Its process.
        tgid: u32 [Tgid],
    }
}
