//! `task_exec`: a process runs another program from here on.

crate::record! {
    /// A process called execve(2): from here on its name, command line and mappings are others.
    TaskExec = 18 as "task_exec", Definition {
        /// When (`sched_process_exec`).
        time: u64 [TimeNs],
        /// The process; the thread that called it becomes its first thread.
        tgid: u32 [Tgid],
        /// The tid of the calling thread before it became the first one (`old_pid`).
        old_tid: u32 [Tid],
        /// Its new name.
        comm: u32 [StringId],
        /// Its new command line, arguments joined by spaces.
        cmdline: u32 [StringId],
        /// Path of the executable (`linux_binprm.filename`).
        exe: u32 [StringId],
        /// Real user id.
        uid: u32 [Number],
    }
}
