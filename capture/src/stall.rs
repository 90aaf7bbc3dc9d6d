//! What a flight recorder takes for a stall.

use ktape_format::schema::{OffCpu, off_cpu_state};

/// A wait that nobody can have wanted: uninterruptible, for a disk, or for a CPU.
///
/// `report stalls` lists it, too, and with it the sleeps of threads that wait for a timer, a peer or
/// each other: of these an idle host is full, so they cannot be what a dump waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stall {
    /// How long it was, ns.
    pub(crate) duration: u64,
    /// The thread.
    pub(crate) tid: u32,
}

impl Stall {
    /// What of a wait was a stall.
    pub(crate) fn of(fact: &OffCpu) -> Option<Stall> {
        let blocked = [off_cpu_state::UNINTERRUPTIBLE, off_cpu_state::IO_WAIT];
        let duration = if blocked.contains(&fact.state) { fact.duration } else { fact.runq };
        (duration > 0).then_some(Stall { duration, tid: fact.tid })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(state: u8, runq: u64, expected: u64) {
        let fact = OffCpu { duration: 100, runq, state, tid: 7, ..OffCpu::default() };
        assert_eq!(Stall::of(&fact).map_or(0, |stall| stall.duration), expected);
    }

    #[test]
    fn sleeps_are_none() {
        check(off_cpu_state::SLEEPING, 0, 0);
        check(off_cpu_state::IDLE, 0, 0);
        check(off_cpu_state::SLEEPING, 30, 30);
        check(off_cpu_state::PREEMPTED, 100, 100);
        check(off_cpu_state::UNINTERRUPTIBLE, 5, 100);
        check(off_cpu_state::IO_WAIT, 0, 100);
    }
}
