//! Sums of requests.

use ktape_schema::{block_flag, block_op};

use crate::answer::Cell;
use crate::latencies::Latencies;
use crate::run::Fold;

/// A row of `block_io`, as the sums look at it.
pub(super) struct Request {
    pub(super) duration: u64,
    pub(super) queue: u64,
    pub(super) service: u64,
    pub(super) bytes: u64,
    pub(super) failed: bool,
    pub(super) flags: u16,
    pub(super) op: u8,
    /// How often it was issued to the driver.
    pub(super) issues: u8,
}

impl Request {
    pub(super) fn is(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }
}

/// Requests that completed, and what is known of others.
#[derive(Clone, Debug, Default)]
pub(super) struct Requests {
    pub(super) count: u64,
    pub(super) bytes: u64,
    pub(super) reads: u64,
    pub(super) read_bytes: u64,
    pub(super) writes: u64,
    pub(super) write_bytes: u64,
    pub(super) sequential: u64,
    pub(super) merged: u64,
    pub(super) errors: u64,
    pub(super) began_before: u64,
    /// Not completed at the stop: how many, and the longest.
    pub(super) open: u64,
    pub(super) open_max: u64,
    pub(super) whole: Latencies,
    pub(super) queue: Latencies,
    pub(super) service: Latencies,
}

impl Requests {
    pub(super) fn add(&mut self, request: &Request) {
        if request.is(block_flag::OPEN) {
            self.open += 1;
            self.open_max = self.open_max.max(request.duration);
            return;
        }
        self.count += 1;
        self.bytes = self.bytes.saturating_add(request.bytes);
        match request.op {
            block_op::READ => {
                self.reads += 1;
                self.read_bytes = self.read_bytes.saturating_add(request.bytes);
            }
            block_op::WRITE | block_op::ZONE_APPEND | block_op::WRITE_ZEROES => {
                self.writes += 1;
                self.write_bytes = self.write_bytes.saturating_add(request.bytes);
            }
            _ => {}
        }
        self.sequential += u64::from(request.is(block_flag::SEQUENTIAL));
        self.merged += u64::from(request.is(block_flag::MERGED));
        self.errors += u64::from(request.failed);
        if request.is(block_flag::BEGAN_BEFORE) {
            self.began_before += 1;
            return;
        }
        self.whole.add(request.duration);
        self.queue.add(request.queue);
        // An empty flush is not issued itself: it waits for one that is.
        if request.issues > 0 {
            self.service.add(request.service);
        }
    }

    /// Columns of [`Requests::latencies`].
    pub(super) const LATENCIES: [(&str, &str); 10] = [
        ("queue_avg_ns", "queue avg"),
        ("queue_p99_ns", "p99"),
        ("queue_max_ns", "max"),
        ("service_avg_ns", "service avg"),
        ("service_p50_ns", "p50"),
        ("service_p90_ns", "p90"),
        ("service_p99_ns", "p99"),
        ("service_p999_ns", "p99.9"),
        ("service_max_ns", "max"),
        ("service_total_ns", ""),
    ];

    pub(super) fn latencies(&self) -> [Cell; 10] {
        let (queue, service) = (&self.queue, &self.service);
        [
            queue.average(),
            queue.percentile(990),
            queue.max(),
            service.average(),
            service.percentile(500),
            service.percentile(900),
            service.percentile(990),
            service.percentile(999),
            service.max(),
            Cell::DurNs(service.total),
        ]
    }
}

impl Fold for Requests {
    fn fold(&mut self, from: Requests) {
        self.count += from.count;
        self.bytes = self.bytes.saturating_add(from.bytes);
        self.reads += from.reads;
        self.read_bytes = self.read_bytes.saturating_add(from.read_bytes);
        self.writes += from.writes;
        self.write_bytes = self.write_bytes.saturating_add(from.write_bytes);
        self.sequential += from.sequential;
        self.merged += from.merged;
        self.errors += from.errors;
        self.began_before += from.began_before;
        self.open += from.open;
        self.open_max = self.open_max.max(from.open_max);
        self.whole.merge(&from.whole);
        self.queue.merge(&from.queue);
        self.service.merge(&from.service);
    }

    fn weight(&self) -> usize {
        [&self.whole, &self.queue, &self.service].into_iter().map(Latencies::weight).sum()
    }
}
