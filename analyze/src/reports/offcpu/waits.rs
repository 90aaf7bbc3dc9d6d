//! `Waits`: what is summed up per thread and per process.

use crate::answer::Cell;
use crate::run::Fold;
use crate::wait_class::WaitClass;

/// Sums over waits.
#[derive(Clone, Debug, Default)]
pub(super) struct Waits {
    pub(super) count: u64,
    pub(super) total: u64,
    pub(super) runq: u64,
    pub(super) max: u64,
    /// `u64::MAX - smallest`, so that a fresh one needs no special case.
    above_min: u64,
    /// Blocked time by class.
    pub(super) classes: [u64; WaitClass::COUNT],
}

impl Fold for Waits {
    fn fold(&mut self, from: Waits) {
        self.merge(&from);
    }
}

impl Waits {
    #[inline]
    pub(super) fn add(&mut self, duration: u64, runq: u64, class: usize) {
        let runq = runq.min(duration);
        self.count += 1;
        self.total = self.total.wrapping_add(duration);
        self.runq = self.runq.wrapping_add(runq);
        self.max = self.max.max(duration);
        self.above_min = self.above_min.max(u64::MAX - duration);
        let blocked = &mut self.classes[class];
        *blocked = blocked.wrapping_add(duration - runq);
    }

    pub(super) fn merge(&mut self, from: &Waits) {
        self.count += from.count;
        self.total = self.total.wrapping_add(from.total);
        self.runq = self.runq.wrapping_add(from.runq);
        self.max = self.max.max(from.max);
        self.above_min = self.above_min.max(from.above_min);
        for (into, from) in self.classes.iter_mut().zip(from.classes) {
            *into = into.wrapping_add(from);
        }
    }

    pub(super) fn min(&self) -> u64 {
        if self.count == 0 { 0 } else { u64::MAX - self.above_min }
    }

    pub(super) fn average(&self) -> u64 {
        self.total.checked_div(self.count).unwrap_or(0)
    }

    pub(super) fn class(&self, class: WaitClass) -> u64 {
        self.classes[class as usize]
    }

    /// The columns that all tables of the report share; `whole` is the total of all waits.
    pub(super) const COLUMNS: [(&'static str, &'static str); 13] = [
        ("count", "waits"),
        ("total_time_ns", "total"),
        ("percentage", "share"),
        ("avg_time_ns", "average"),
        ("min_time_ns", "min"),
        ("max_time_ns", "max"),
        ("runq_ns", "runq"),
        ("sleep_ns", "sleep"),
        ("io_ns", "io"),
        ("lock_ns", "lock"),
        ("poll_ns", "poll"),
        ("child_ns", "child"),
        ("other_ns", "other"),
    ];

    pub(super) fn cells(&self, whole: u64) -> [Cell; 13] {
        let blocked = |class| Cell::DurNs(self.class(class));
        [
            Cell::Count(self.count),
            Cell::DurNs(self.total),
            Cell::Percent { part: self.total, whole },
            Cell::DurNs(self.average()),
            Cell::DurNs(self.min()),
            Cell::DurNs(self.max),
            Cell::DurNs(self.runq),
            blocked(WaitClass::Sleep),
            blocked(WaitClass::Io),
            blocked(WaitClass::Lock),
            blocked(WaitClass::Poll),
            blocked(WaitClass::Child),
            Cell::DurNs(self.class(WaitClass::Other).wrapping_add(self.class(WaitClass::Runq))),
        ]
    }
}
