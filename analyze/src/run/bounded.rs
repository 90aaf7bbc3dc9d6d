//! `Bounded`: sums by key, of no more keys than memory allows.

use std::hash::Hash;

use rustc_hash::FxHashMap;

/// What adds up.
pub trait Fold: Default {
    /// Adds another sum; commutative and associative.
    fn fold(&mut self, from: Self);

    /// Bytes that it has allocated. Never less after adding to it or folding into it.
    fn weight(&self) -> usize {
        0
    }
}

/// The bytes that the sums of a [`Bounded`] may take, in one thread.
const BUDGET: usize = 32 << 20;

/// Sums are weighed again after this many accesses, and after as many as there are of them.
const WEIGH: usize = 1 << 12;

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

/// Sums of the lowest keys, at most `MOST` and no more than 32 MiB of them, and one of all others
/// under [`BoundedKey::OTHERS`].
///
/// Few recordings come near the limits (stacks by thread and slice of `ktape diff` can), but a hostile trace can name new keys in every row, and a row
/// of it costs no bytes. A key is kept if it and all below it find room. Sums only grow, so one that
/// finds no room halfway finds none in the end, nor does any above it: this is a commutative fold,
/// and what is kept is whole.
#[derive(Clone, Debug)]
pub struct Bounded<K, V, const MOST: usize> {
    map: FxHashMap<K, V>,
    /// The lowest key that found no room; it and all above it are among the others.
    ceiling: K,
    others: Option<V>,
    /// Accesses since the sums were weighed.
    unweighed: usize,
}

impl<K: BoundedKey, V, const MOST: usize> Default for Bounded<K, V, MOST> {
    fn default() -> Self {
        Self { map: FxHashMap::default(), ceiling: K::OTHERS, others: None, unweighed: 0 }
    }
}

impl<K: BoundedKey, V: Fold, const MOST: usize> Bounded<K, V, MOST> {
    /// The sum of a key, new when there was none.
    pub fn at(&mut self, key: K) -> &mut V {
        self.unweighed += 1;
        if self.map.len() > MOST + MOST / 4 || self.unweighed > self.map.len().max(WEIGH) {
            self.shrink();
        }
        if key >= self.ceiling {
            return self.others.get_or_insert_default();
        }
        self.map.entry(key).or_default()
    }

    /// Adds other sums.
    pub fn merge(&mut self, from: Self) {
        self.lower_ceiling(from.ceiling);
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

    /// Adds what finds no room to the others.
    fn shrink(&mut self) {
        self.unweighed = 0;
        let weight = |sum: &V| size_of::<(K, V)>() + sum.weight();
        let all: usize = self.map.values().map(weight).sum();
        if all <= BUDGET && self.map.len() <= MOST {
            return;
        }
        let mut keys: Vec<K> = self.map.keys().copied().collect();
        keys.sort_unstable();
        let mut taken = 0;
        let over = keys.iter().enumerate().find(|&(at, key)| {
            taken += weight(&self.map[key]);
            at == MOST || taken > BUDGET
        });
        if let Some((_, &ceiling)) = over {
            self.lower_ceiling(ceiling);
        }
    }

    fn lower_ceiling(&mut self, ceiling: K) {
        if ceiling >= self.ceiling {
            return;
        }
        self.ceiling = ceiling;
        for (_, sum) in self.map.extract_if(|&key, _| key >= ceiling) {
            self.others.get_or_insert_default().fold(sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BUDGET, Bounded, Fold};

    #[derive(Clone, Copy, Debug, Default, PartialEq)]
    struct Count(u64);

    impl Fold for Count {
        fn fold(&mut self, from: Self) {
            self.0 += from.0;
        }
    }

    /// A sum as large as what was added to it.
    #[derive(Debug, Default)]
    struct Heavy(usize);

    impl Fold for Heavy {
        fn fold(&mut self, from: Self) {
            self.0 += from.0;
        }

        fn weight(&self) -> usize {
            self.0
        }
    }

    #[test]
    fn keeps_what_finds_room_however_it_comes() {
        let fold = |rows: &[(u64, usize)]| {
            let mut sums: Bounded<u64, Heavy, 1000> = Bounded::default();
            for &(key, bytes) in rows {
                sums.at(key).0 += bytes;
            }
            sums
        };
        let kept = |sums: Bounded<u64, Heavy, 1000>| {
            let sums = sums.into_sorted().into_iter();
            sums.map(|(key, sum)| (key, sum.0)).collect::<Vec<_>>()
        };
        // A hundred keys of a bit more than a 64th of the room: 63 fit.
        let part = BUDGET / 6400 + 1;
        let mut rows: Vec<(u64, usize)> =
            (0..100 * 100).map(|row| (row as u64 % 100, part)).collect();
        let expected = kept(fold(&rows));
        assert_eq!(expected.len(), 64);
        assert!(expected[..63].iter().all(|&(_, bytes)| bytes == part * 100));
        assert_eq!(expected[63], (u64::MAX, 37 * 100 * part));
        rows.sort_unstable();
        assert_eq!(kept(fold(&rows)), expected);
        let mut merged = fold(&rows[5000..]);
        merged.merge(fold(&rows[..5000]));
        assert_eq!(kept(merged), expected);
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
