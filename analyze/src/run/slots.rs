//! `Slots`: one accumulator per thread or process.

use super::bounded::{Bounded, Fold};

/// Accumulators by [`crate::context::ThreadKey`] or [`crate::context::ProcessKey`].
///
/// Keys of defined tasks index a vector; the bare keys of undefined ones a bounded map. Memory
/// follows the number of tasks that the trace defines.
#[derive(Clone, Debug)]
pub struct Slots<A> {
    dense: Vec<A>,
    bare: Bounded<u64, A, BARE>,
}

impl<A> Default for Slots<A> {
    fn default() -> Self {
        Self { dense: Vec::new(), bare: Bounded::default() }
    }
}

/// Indices into tables of tasks are u32.
const DENSE: u64 = 1 << 32;
/// Most undefined tasks that are told apart. The recorder defines all of them; one killed in a storm
/// of new threads leaves those of its last second.
const BARE: usize = 1 << 15;

impl<A: Fold> Slots<A> {
    /// The accumulator of a key, new when there was none.
    #[inline]
    pub fn at(&mut self, key: u64) -> &mut A {
        let index = key as usize;
        if index < self.dense.len() { &mut self.dense[index] } else { self.at_slow(key) }
    }

    #[cold]
    fn at_slow(&mut self, key: u64) -> &mut A {
        if key >= DENSE {
            return self.bare.at(key);
        }
        let index = key as usize;
        self.dense.resize_with(index + 1, A::default);
        &mut self.dense[index]
    }

    /// Folds other accumulators in.
    pub fn merge(&mut self, from: Slots<A>) {
        if self.dense.len() < from.dense.len() {
            self.dense.resize_with(from.dense.len(), A::default);
        }
        for (into, from) in self.dense.iter_mut().zip(from.dense) {
            into.fold(from);
        }
        self.bare.merge(from.bare);
    }

    /// Every key with its accumulator, by key. Some may never have been touched.
    pub fn into_sorted(self) -> Vec<(u64, A)> {
        let mut all: Vec<(u64, A)> = (0u64..).zip(self.dense).collect();
        all.extend(self.bare.into_sorted());
        all
    }
}
