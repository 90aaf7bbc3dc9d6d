//! `task_exit`: a thread ended.

crate::record! {
    /// A thread ended. The process ends with its last thread.
    TaskExit = 20 as "task_exit", Definition {
        /// When (`sched_process_exit`).
        time: u64 [TimeNs],
        /// When it had started (`task_struct.start_time`).
        start: u64 [TimeNs],
        /// CPU time of the thread over its whole life (`se.sum_exec_runtime`; exact if the probe `sched` saw its last turn, else up to a tick short).
        run: u64 [DurNs],
        /// The thread.
        tid: u32 [Tid],
        /// Its process.
        tgid: u32 [Tgid],
        /// Exit status as wait(2) gives it (`exit_code`): status << 8 | signal.
        code: u32 [Number],
        /// Threads of the process still alive after it (`signal->live`).
        live: u32 [Count],
    }
}
