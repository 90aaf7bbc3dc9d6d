//! `Latencies`: durations of one kind of operation.

use crate::answer::Cell;
use crate::run::LogHistogram;

/// Durations in ns: their distribution and their sum.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latencies {
    pub(crate) histogram: LogHistogram,
    pub(crate) total: u64,
}

impl Latencies {
    pub(crate) fn add(&mut self, duration: u64) {
        self.histogram.add(duration);
        self.total = self.total.saturating_add(duration);
    }

    pub(crate) fn merge(&mut self, from: &Latencies) {
        self.histogram.merge(&from.histogram);
        self.total = self.total.saturating_add(from.total);
    }

    /// Bytes that it takes at most.
    pub(crate) fn weight(&self) -> usize {
        self.histogram.weight()
    }

    /// The average; no value when there were none.
    pub(crate) fn average(&self) -> Cell {
        Cell::maybe(self.total.checked_div(self.histogram.count()), Cell::DurNs)
    }

    /// The duration that so many of 1000 did not exceed.
    pub(crate) fn percentile(&self, per_mille: u64) -> Cell {
        self.known(self.histogram.percentile(per_mille))
    }

    /// The longest one.
    pub(crate) fn max(&self) -> Cell {
        self.known(self.histogram.max())
    }

    fn known(&self, value: u64) -> Cell {
        Cell::maybe((self.histogram.count() > 0).then_some(value), Cell::DurNs)
    }
}
