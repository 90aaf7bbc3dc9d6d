//! `task_run`: how much CPU time a thread had used by a moment.

crate::record! {
    /// CPU time and run-queue time of a thread, cumulative since it started (/proc/PID/task/TID/schedstat). Taken at the start and at the stop of the recording; `task_exit` has it for threads that ended.
    TaskRun = 21 as "task_run", Definition {
        /// When it was read.
        time: u64 [TimeNs],
        /// Time on a CPU.
        run: u64 [DurNs],
        /// Time runnable but waiting for a CPU.
        wait: u64 [DurNs],
        /// Times it was given a CPU.
        slices: u64 [Count],
        /// The thread.
        tid: u32 [Tid],
        /// Its process.
        tgid: u32 [Tgid],
    }
}
