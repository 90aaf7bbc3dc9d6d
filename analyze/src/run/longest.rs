//! `Longest`: the largest few of very many.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The `MOST` largest values that were added, and how many were added in all. Which ones are kept
/// depends on their order alone, so it is a commutative fold; values that are equal are kept each.
///
/// Costs one comparison per value once it is full, and memory for `MOST` values.
#[derive(Clone, Debug)]
pub struct Longest<T, const MOST: usize> {
    kept: BinaryHeap<Reverse<T>>,
    added: u64,
}

impl<T: Ord, const MOST: usize> Default for Longest<T, MOST> {
    fn default() -> Self {
        Self { kept: BinaryHeap::new(), added: 0 }
    }
}

impl<T: Ord, const MOST: usize> Longest<T, MOST> {
    /// Adds a value.
    #[inline]
    pub fn add(&mut self, value: T) {
        self.added += 1;
        self.keep(value);
    }

    fn keep(&mut self, value: T) {
        if self.kept.len() < MOST {
            self.kept.push(Reverse(value));
        } else if let Some(mut least) = self.kept.peek_mut()
            && value > least.0
        {
            *least = Reverse(value);
        }
    }

    /// Adds what another one was given.
    pub fn merge(&mut self, from: Self) {
        self.added += from.added;
        from.kept.into_iter().for_each(|Reverse(value)| self.keep(value));
    }

    /// How many values were added.
    pub fn added(&self) -> u64 {
        self.added
    }

    /// The values kept, largest first.
    pub fn into_sorted(self) -> Vec<T> {
        self.kept.into_sorted_vec().into_iter().map(|Reverse(value)| value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Longest;

    fn of(values: impl IntoIterator<Item = u32>) -> Longest<u32, 3> {
        let mut longest = Longest::default();
        values.into_iter().for_each(|value| longest.add(value));
        longest
    }

    #[test]
    fn keeps_the_largest_however_they_come() {
        assert_eq!(of([5, 1, 9, 7, 9]).into_sorted(), [9, 9, 7]);
        let mut merged = of([9, 5]);
        merged.merge(of([1, 7, 9]));
        assert_eq!(merged.added(), 5);
        assert_eq!(merged.into_sorted(), [9, 9, 7]);
        assert_eq!(of([]).into_sorted(), [0; 0]);
    }
}
