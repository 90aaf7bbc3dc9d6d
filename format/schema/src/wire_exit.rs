//! `wire_exit`: a thread ended.

crate::record! {
    /// A thread ended (`sched_process_exit`).
    WireExit = 68 as "wire_exit", Wire {
        /// When.
        time: u64 [TimeNs],
        /// `start_time` of the thread.
        start: u64 [TimeNs],
        /// Its CPU time (`se.sum_exec_runtime`).
        run: u64 [DurNs],
        /// The thread.
        tid: u32 [Tid],
        /// Its process.
        tgid: u32 [Tgid],
        /// `exit_code`.
        code: u32 [Number],
        /// `signal->live`: threads of the process that are left.
        live: u32 [Count],
        /// The process that created its process.
        parent: u32 [Tgid],
        /// Real user id.
        uid: u32 [Number],
        /// Its name: the first 8 bytes of `comm`.
        comm0: u64 [Number],
        /// The last 8 bytes of `comm`.
        comm1: u64 [Number],
    }
}
