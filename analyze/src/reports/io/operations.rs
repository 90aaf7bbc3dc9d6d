//! Sums of operations on files.

use ktape_schema::{io_flag, io_op};

use super::Call;
use crate::answer::Cell;
use crate::latencies::Latencies;
use crate::run::Fold;

impl Call {
    pub(super) fn is(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    pub(super) fn is_open(&self) -> bool {
        self.is(io_flag::OPEN)
    }
}

/// Operations: open ones count with the time that they had taken by the stop.
#[derive(Clone, Debug, Default)]
pub(super) struct Operations {
    pub(super) times: Latencies,
    pub(super) open: u64,
    pub(super) errors: u64,
    pub(super) read_bytes: u64,
    pub(super) written_bytes: u64,
}

impl Operations {
    pub(super) fn add(&mut self, call: &Call) {
        self.times.add(call.duration);
        self.open += u64::from(call.is_open());
        self.errors += u64::from(call.error != 0);
        match call.op {
            io_op::READ => self.read_bytes = self.read_bytes.saturating_add(call.bytes),
            io_op::WRITE => self.written_bytes = self.written_bytes.saturating_add(call.bytes),
            _ => {}
        }
    }

    pub(super) fn merge(&mut self, from: &Operations) {
        self.times.merge(&from.times);
        self.open += from.open;
        self.errors += from.errors;
        self.read_bytes = self.read_bytes.saturating_add(from.read_bytes);
        self.written_bytes = self.written_bytes.saturating_add(from.written_bytes);
    }

    pub(super) fn count(&self) -> u64 {
        self.times.histogram.count()
    }

    /// Columns of [`Operations::cells`].
    pub(super) const COLUMNS: [(&str, &str); 11] = [
        ("count", "calls"),
        ("total_time_ns", "total"),
        ("percentage", "of all"),
        ("avg_ns", "average"),
        ("p50_ns", "p50"),
        ("p99_ns", "p99"),
        ("max_ns", "max"),
        ("read_bytes", "read"),
        ("written_bytes", "written"),
        ("errors", "errors"),
        ("open", "open"),
    ];

    pub(super) fn cells(&self, whole: u64) -> [Cell; 11] {
        [
            Cell::Count(self.count()),
            Cell::DurNs(self.times.total),
            Cell::Percent { part: self.times.total, whole },
            self.times.average(),
            self.times.percentile(500),
            self.times.percentile(990),
            self.times.max(),
            Cell::Bytes(self.read_bytes),
            Cell::Bytes(self.written_bytes),
            Cell::Count(self.errors),
            Cell::Count(self.open),
        ]
    }
}

impl Fold for Operations {
    fn fold(&mut self, from: Operations) {
        self.merge(&from);
    }

    fn weight(&self) -> usize {
        self.times.weight()
    }
}
