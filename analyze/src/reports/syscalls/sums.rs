//! `Sums`: what is counted of one system call of one process, and over several of them.

use crate::run::Fold;

/// Exact sums. All of them add up without order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) count: u64,
    pub(super) errors: u64,
    /// Nanoseconds in all.
    pub(super) total: u64,
    /// The longest call that is known, ns.
    pub(super) max: u64,
}

impl Fold for Sums {
    fn fold(&mut self, other: Sums) {
        self.count = self.count.saturating_add(other.count);
        self.errors = self.errors.saturating_add(other.errors);
        self.total = self.total.saturating_add(other.total);
        self.max = self.max.max(other.max);
    }
}

impl Sums {
    /// Whether `max` is not what it seems: the calls of this process took time, and the longest of
    /// them was not longer than one before the window.
    pub(super) fn lacks_max(&self) -> bool {
        self.total > 0 && self.max == 0
    }

    pub(super) fn average(&self) -> u64 {
        self.total.checked_div(self.count).unwrap_or(0)
    }
}

/// Sums over processes or calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) sums: Sums,
    /// Some part of it [`Sums::lacks_max`].
    max_unknown: bool,
}

impl Group {
    pub(super) fn add(&mut self, part: Sums) {
        self.max_unknown |= part.lacks_max();
        self.sums.fold(part);
    }

    /// The longest call, when that is known.
    pub(super) fn max(&self) -> Option<u64> {
        (!self.max_unknown).then_some(self.sums.max)
    }
}
