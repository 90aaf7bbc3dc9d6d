//! `Counts`: what was counted of a thread, a process, or all.

use ktape_format::Batch;
use ktape_schema::{counted_event, counter_total_flag};

use crate::answer::Cell;
use crate::context::Context;
use crate::run::{Fold, Slots};

/// The columns of `counter_total` that are added up, in the order of [`Counts`].
pub(super) const COLUMNS: [&str; 11] = [
    "task_clock",
    "voluntary_switches",
    "involuntary_switches",
    "migrations",
    "minor_faults",
    "major_faults",
    "cycles",
    "instructions",
    "cache_misses",
    "branch_misses",
    "cpu_clock",
];

/// Sums over rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    sums: [u64; COLUMNS.len()],
    /// Events that some of the rows count.
    counted: u32,
    pub(super) scaled: bool,
}

impl Fold for Counts {
    fn fold(&mut self, from: Counts) {
        for (sum, from) in self.sums.iter_mut().zip(from.sums) {
            *sum = sum.saturating_add(from);
        }
        self.counted |= from.counted;
        self.scaled |= from.scaled;
    }
}

pub(super) fn scan(cx: &Context<'_>, batch: &Batch, threads: &mut Slots<Counts>) {
    let columns = COLUMNS.map(|name| batch.u64(name));
    let (ends, tids, tgids) = (batch.u64("end"), batch.u32("tid"), batch.u32("tgid"));
    let (flags, counted) = (batch.u32("flags"), batch.u32("counted"));
    for row in 0..batch.rows() {
        let thread = cx.tasks().thread_key(tids[row], tgids[row], ends[row]).0;
        threads.at(thread).fold(Counts {
            sums: columns.map(|column| column[row]),
            counted: counted[row],
            scaled: flags[row] & counter_total_flag::SCALED != 0,
        });
    }
}

impl Counts {
    pub(super) fn is_empty(&self) -> bool {
        self.sums.iter().all(|sum| *sum == 0)
    }

    pub(super) fn task_clock(&self) -> u64 {
        self.sums[0]
    }

    pub(super) fn voluntary(&self) -> u64 {
        self.sums[1]
    }

    pub(super) fn involuntary(&self) -> u64 {
        self.sums[2]
    }

    pub(super) fn switches(&self) -> u64 {
        self.voluntary().saturating_add(self.involuntary())
    }

    pub(super) fn migrations(&self) -> u64 {
        self.sums[3]
    }

    pub(super) fn faults(&self) -> u64 {
        self.sums[4].saturating_add(self.sums[5])
    }

    pub(super) fn major_faults(&self) -> u64 {
        self.sums[5]
    }

    /// The count of an event (a bit of [`counted_event`]), if it was counted.
    pub(super) fn event(&self, event: u32) -> Option<u64> {
        let at = 6 + event.trailing_zeros() as usize;
        (self.counted & event != 0).then(|| self.sums.get(at).copied()).flatten()
    }

    /// Instructions per cycle.
    pub(super) fn per_cycle(&self) -> Cell {
        let both = self.event(counted_event::INSTRUCTIONS).zip(self.event(counted_event::CYCLES));
        Cell::maybe(both, |(part, whole)| Cell::Quotient { part, whole })
    }

    /// How often an event happened in a thousand instructions.
    pub(super) fn per_thousand(&self, event: u32) -> Cell {
        let both = self.event(event).zip(self.event(counted_event::INSTRUCTIONS));
        Cell::maybe(both, |(count, whole)| Cell::Quotient {
            part: count.saturating_mul(1000),
            whole,
        })
    }
}
