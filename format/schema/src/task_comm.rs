//! `task_comm`: a thread has another name from here on.

crate::record! {
    /// A thread changed its name (prctl(PR_SET_NAME) or a write to /proc/PID/comm).
    TaskComm = 19 as "task_comm", Definition {
        /// When (`task_rename`).
        time: u64 [TimeNs],
        /// The thread.
        tid: u32 [Tid],
        /// Its process.
        tgid: u32 [Tgid],
        /// Its new name.
        comm: u32 [StringId],
        /// None is defined yet.
        flags: u32 [Flags(&[])],
    }
}
