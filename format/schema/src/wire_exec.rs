//! `wire_exec`: a process runs another program.

crate::record! {
    /// A process called execve(2) (`sched_process_exec`). `exe_len` bytes of path and `args_len` bytes of NUL-separated arguments follow.
    WireExec = 66 as "wire_exec", Wire {
        /// When.
        time: u64 [TimeNs],
        /// The process.
        tgid: u32 [Tgid],
        /// Its former tid.
        old_tid: u32 [Tid],
        /// Its new name: the first 8 bytes of `comm`.
        comm0: u64 [Number],
        /// The last 8 bytes of `comm`.
        comm1: u64 [Number],
        /// Real user id.
        uid: u32 [Number],
        /// Bytes of path that follow.
        exe_len: u32 [Count],
        /// Bytes of arguments that follow the path.
        args_len: u32 [Count],
        /// None is defined yet.
        spare: u32 [Number],
    }
}
