//! `stack`: a call stack that facts name by id.

/// Which half of the machine a stack belongs to (`stack.side`).
pub mod stack_side {
    /// Kernel frames.
    pub const KERNEL: u8 = 1;
    /// User frames.
    pub const USER: u8 = 2;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] = &[(1, "kernel"), (2, "user")];
}

/// How a stack was unwound (`stack.unwind`).
pub mod stack_unwind {
    /// By the kernel's own unwinder (ORC or frame pointers).
    pub const KERNEL: u8 = 1;
    /// By following frame pointers.
    pub const FRAME_POINTER: u8 = 2;
    /// By call frame information (.eh_frame) of the module.
    pub const CFI: u8 = 3;
    /// By frame pointers and call frame information together.
    pub const MIXED: u8 = 4;
    /// By an interpreter's or runtime's own tables.
    pub const RUNTIME: u8 = 5;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] =
        &[(1, "kernel"), (2, "frame_pointer"), (3, "cfi"), (4, "mixed"), (5, "runtime")];
}

/// How far a stack walk came (`stack.end`).
pub mod stack_end {
    /// It reached the thread's first frame.
    pub const COMPLETE: u8 = 1;
    /// It ended early: the next frame pointer led nowhere (code built without frame pointers).
    pub const TRUNCATED: u8 = 2;
    /// It stopped at the limit of frames.
    pub const DEPTH_LIMIT: u8 = 3;
    /// User memory could not be read (paged out).
    pub const FAULT: u8 = 4;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] =
        &[(1, "complete"), (2, "truncated"), (3, "depth_limit"), (4, "fault")];
}

crate::record! {
    /// A call stack: its innermost node, whose it is, and how well the walk went.
    Stack = 26 as "stack", Definition {
        /// Its id, from 1.
        id: u32 [StackId],
        /// Its innermost node.
        node: u32 [NodeId],
        /// The process it was seen in first; 0 for kernel stacks.
        tgid: u32 [Tgid],
        /// Kernel or user.
        side: u8 [Enum(stack_side::NAMES)],
        /// How it was unwound.
        unwind: u8 [Enum(stack_unwind::NAMES)],
        /// How far the walk came.
        end: u8 [Enum(stack_end::NAMES)],
        /// None is defined yet.
        flags: u8 [Flags(&[])],
    }
}
