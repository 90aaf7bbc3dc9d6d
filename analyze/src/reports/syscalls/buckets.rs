//! `Buckets`: counts of times by powers of two.

use crate::run::Fold;

/// Counts by floor(log2(nanoseconds)); bucket 0 also holds 0. Memory for the buckets up to the
/// highest one that occurs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Buckets {
    counts: Vec<u64>,
}

/// The bucket of the largest time that there is.
const LAST: usize = 63;

impl Fold for Buckets {
    fn fold(&mut self, from: Buckets) {
        self.merge(&from);
    }

    fn weight(&self) -> usize {
        self.counts.capacity() * size_of::<u64>()
    }
}

impl Buckets {
    pub(super) fn add(&mut self, bucket: u32, count: u64) {
        let bucket = (bucket as usize).min(LAST);
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] = self.counts[bucket].saturating_add(count);
    }

    pub(super) fn merge(&mut self, other: &Buckets) {
        for (bucket, &count) in (0u32..).zip(&other.counts) {
            self.add(bucket, count);
        }
    }

    /// The time that `per_mille` of 1000 calls do not exceed: the rank's place between the borders of
    /// its bucket, as if the calls in a bucket were spread evenly, rounded down. `None` when there
    /// are no calls. `max` is the longest call, when known: no call of the highest bucket is above it.
    pub(super) fn percentile(&self, per_mille: u64, max: Option<u64>) -> Option<u64> {
        let all: u128 = self.counts.iter().map(|&count| u128::from(count)).sum();
        let rank = (all * u128::from(per_mille)).div_ceil(1000).max(1);
        let mut before: u128 = 0;
        for (bucket, &count) in (0u32..).zip(&self.counts) {
            let count = u128::from(count);
            if before + count >= rank {
                let (low, high) = borders(bucket);
                let high = max.map_or(high, |max| high.min(max)).max(low);
                let above = u128::from(high - low) * (rank - before) / count;
                return Some(low + above as u64);
            }
            before += count;
        }
        None
    }
}

/// The smallest and the largest time in a bucket.
fn borders(bucket: u32) -> (u64, u64) {
    let low = if bucket == 0 { 0 } else { 1 << bucket };
    (low, u64::MAX >> (63 - bucket))
}

#[cfg(test)]
mod tests {
    use super::{Buckets, borders};

    fn check(buckets: &[(u32, u64)], per_mille: u64, max: Option<u64>, expected: Option<u64>) {
        let mut all = Buckets::default();
        buckets.iter().for_each(|&(bucket, count)| all.add(bucket, count));
        assert_eq!(all.percentile(per_mille, max), expected, "{buckets:?} {per_mille} {max:?}");
    }

    #[test]
    fn percentiles_lie_between_the_borders_of_their_bucket() {
        assert_eq!(borders(0), (0, 1));
        assert_eq!(borders(10), (1024, 2047));
        assert_eq!(borders(63), (1 << 63, u64::MAX));
        check(&[], 500, None, None);
        check(&[(3, 0)], 500, None, None);
        // 10 calls from 1024 to 2047 ns: the fifth lies half-way.
        check(&[(10, 10)], 500, None, Some(1024 + 1023 * 5 / 10));
        check(&[(10, 10)], 1000, None, Some(2047));
        check(&[(10, 10)], 1000, Some(1500), Some(1500));
        // 99 fast ones and a slow one: p99 is still a fast one.
        check(&[(4, 99), (20, 1)], 990, None, Some(31));
        check(&[(4, 99), (20, 1)], 991, Some(1_100_000), Some(1_100_000));
        check(&[(0, 1)], 1, None, Some(1));
        check(&[(u32::MAX, 1)], 1, None, Some(u64::MAX));
        check(&[(63, u64::MAX), (62, u64::MAX)], 1000, None, Some(u64::MAX));
        // A maximum below the bucket is a lie of the trace.
        check(&[(10, 1)], 500, Some(3), Some(1024));
    }

    #[test]
    fn merging_is_counting_together() {
        let mut one = Buckets::default();
        one.add(3, 5);
        let mut two = Buckets::default();
        two.add(7, 1);
        two.add(3, 2);
        one.merge(&two);
        assert_eq!(one.counts, [0, 0, 0, 7, 0, 0, 0, 1]);
    }
}
