//! `task_start`: a thread exists from here on.

/// Bits of `task_start.flags`.
pub mod task_flag {
    /// Read from /proc when the recording started, not seen being created.
    pub const SNAPSHOT: u32 = 1;
    /// A thread of the kernel (PF_KTHREAD).
    pub const KTHREAD: u32 = 2;
    /// Known only because a fact named it: it was gone before anything else of it could be read.
    pub const UNKNOWN: u32 = 4;
    /// Started by `ktape record -- command` (the command itself).
    pub const COMMAND: u32 = 8;
    /// Not among those whose facts are recorded: it woke one of them.
    pub const BYSTANDER: u32 = 16;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] =
        &[(1, "snapshot"), (2, "kthread"), (4, "unknown"), (8, "command"), (16, "bystander")];
}

crate::record! {
    /// A thread came into being, or was there when the recording started. A process is the thread whose tid is its tgid.
    TaskStart = 17 as "task_start", Definition {
        /// When it started (`task_struct.start_time`). With the tid it names the thread for good, whatever becomes of the number.
        time: u64 [TimeNs],
        /// When the recorder first knew of it; equal to `time` when it saw the fork.
        seen: u64 [TimeNs],
        /// The thread.
        tid: u32 [Tid],
        /// Its process.
        tgid: u32 [Tgid],
        /// Its parent process; 0 when it has none.
        parent: u32 [Tgid],
        /// Real user id.
        uid: u32 [Number],
        /// Name of the thread.
        comm: u32 [StringId],
        /// Command line of the process, arguments joined by spaces; 0 for kernel threads and threads other than the first.
        cmdline: u32 [StringId],
        /// Path of the executable; 0 for kernel threads and threads other than the first.
        exe: u32 [StringId],
        /// See `task_flag`.
        flags: u32 [Flags(task_flag::NAMES)],
    }
}
