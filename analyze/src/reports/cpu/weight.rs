//! `Weight`: what samples count, in every unit that they came in.

use crate::answer::Cell;
use crate::run::Sum;

/// Sums over samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Weight {
    pub(super) samples: u64,
    /// Of those on the CPU clock.
    pub(super) ns: u64,
    /// Of those on hardware cycles.
    pub(super) cycles: u64,
}

impl Weight {
    pub(super) fn clock(sum: Sum) -> Self {
        Self { samples: sum.count, ns: sum.total, cycles: 0 }
    }

    pub(super) fn cycles(sum: Sum) -> Self {
        Self { samples: sum.count, ns: 0, cycles: sum.total }
    }

    pub(super) fn add(&mut self, other: Weight) {
        self.samples = self.samples.saturating_add(other.samples);
        self.ns = self.ns.saturating_add(other.ns);
        self.cycles = self.cycles.saturating_add(other.cycles);
    }
}

/// How shares are taken: by weight when all samples have the same unit, else by number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    all: Weight,
}

impl Scale {
    pub(super) fn of(all: Weight) -> Self {
        Self { all }
    }

    /// The number that shares and orders go by.
    pub(super) fn value(self, weight: Weight) -> u64 {
        match (self.all.ns, self.all.cycles) {
            (0, 0) => weight.samples,
            (_, 0) => weight.ns,
            (0, _) => weight.cycles,
            _ => weight.samples,
        }
    }

    pub(super) fn share(self, weight: Weight) -> Cell {
        Cell::Percent { part: self.value(weight), whole: self.value(self.all) }
    }

    pub(super) fn has_time(self) -> bool {
        self.all.ns > 0 || self.all.cycles == 0
    }

    pub(super) fn has_cycles(self) -> bool {
        self.all.cycles > 0
    }
}
