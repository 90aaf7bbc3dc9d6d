//! `futex_wait`: waits for user-space locks and whatever else is built of futexes.

/// The call that waited (`futex_wait.op`): uapi/linux/futex.h, without its flags.
pub mod futex_op {
    /// FUTEX_WAIT: glibc's low-level locks and mutexes.
    pub const WAIT: u8 = 0;
    /// FUTEX_LOCK_PI: a mutex with priority inheritance.
    pub const LOCK_PI: u8 = 6;
    /// FUTEX_WAIT_BITSET: condition variables, semaphores, timed locks, joins.
    pub const WAIT_BITSET: u8 = 9;
    /// FUTEX_WAIT_REQUEUE_PI: a condition variable of a mutex with priority inheritance.
    pub const WAIT_REQUEUE_PI: u8 = 11;
    /// FUTEX_LOCK_PI2 (5.14): the same as LOCK_PI with a choice of clocks.
    pub const LOCK_PI2: u8 = 13;
    /// The system call futex_waitv (5.16): any of several.
    pub const WAITV: u8 = 64;
    /// The system call futex_wait (6.7).
    pub const WAIT2: u8 = 65;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] = &[
        (0, "wait"),
        (6, "lock_pi"),
        (9, "wait_bitset"),
        (11, "wait_requeue_pi"),
        (13, "lock_pi2"),
        (64, "futex_waitv"),
        (65, "futex_wait"),
    ];
}

/// How a wait ended (`futex_wait.result`).
pub mod futex_result {
    /// It has not: the recording stopped first.
    pub const OPEN: u8 = 0;
    /// Woken, or given the lock.
    pub const WOKEN: u8 = 1;
    /// ETIMEDOUT.
    pub const TIMED_OUT: u8 = 2;
    /// A signal came; the C library or the kernel waits again.
    pub const INTERRUPTED: u8 = 3;
    /// Another error after it had slept, such as EDEADLK or EOWNERDEAD.
    pub const FAILED: u8 = 4;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] = &[
        (0, "open"),
        (1, "woken"),
        (2, "timed_out"),
        (3, "interrupted"),
        (4, "failed"),
    ];
}

/// How the owner of a lock is known (`futex_wait.owner_by`).
pub mod futex_owner {
    /// It is not.
    pub const UNKNOWN: u8 = 0;
    /// The word of a futex with priority inheritance holds the owner's number: the kernel's own rule.
    pub const PI_WORD: u8 = 1;
    /// The word is that of a glibc mutex: `__owner` 8 bytes behind it, a valid `__kind` at 16.
    pub const GLIBC_MUTEX: u8 = 2;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] = &[(0, "unknown"), (1, "pi_word"), (2, "glibc_mutex")];
}

/// Bits of `futex_wait.flags`; the first two as in `fact_flag`.
pub mod futex_flag {
    /// Still waiting when the recording stopped.
    pub const OPEN: u16 = 1;
    /// It had begun before the recording started; `duration` is counted from the first sight of it.
    pub const BEGAN_BEFORE: u16 = 2;
    /// Not FUTEX_PRIVATE_FLAG: the word may lie in memory that several processes share, each of which can have it at another address.
    pub const SHARED: u16 = 4;
    /// The wait had a time limit.
    pub const TIMED: u16 = 8;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] =
        &[(1, "open"), (2, "began_before"), (4, "shared"), (8, "timed")];
}

crate::record! {
    /// A thread waited in a futex call: for a lock, a condition, a semaphore, the end of a thread. Calls that found the word changed (EAGAIN) did not wait and make no row.
    FutexWait = 40 as "futex_wait", Fact {
        /// When the call returned; the stop of the recording when open.
        end: u64 [TimeNs],
        /// How long it was in the call, from the call's entry.
        duration: u64 [DurNs],
        /// The futex word, in the address space of the process: with the process it identifies the lock. Of several (futex_waitv) the first.
        address: u64 [Address],
        /// The thread.
        tid: u32 [Tid],
        /// Its process.
        tgid: u32 [Tgid],
        /// The thread whose wake-up (`sched_waking`) ended the wait; 0 when it was not woken by a thread, or before it slept.
        waker: u32 [Tid],
        /// The waker's process.
        waker_tgid: u32 [Tgid],
        /// The thread that held the lock when the wait began; 0 when that is not known.
        owner: u32 [Tid],
        /// The owner's process.
        owner_tgid: u32 [Tgid],
        /// User stack; 0 when none was taken.
        ustack: u32 [StackId],
        /// The value that the caller expected in the word (`val`); of LOCK_PI, which expects none, the word as it was.
        word: u32 [Number],
        /// The CPU on which the call returned; when open that of its entry.
        cpu: u16 [Cpu],
        /// See `futex_flag`.
        flags: u16 [Flags(futex_flag::NAMES)],
        /// The call.
        op: u8 [Enum(futex_op::NAMES)],
        /// How it ended.
        result: u8 [Enum(futex_result::NAMES)],
        /// How the owner is known.
        owner_by: u8 [Enum(futex_owner::NAMES)],
        /// Words that it waited for: 1, or as many as futex_waitv was given.
        words: u8 [Count],
    }
}
