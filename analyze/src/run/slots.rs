//! `Slots`: one accumulator per thread or process.

use rustc_hash::FxHashMap;

/// Accumulators by [`crate::context::ThreadKey`] or [`crate::context::ProcessKey`].
///
/// Keys of defined tasks index a vector; the bare keys of undefined ones a hash map. Memory follows
/// the number of tasks in the trace.
#[derive(Clone, Debug)]
pub struct Slots<A> {
    dense: Vec<A>,
    bare: FxHashMap<u64, A>,
}

impl<A> Default for Slots<A> {
    fn default() -> Self {
        Self { dense: Vec::new(), bare: FxHashMap::default() }
    }
}

/// Indices into tables of tasks are u32.
const DENSE: u64 = 1 << 32;

impl<A: Default> Slots<A> {
    /// The accumulator of a key, new when there was none.
    #[inline]
    pub fn at(&mut self, key: u64) -> &mut A {
        let index = key as usize;
        if index < self.dense.len() { &mut self.dense[index] } else { self.at_slow(key) }
    }

    #[cold]
    fn at_slow(&mut self, key: u64) -> &mut A {
        if key >= DENSE {
            return self.bare.entry(key).or_default();
        }
        let index = key as usize;
        self.dense.resize_with(index + 1, A::default);
        &mut self.dense[index]
    }

    /// Folds other accumulators in.
    pub fn merge(&mut self, from: Slots<A>, mut fold: impl FnMut(&mut A, A)) {
        if self.dense.len() < from.dense.len() {
            self.dense.resize_with(from.dense.len(), A::default);
        }
        for (into, from) in self.dense.iter_mut().zip(from.dense) {
            fold(into, from);
        }
        for (key, from) in from.bare {
            fold(self.bare.entry(key).or_default(), from);
        }
    }

    /// Every key with its accumulator, by key. Some may never have been touched.
    pub fn into_sorted(self) -> Vec<(u64, A)> {
        let mut all: Vec<(u64, A)> = (0u64..).zip(self.dense).collect();
        let dense = all.len();
        all.extend(self.bare);
        all[dense..].sort_unstable_by_key(|entry| entry.0);
        all
    }
}
