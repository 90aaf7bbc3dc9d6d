//! `Coverage`: how much long waiting time has stacks.

use super::loader::Loader;

/// Sums of `stack_coverage` rows. A trace without them has `waits` 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Waits shorter than this were not counted, ns.
    pub threshold: u64,
    /// Number of waits counted.
    pub waits: u64,
    /// Their off-CPU time in all, ns.
    pub total: u64,
    /// Of it, in waits with kernel and user stack, ns.
    pub both: u64,
    /// Of it, in waits with a kernel stack only, ns.
    pub kernel_only: u64,
    /// Stacks taken by the kernel program, needed or not.
    pub taken: u64,
}

/// The windows of a trace, by their end.
#[derive(Debug, Default)]
pub struct Coverages {
    windows: Vec<(u64, Coverage)>,
}

impl Coverages {
    pub(crate) fn load(loader: &mut Loader<'_>) -> Self {
        let mut windows = Vec::new();
        let columns = ["end", "threshold", "waits", "total", "both", "kernel_only", "taken"];
        loader.each("stack_coverage", &columns, |batch| {
            windows.extend((0..batch.rows()).map(|row| {
                let coverage = Coverage {
                    threshold: batch.u64("threshold")[row],
                    waits: batch.u64("waits")[row],
                    total: batch.u64("total")[row],
                    both: batch.u64("both")[row],
                    kernel_only: batch.u64("kernel_only")[row],
                    taken: batch.u64("taken")[row],
                };
                (batch.u64("end")[row], coverage)
            }));
        });
        windows.sort_by_key(|window| window.0);
        Self { windows }
    }

    /// The sum over the windows that end from `from` to `to`, both inside.
    pub fn within(&self, from: u64, to: u64) -> Coverage {
        let mut sum = Coverage::default();
        for (end, window) in &self.windows {
            if !(from..=to).contains(end) {
                continue;
            }
            sum.threshold = sum.threshold.max(window.threshold);
            sum.waits = sum.waits.saturating_add(window.waits);
            sum.total = sum.total.saturating_add(window.total);
            sum.both = sum.both.saturating_add(window.both);
            sum.kernel_only = sum.kernel_only.saturating_add(window.kernel_only);
            sum.taken = sum.taken.saturating_add(window.taken);
        }
        sum
    }
}
