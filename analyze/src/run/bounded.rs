//! `Bounded`: sums by key, of no more keys than memory allows.

use std::hash::Hash;

use rustc_hash::FxHashMap;

/// What adds up.
pub trait Fold: Default {
    /// Adds another sum; commutative and associative.
    fn fold(&mut self, from: Self);
}

/// What sums are kept by.
pub trait BoundedKey: Copy + Ord + Hash {
    /// Stands for all keys that found no room; above every other one.
    const OTHERS: Self;
}

impl BoundedKey for u32 {
    const OTHERS: Self = u32::MAX;
}

impl BoundedKey for u64 {
    const OTHERS: Self = u64::MAX;
}

impl BoundedKey for (u64, u64) {
    const OTHERS: Self = (u64::MAX, u64::MAX);
}

impl BoundedKey for (u64, u32) {
    const OTHERS: Self = (u64::MAX, u32::MAX);
}

/// Sums of the `MOST` lowest keys, and one of all others under [`BoundedKey::OTHERS`].
///
/// No recording comes near the limit, but a hostile trace can name new keys in every row, and a row
/// of it costs no bytes. Which keys are kept depends on their order alone, so this is a commutative
/// fold: a key of the lowest is never dropped, so its sum is whole.
#[derive(Clone, Debug)]
pub struct Bounded<K, V, const MOST: usize> {
    map: FxHashMap<K, V>,
    others: Option<V>,
}

impl<K, V, const MOST: usize> Default for Bounded<K, V, MOST> {
    fn default() -> Self {
        Self { map: FxHashMap::default(), others: None }
    }
}

impl<K: BoundedKey, V: Fold, const MOST: usize> Bounded<K, V, MOST> {
    /// The sum of a key, new when there was none.
    pub fn at(&mut self, key: K) -> &mut V {
        if self.map.len() > MOST + MOST / 4 {
            self.shrink();
        }
        self.map.entry(key).or_default()
    }

    /// Adds other sums.
    pub fn merge(&mut self, from: Self) {
        for (key, from) in from.map {
            self.at(key).fold(from);
        }
        if let Some(others) = from.others {
            self.others.get_or_insert_default().fold(others);
        }
    }

    /// All sums, by key.
    pub fn into_sorted(mut self) -> Vec<(K, V)> {
        self.shrink();
        let mut all: Vec<(K, V)> = self.map.into_iter().collect();
        all.sort_unstable_by_key(|entry| entry.0);
        all.extend(self.others.map(|others| (K::OTHERS, others)));
        all
    }

    /// Adds all but the `MOST` lowest keys to the others.
    fn shrink(&mut self) {
        let mut keys: Vec<K> = self.map.keys().copied().filter(|&key| key != K::OTHERS).collect();
        if keys.len() > MOST {
            let (_, least, _) = keys.select_nth_unstable(MOST);
            let least = *least;
            keys.retain(|&key| key >= least);
        } else {
            keys.clear();
        }
        keys.push(K::OTHERS);
        for key in keys {
            if let Some(sum) = self.map.remove(&key) {
                self.others.get_or_insert_default().fold(sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Bounded, Fold};

    #[derive(Clone, Copy, Debug, Default, PartialEq)]
    struct Count(u64);

    impl Fold for Count {
        fn fold(&mut self, from: Self) {
            self.0 += from.0;
        }
    }

    fn of(keys: impl IntoIterator<Item = u64>) -> Bounded<u64, Count, 8> {
        let mut sums: Bounded<u64, Count, 8> = Bounded::default();
        keys.into_iter().for_each(|key| sums.at(key).0 += 1);
        sums
    }

    #[test]
    fn keeps_the_lowest_keys_however_they_come() {
        let expected: Vec<_> =
            (0..8).map(|key| (key, Count(2))).chain([(u64::MAX, Count(2 * 92))]).collect();
        assert_eq!(of((0..100).chain(0..100)).into_sorted(), expected);
        assert_eq!(of((0..100).rev().chain((0..100).rev())).into_sorted(), expected);
        let mut merged = of((0..100).rev());
        merged.merge(of(0..100));
        assert_eq!(merged.into_sorted(), expected);
        assert_eq!(of([7, 7, 3]).into_sorted(), [(3, Count(1)), (7, Count(2))]);
        assert_eq!(of([u64::MAX, 1]).into_sorted(), [(1, Count(1)), (u64::MAX, Count(1))]);
        assert_eq!(of([]).into_sorted(), []);
    }
}
