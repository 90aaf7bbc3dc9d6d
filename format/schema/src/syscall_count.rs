//! `syscall_count`: exact counts of system calls.

crate::record! {
    /// How often a process made one system call within a window (about a second), and how long the calls took in all.
    SyscallCount = 3 as "syscall_count", Fact sums "system calls" in "map of calls" {
        /// When the window ended.
        end: u64 [TimeNs],
        /// Length of the window.
        duration: u64 [DurNs],
        /// Calls that returned in the window (or never return, as exit_group does).
        count: u64 [Count],
        /// Those of them that returned -1 to -4095.
        errors: u64 [Count],
        /// Time spent in them in all, from `sys_enter` to `sys_exit`.
        total: u64 [DurNs],
        /// The longest of them since the recording started, in the window in which it grew; 0 in others.
        max: u64 [DurNs],
        /// The process.
        tgid: u32 [Tgid],
        /// The system call. With 0x80000000 added: a number of the 32-bit table of an x86-64 kernel.
        nr: u32 [Syscall],
    }
}
