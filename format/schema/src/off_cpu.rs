//! `off_cpu`: the central fact of the scheduling probe.

/// Why a thread left the CPU (`off_cpu.state`).
pub mod off_cpu_state {
    /// It was still runnable: the scheduler gave the CPU to another thread.
    pub const PREEMPTED: u8 = 0;
    /// TASK_INTERRUPTIBLE: waits for an event, a signal may end it.
    pub const SLEEPING: u8 = 1;
    /// TASK_UNINTERRUPTIBLE: waits for an event, no signal ends it.
    pub const UNINTERRUPTIBLE: u8 = 2;
    /// TASK_UNINTERRUPTIBLE with `in_iowait` set: waits for a block device.
    pub const IO_WAIT: u8 = 3;
    /// Stopped by a signal or by a tracer.
    pub const STOPPED: u8 = 4;
    /// TASK_IDLE: a kernel thread that waits for work and does not count as load.
    pub const IDLE: u8 = 5;
    /// Parked, dead or any other state.
    pub const OTHER: u8 = 6;
    /// A new thread, from its creation to its first run.
    pub const NEW: u8 = 7;
    /// sched_yield(2): it gave the CPU up itself, and was still runnable.
    pub const YIELDED: u8 = 8;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] = &[
        (0, "preempted"),
        (1, "sleeping"),
        (2, "uninterruptible"),
        (3, "io_wait"),
        (4, "stopped"),
        (5, "idle"),
        (6, "other"),
        (7, "new"),
        (8, "yielded"),
    ];
}

/// Bits of `off_cpu.flags` and `syscall_slow.flags`.
pub mod fact_flag {
    /// Still going on when the recording stopped; `duration` is what had passed by then.
    pub const OPEN: u16 = 1;
    /// It had begun before the recording started; `duration` is counted from the first sight of it.
    pub const BEGAN_BEFORE: u16 = 2;
    /// The kernel stack was taken at the end of the wait, not at its start: it has no functions of the
    /// scheduler and no slow paths of locks. The user stack, if any, was taken when the thread returned
    /// to user mode, where it stood as when it left.
    pub const LATE_STACK: u16 = 4;
    /// The switch to it was not seen, only the next one away from it; `end` is reckoned from the time
    /// that the scheduler counted for the turn between them (`se.sum_exec_runtime`).
    pub const END_ESTIMATED: u16 = 8;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] =
        &[(1, "open"), (2, "began_before"), (4, "late_stack"), (8, "end_estimated")];
}

crate::record! {
    /// A thread was off the CPU and came back (or had not come back when the recording stopped).
    OffCpu = 1 as "off_cpu", Fact {
        /// When the thread got the CPU back (`sched_switch` with it as `next`); the stop of the recording when open. In steps of 32 ns, as its start and its wake-up.
        end: u64 [TimeNs],
        /// How long it was off the CPU; its start is `end - duration`.
        duration: u64 [DurNs],
        /// The part of `duration` in which it was runnable and waited for a CPU: from `sched_waking` to `end`, or all of it when it was preempted.
        runq: u64 [DurNs],
        /// The thread.
        tid: u32 [Tid],
        /// Its process.
        tgid: u32 [Tgid],
        /// The thread that woke it: the one that ran where it was woken; 0 when it was not woken, or by an interrupt (network packets are told as the doing of the thread that they interrupted), or the CPU was idle.
        waker: u32 [Tid],
        /// The waker's process.
        waker_tgid: u32 [Tgid],
        /// Kernel stack at the time it left the CPU; 0 when none was taken.
        kstack: u32 [StackId],
        /// User stack at the time it left the CPU; 0 when none was taken.
        ustack: u32 [StackId],
        /// The CPU that it got back.
        cpu: u16 [Cpu],
        /// The CPU that it left.
        prev_cpu: u16 [Cpu],
        /// The system call that it was in when it left; 65535 when in none (`pt_regs->orig_ax`).
        syscall: u16 [Syscall],
        /// Why it left: `task_struct.__state` as `sched_switch` saw it.
        state: u8 [Enum(off_cpu_state::NAMES)],
        /// See `fact_flag`.
        flags: u8 [Flags(fact_flag::NAMES)],
    }
}
