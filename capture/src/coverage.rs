//! How much long waiting time has stacks.

use crate::tasks::Tasks;
use ktape_format::schema::{OffCpu, StackCoverage, fact_flag, off_cpu_state};

/// The window that is being added up.
pub(crate) struct Coverage {
    threshold: u64,
    row: StackCoverage,
    taken_before: u64,
}

impl Coverage {
    /// The shortest duration that counts, ns.
    pub(crate) fn threshold(&self) -> u64 {
        self.threshold
    }

    pub(crate) fn new(threshold: u64) -> Coverage {
        Coverage { threshold, row: StackCoverage::default(), taken_before: 0 }
    }

    /// Looks at an off-CPU interval with its stacks.
    pub(crate) fn add(&mut self, fact: &OffCpu, tasks: &Tasks) {
        // A new thread has no stack yet.
        if fact.duration < self.threshold
            || fact.state == off_cpu_state::NEW
            || u16::from(fact.flags) & fact_flag::BEGAN_BEFORE != 0
        {
            return;
        }
        self.row.waits += 1;
        self.row.total += fact.duration;
        if fact.kstack != 0 && (fact.ustack != 0 || tasks.is_kthread(fact.tid)) {
            self.row.both += fact.duration;
        } else if fact.kstack != 0 {
            self.row.kernel_only += fact.duration;
        }
    }

    /// Ends the window; `taken` is the number of stacks taken since the start.
    pub(crate) fn window(&mut self, end: u64, taken: u64) -> Option<StackCoverage> {
        if self.row.waits == 0 && taken == self.taken_before {
            return None;
        }
        let row = StackCoverage {
            end,
            threshold: self.threshold,
            taken: taken - self.taken_before,
            ..self.row
        };
        self.taken_before = taken;
        self.row = StackCoverage::default();
        Some(row)
    }
}
