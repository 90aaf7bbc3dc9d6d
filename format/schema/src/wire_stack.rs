//! `wire_stack`: a stack on its way to the recorder.

use crate::{stack_end, stack_side, stack_unwind};

/// Bits of `wire_stack.flags`.
pub mod wire_stack_flag {
    /// Its first frames are those of the kernel program that took it, and of what called that.
    pub const PROGRAM: u8 = 1;
    /// Its thread was going to sleep: the last frames it went through are the scheduler's.
    pub const LEAVING: u8 = 2;
    /// Its thread slept: those frames, and the slow paths of locks, are left out
    /// (`stack_trace_save_tsk()`), so that the first frame is one that called, too.
    pub const WAITING: u8 = 4;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] = &[(1, "program"), (2, "leaving"), (4, "waiting")];
}

crate::record! {
    /// A stack that the kernel program met for the first time. `count` addresses of 8 bytes follow, innermost first.
    WireStack = 64 as "wire_stack", Wire {
        /// When it was taken: it is resolved against the mappings of that time.
        time: u64 [TimeNs],
        /// The id that facts of this recording use for it.
        id: u32 [StackId],
        /// The process; 0 for kernel stacks.
        tgid: u32 [Tgid],
        /// Addresses that follow.
        count: u32 [Count],
        /// Kernel or user.
        side: u8 [Enum(stack_side::NAMES)],
        /// How it was unwound.
        unwind: u8 [Enum(stack_unwind::NAMES)],
        /// How far the walk came.
        end: u8 [Enum(stack_end::NAMES)],
        /// See `wire_stack_flag`.
        flags: u8 [Flags(wire_stack_flag::NAMES)],
    }
}
