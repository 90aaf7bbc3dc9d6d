//! What is added up of waits, and what kind of wait each is.

use ktape_schema::{futex_flag, futex_op, futex_owner};

use crate::answer::Cell;
use crate::run::{Fold, LogHistogram};

/// What a wait in a futex call was for, as far as that can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Its owner is known.
    Mutex,
    /// The word was 2: contended, in locks of glibc and of Rust.
    Lock,
    /// The word was the number of a thread of the process: it is waited for.
    Join,
    /// Anything else.
    Other,
}

impl Kind {
    pub(super) const ALL: [Kind; 4] = [Kind::Mutex, Kind::Lock, Kind::Join, Kind::Other];

    /// The kind of one wait. `awaited` tells whether its word is a thread of its process.
    pub(super) fn of(
        op: u8,
        owner_by: u8,
        word: u32,
        flags: u16,
        awaited: impl FnOnce() -> bool,
    ) -> Kind {
        if owner_by != futex_owner::UNKNOWN || matches!(op, futex_op::LOCK_PI | futex_op::LOCK_PI2)
        {
            return Kind::Mutex;
        }
        // Both C libraries wake with FUTEX_WAKE, not its private form, where the kernel clears the word.
        let shared = flags & futex_flag::SHARED != 0;
        if shared && word > 2 && matches!(op, futex_op::WAIT | futex_op::WAIT_BITSET) && awaited() {
            return Kind::Join;
        }
        if word == 2 && matches!(op, futex_op::WAIT | futex_op::WAIT_BITSET) {
            return Kind::Lock;
        }
        Kind::Other
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Mutex => "mutex",
            Kind::Lock => "lock",
            Kind::Join => "join",
            Kind::Other => "other",
        }
    }
}

/// A wait, ordered by its duration, then by who was involved: thread keys plus 1, 0 for nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Longer {
    pub(super) duration: u64,
    pub(super) owner: u64,
    pub(super) waker: u64,
}

/// Waits, added up.
#[derive(Clone, Debug, Default)]
pub(super) struct Waits {
    pub(super) histogram: LogHistogram,
    pub(super) total: u64,
    pub(super) longest: Longer,
    /// Bits of the kinds that occurred.
    kinds: u8,
    pub(super) shared: bool,
}

impl Waits {
    pub(super) const COLUMNS: [(&'static str, &'static str); 8] = [
        ("count", "waits"),
        ("total_ns", "total"),
        ("percentage", "of all"),
        ("avg_ns", "average"),
        ("p50_ns", "p50"),
        ("p90_ns", "p90"),
        ("p99_ns", "p99"),
        ("max_ns", "max"),
    ];

    pub(super) fn add(&mut self, wait: Longer, kind: Kind, shared: bool) {
        self.histogram.add(wait.duration);
        self.total = self.total.saturating_add(wait.duration);
        self.longest = self.longest.max(wait);
        self.kinds |= 1 << kind as u8;
        self.shared |= shared;
    }

    pub(super) fn merge(&mut self, from: &Waits) {
        self.histogram.merge(&from.histogram);
        self.total = self.total.saturating_add(from.total);
        self.longest = self.longest.max(from.longest);
        self.kinds |= from.kinds;
        self.shared |= from.shared;
    }

    pub(super) fn count(&self) -> u64 {
        self.histogram.count()
    }

    /// The kind that says most: one wait in which a mutex was recognised makes it a mutex.
    pub(super) fn kind(&self) -> Kind {
        let has = |kind: &&Kind| self.kinds & 1 << **kind as u8 != 0;
        Kind::ALL.iter().find(has).copied().unwrap_or(Kind::Other)
    }

    /// The cells of [`Waits::COLUMNS`].
    pub(super) fn cells(&self, whole: u64) -> Vec<Cell> {
        let count = self.count();
        vec![
            Cell::Count(count),
            Cell::DurNs(self.total),
            Cell::Percent { part: self.total, whole },
            Cell::DurNs(self.total.checked_div(count).unwrap_or(0)),
            Cell::DurNs(self.histogram.percentile(500)),
            Cell::DurNs(self.histogram.percentile(900)),
            Cell::DurNs(self.histogram.percentile(990)),
            Cell::DurNs(self.histogram.max()),
        ]
    }
}

impl Fold for Waits {
    fn fold(&mut self, from: Waits) {
        self.merge(&from);
    }

    fn weight(&self) -> usize {
        self.histogram.weight()
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, futex_flag, futex_op, futex_owner};

    fn check(op: u8, owner_by: u8, word: u32, flags: u16, expected: Kind) {
        assert_eq!(Kind::of(op, owner_by, word, flags, || word == 77), expected);
    }

    #[test]
    fn kinds_follow_from_what_is_known() {
        check(futex_op::WAIT, futex_owner::GLIBC_MUTEX, 2, 0, Kind::Mutex);
        check(futex_op::LOCK_PI, futex_owner::UNKNOWN, 0, 0, Kind::Mutex);
        check(futex_op::WAIT_BITSET, 0, 2, 0, Kind::Lock);
        check(futex_op::WAIT_BITSET, 0, 77, futex_flag::SHARED, Kind::Join);
        check(futex_op::WAIT_BITSET, 0, 77, 0, Kind::Other);
        check(futex_op::WAIT_BITSET, 0, 78, futex_flag::SHARED, Kind::Other);
        check(futex_op::WAITV, 0, 2, 0, Kind::Other);
        check(futex_op::WAIT, 0, 0, 0, Kind::Other);
    }
}
