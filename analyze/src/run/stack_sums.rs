//! `StackSums`: how often, and how much, per thread and stack.

use super::bounded::{Bounded, BoundedKey, Fold};

/// Whose stack, and which.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StackKey {
    /// [`crate::context::ThreadKey`].
    pub thread: u64,
    /// User stack id; 0 for none.
    pub ustack: u32,
    /// Kernel stack id; 0 for none.
    pub kstack: u32,
}

/// What was counted at one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Facts.
    pub count: u64,
    /// Their weight in all: nanoseconds, or cycles.
    pub total: u64,
    /// The heaviest one.
    pub max: u64,
}

impl BoundedKey for StackKey {
    const OTHERS: Self = Self { thread: u64::MAX, ustack: u32::MAX, kstack: u32::MAX };
}

/// Most stacks of threads that are told apart: a recording of a minute has some thousands.
const MOST: usize = 1 << 19;

impl Fold for Sum {
    fn fold(&mut self, other: Sum) {
        self.count = self.count.saturating_add(other.count);
        self.total = self.total.saturating_add(other.total);
        self.max = self.max.max(other.max);
    }
}

/// Sums by [`StackKey`].
///
/// A small direct-mapped cache stands before the hash map, since most facts have the stacks of some
/// recent one: a hit costs one comparison.
#[derive(Debug)]
pub struct StackSums {
    cache: Box<[(StackKey, Sum)]>,
    map: Bounded<StackKey, Sum, MOST>,
}

const CACHE: usize = 1024;

impl Default for StackSums {
    fn default() -> Self {
        let cache = vec![(StackKey::default(), Sum::default()); CACHE].into_boxed_slice();
        Self { cache, map: Bounded::default() }
    }
}

impl StackSums {
    /// Adds a fact of this weight.
    #[inline]
    pub fn add(&mut self, key: StackKey, weight: u64) {
        let mix = (key.thread ^ u64::from(key.ustack) << 20 ^ u64::from(key.kstack) << 40)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (held, sum) = &mut self.cache[(mix >> 54) as usize % CACHE];
        if *held != key {
            if sum.count > 0 {
                self.map.at(*held).fold(*sum);
            }
            (*held, *sum) = (key, Sum::default());
        }
        sum.count += 1;
        sum.total = sum.total.saturating_add(weight);
        sum.max = sum.max.max(weight);
    }

    /// Adds the sums of another thread.
    pub fn merge(&mut self, from: StackSums) {
        for (key, sum) in
            from.cache.iter().chain(self.cache.iter()).filter(|(_, sum)| sum.count > 0)
        {
            self.map.at(*key).fold(*sum);
        }
        self.cache.fill(Default::default());
        self.map.merge(from.map);
    }

    /// All sums, by key.
    pub fn into_sorted(mut self) -> Vec<(StackKey, Sum)> {
        for (key, sum) in self.cache.iter().filter(|(_, sum)| sum.count > 0) {
            self.map.at(*key).fold(*sum);
        }
        self.map.into_sorted()
    }
}
