//! Sums of single events: retransmits, resets, changes of state.

use ktape_format::Batch;

use crate::run::{Bounded, Fold};

/// Kinds of `tcp_retransmit.kind`; what is above counts as the first, `other`.
pub(super) const KINDS: usize = 7;

/// What was sent again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Retransmits {
    /// Segments by kind.
    pub(super) segments: [u64; KINDS],
    pub(super) bytes: u64,
    /// Segments that could not be sent.
    pub(super) failed: u64,
}

impl Retransmits {
    pub(super) const COLUMNS: [&'static str; 8] =
        ["time", "connection", "tgid", "remote", "bytes", "segments", "error", "kind"];

    pub(super) fn of(batch: &Batch, row: usize) -> Self {
        let mut sent = Self::default();
        let segments = u64::from(batch.u32("segments")[row]);
        if batch.i32("error")[row] != 0 {
            sent.failed = segments;
            return sent;
        }
        let kind = usize::from(batch.u8("kind")[row]);
        sent.segments[if kind < KINDS { kind } else { 0 }] = segments;
        sent.bytes = batch.u32("bytes")[row].into();
        sent
    }

    pub(super) fn all(&self) -> u64 {
        self.segments.iter().fold(0, |sum, part| sum.saturating_add(*part))
    }
}

impl Fold for Retransmits {
    fn fold(&mut self, from: Retransmits) {
        for (into, from) in self.segments.iter_mut().zip(from.segments) {
            *into = into.saturating_add(from);
        }
        self.bytes = self.bytes.saturating_add(from.bytes);
        self.failed = self.failed.saturating_add(from.failed);
    }
}

/// How many resets of a kind there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reset {
    pub(super) count: u64,
    /// Of them, those that were for no socket.
    pub(super) strays: u64,
}

impl Reset {
    pub(super) const COLUMNS: [&'static str; 7] =
        ["time", "connection", "tgid", "remote", "direction", "reason", "state"];

    /// Counts a row under its direction, reason and state.
    pub(super) fn add<const MOST: usize>(
        batch: &Batch,
        row: usize,
        sums: &mut Bounded<u64, Reset, MOST>,
    ) {
        let byte = |name| u64::from(batch.u8(name)[row]);
        let key = byte("direction") << 16 | byte("reason") << 8 | byte("state");
        let stray = u64::from(batch.u32("connection")[row] == 0);
        sums.at(key).fold(Reset { count: 1, strays: stray });
    }

    /// Direction, reason, state of a key of [`Reset::add`].
    pub(super) fn parts(key: u64) -> [u64; 3] {
        [key >> 16 & 255, key >> 8 & 255, key & 255]
    }
}

impl Fold for Reset {
    fn fold(&mut self, from: Reset) {
        self.count = self.count.saturating_add(from.count);
        self.strays = self.strays.saturating_add(from.strays);
    }
}

/// Attempts to connect that failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Failures {
    pub(super) count: u64,
    pub(super) total: u64,
    pub(super) max: u64,
}

impl Failures {
    /// One that took so long, ns.
    pub(super) fn of(duration: u64) -> Self {
        Self { count: 1, total: duration, max: duration }
    }
}

impl Fold for Failures {
    fn fold(&mut self, from: Failures) {
        self.count = self.count.saturating_add(from.count);
        self.total = self.total.saturating_add(from.total);
        self.max = self.max.max(from.max);
    }
}

/// How often sockets went from one state to another, and how long they had been in the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) count: u64,
    pub(super) total: u64,
    pub(super) max: u64,
}

impl Change {
    pub(super) const COLUMNS: [&'static str; 3] = ["duration", "old", "new"];

    pub(super) fn add<const MOST: usize>(
        batch: &Batch,
        row: usize,
        sums: &mut Bounded<u64, Change, MOST>,
    ) {
        let key = u64::from(batch.u8("old")[row]) << 8 | u64::from(batch.u8("new")[row]);
        let duration = batch.u64("duration")[row];
        sums.at(key).fold(Change { count: 1, total: duration, max: duration });
    }

    /// Old and new state of a key of [`Change::add`].
    pub(super) fn parts(key: u64) -> [u64; 2] {
        [key >> 8 & 255, key & 255]
    }
}

impl Fold for Change {
    fn fold(&mut self, from: Change) {
        self.count = self.count.saturating_add(from.count);
        self.total = self.total.saturating_add(from.total);
        self.max = self.max.max(from.max);
    }
}
