//! `Wait`: an off-CPU interval as paths need it.

use ktape_schema::{fact_flag, off_cpu_state};

/// In place of a waker: nobody, or an interrupt.
pub(super) const NOBODY: u64 = u64::MAX;

/// An off-CPU interval, ordered by its length, then by what else tells it from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wait {
    /// Nanoseconds.
    pub(super) duration: u64,
    /// Monotonic ns.
    pub(super) end: u64,
    /// A [`crate::context::ThreadKey`].
    pub(super) thread: u64,
    /// The part of it at its end in which it waited for a CPU, ns.
    pub(super) runq: u64,
    /// A thread key, or [`NOBODY`].
    pub(super) waker: u64,
    pub(super) syscall: u16,
    pub(super) state: u8,
    pub(super) flags: u8,
}

impl Wait {
    /// When it left the CPU, monotonic ns.
    pub(super) fn start(&self) -> u64 {
        self.end.saturating_sub(self.duration)
    }

    /// When it became runnable, monotonic ns.
    pub(super) fn woken(&self) -> u64 {
        self.end.saturating_sub(self.runq)
    }

    /// Whether it was runnable all the time.
    pub(super) fn was_runnable(&self) -> bool {
        self.runq == self.duration
            || matches!(self.state, off_cpu_state::PREEMPTED | off_cpu_state::YIELDED)
    }

    /// Whether it was still going on at the stop.
    pub(super) fn is_open(&self) -> bool {
        u16::from(self.flags) & fact_flag::OPEN != 0
    }
}
