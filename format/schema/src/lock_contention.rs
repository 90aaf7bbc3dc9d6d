//! `lock_contention`: waits for locks of the kernel.

/// What kind of lock, and how it was wanted (`lock_contention.how`): LCB_F_* of include/trace/events/lock.h.
pub mod lock_how {
    /// The waiter spun; together with MUTEX: at least at first.
    pub const SPIN: u8 = 1;
    /// For reading.
    pub const READ: u8 = 2;
    /// For writing.
    pub const WRITE: u8 = 4;
    /// An rt_mutex.
    pub const RT: u8 = 8;
    /// A per-CPU rw-semaphore.
    pub const PERCPU: u8 = 16;
    /// A mutex.
    pub const MUTEX: u8 = 32;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] =
        &[(1, "spin"), (2, "read"), (4, "write"), (8, "rt"), (16, "percpu"), (32, "mutex")];
}

/// Bits of `lock_contention.flags`.
pub mod lock_flag {
    /// Still waiting when the recording stopped.
    pub const OPEN: u8 = 1;
    /// It gave up: a signal came, or it would have been a deadlock.
    pub const FAILED: u8 = 2;
    /// The lock is the `mmap_lock` of the waiter's own address space.
    pub const MMAP_LOCK: u8 = 4;
    /// The lock is the `siglock` of the waiter's own signal handlers.
    pub const SIGLOCK: u8 = 8;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] =
        &[(1, "open"), (2, "failed"), (4, "mmap_lock"), (8, "siglock")];
}

crate::record! {
    /// A thread waited for a lock of the kernel that another one held.
    LockContention = 41 as "lock_contention", Fact {
        /// When it got the lock (`contention_end`); the stop of the recording when open.
        end: u64 [TimeNs],
        /// How long it waited, from the first `contention_begin`.
        duration: u64 [DurNs],
        /// A number of our own for the lock, the same throughout the recording; 0 when there were too many locks. Kernel addresses are not told.
        lock: u32 [Number],
        /// Symbol of the lock when it is a static one; empty otherwise. x86-64 only.
        name: u32 [StringId],
        /// The thread; of a spinning interrupt the one that it interrupted, or 0.
        tid: u32 [Tid],
        /// Its process.
        tgid: u32 [Tgid],
        /// Kernel stack of the waiter; 0 when none was taken.
        kstack: u32 [StackId],
        /// The CPU.
        cpu: u16 [Cpu],
        /// Kind of lock.
        how: u8 [Flags(lock_how::NAMES)],
        /// See `lock_flag`.
        flags: u8 [Flags(lock_flag::NAMES)],
    }
}
