//! What is added up of a group of facts, and what a group is told by while facts are scanned.

use crate::run::{BoundedKey, Fold};
use crate::wait_class::WaitClass;

/// A group, by numbers of its trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct GroupKey {
    /// The text that names a thread or process, plus 1; 0 for one without a name.
    pub(super) who: u64,
    /// Stacks, a system call, a text: see `label.rs`.
    pub(super) what: u64,
    /// What is done with it.
    pub(super) how: u8,
}

impl BoundedKey for GroupKey {
    const OTHERS: Self = Self { who: u64::MAX, what: u64::MAX, how: u8::MAX };
}

/// The facts of a group, added up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    /// How many.
    pub(super) count: u64,
    /// Their time in all, ns; of samples of cycles, cycles.
    pub(super) total: u64,
    /// The same of each slice of the window that has any, by slice.
    slices: Vec<(u16, u64)>,
    /// The same of waits, by class.
    classes: [u64; WaitClass::COUNT],
}

impl Sum {
    /// Adds so many facts that took so long together.
    pub(super) fn add(&mut self, count: u64, total: u64, slice: Option<u16>, class: Option<usize>) {
        self.count = self.count.saturating_add(count);
        self.total = self.total.saturating_add(total);
        if let Some(slice) = slice {
            self.add_slice(slice, total);
        }
        if let Some(class) = class.and_then(|class| self.classes.get_mut(class)) {
            *class = class.saturating_add(total);
        }
    }

    fn add_slice(&mut self, slice: u16, total: u64) {
        match self.slices.binary_search_by_key(&slice, |entry| entry.0) {
            Ok(at) => self.slices[at].1 = self.slices[at].1.saturating_add(total),
            Err(at) => self.slices.insert(at, (slice, total)),
        }
    }

    /// The totals of all slices of a window with so many.
    pub(super) fn all_slices(&self, slices: usize) -> Vec<u64> {
        let mut all = vec![0; slices];
        for &(slice, total) in &self.slices {
            if let Some(place) = all.get_mut(usize::from(slice)) {
                *place = total;
            }
        }
        all
    }

    /// What most of its waiting was for; `None` when it is not about waits.
    pub(super) fn class(&self) -> Option<WaitClass> {
        let most = self.classes.iter().copied().max().filter(|&most| most > 0)?;
        let at = self.classes.iter().position(|&total| total == most)?;
        WaitClass::ALL.get(at).copied()
    }
}

impl Fold for Sum {
    fn fold(&mut self, from: Sum) {
        self.count = self.count.saturating_add(from.count);
        self.total = self.total.saturating_add(from.total);
        for (slice, total) in from.slices {
            self.add_slice(slice, total);
        }
        for (into, from) in self.classes.iter_mut().zip(from.classes) {
            *into = into.saturating_add(from);
        }
    }

    fn weight(&self) -> usize {
        // Not the capacity, which depends on the order of facts.
        self.slices.len() * 2 * size_of::<(u16, u64)>()
    }
}
