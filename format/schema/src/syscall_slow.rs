//! `syscall_slow`: single system calls over the threshold.

use crate::fact_flag;

crate::record! {
    /// One system call took longer than the threshold (or had not returned when the recording stopped).
    SyscallSlow = 5 as "syscall_slow", Fact {
        /// When it returned; the stop of the recording when open.
        end: u64 [TimeNs],
        /// How long it took, from `sys_enter` to `sys_exit`.
        duration: u64 [DurNs],
        /// What it returned; negative is an errno. 0 when open.
        ret: i64 [Number],
        /// The thread.
        tid: u32 [Tid],
        /// Its process.
        tgid: u32 [Tgid],
        /// The system call. With 0x80000000 added: a number of the 32-bit table of an x86-64 kernel.
        nr: u32 [Syscall],
        /// User stack at its return; 0 when open or none was taken.
        ustack: u32 [StackId],
        /// The CPU on which it returned.
        cpu: u16 [Cpu],
        /// See `fact_flag`.
        flags: u16 [Flags(fact_flag::NAMES)],
        /// The first argument (often a file descriptor), the low half.
        arg0: u32 [Number],
    }
}
