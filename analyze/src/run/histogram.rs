//! `LogHistogram`: counts of numbers, in buckets fine enough for percentiles.

/// Buckets per power of two: a percentile is at most 1/32 (3.1 %) above the true one.
const FINE: u32 = 5;
const SUB: usize = 1 << FINE;
/// Blocks of such buckets that there can be.
const BLOCKS: usize = (u64::BITS - FINE) as usize + 1;

/// Most buckets that are kept one by one: a histogram of few values is small.
const FEW: usize = 32;

/// Counts of u64 values in log-linear buckets, with the exact smallest and largest.
///
/// Memory: 16 bytes per bucket that occurs, or once there are more than 32 of them 256 bytes per power
/// of two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogHistogram {
    /// Buckets and their counts by bucket, as long as they are few.
    few: Vec<(u16, u64)>,
    /// By block, once they are not.
    blocks: Vec<Option<Box<[u64; SUB]>>>,
    count: u64,
    min: u64,
    max: u64,
}

/// One bucket: values from `low` to `high`, both inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Smallest value in it.
    pub low: u64,
    /// Largest value in it.
    pub high: u64,
    /// How many there were.
    pub count: u64,
}

impl LogHistogram {
    /// Counts a value.
    #[inline]
    pub fn add(&mut self, value: u64) {
        self.add_many(value, 1);
    }

    /// Counts a value several times.
    #[inline]
    pub fn add_many(&mut self, value: u64, times: u64) {
        if times == 0 {
            return;
        }
        self.min = if self.count == 0 { value } else { self.min.min(value) };
        self.max = self.max.max(value);
        self.count = self.count.saturating_add(times);
        self.count_in(place(value), times);
    }

    #[inline]
    fn count_in(&mut self, (block, sub): (usize, usize), times: u64) {
        if self.blocks.is_empty() {
            return self.count_in_few((block * SUB + sub) as u16, times);
        }
        if block >= self.blocks.len() {
            self.blocks.resize_with(block + 1, || None);
        }
        let counts = self.blocks[block].get_or_insert_with(|| Box::new([0; SUB]));
        counts[sub] = counts[sub].saturating_add(times);
    }

    fn count_in_few(&mut self, bucket: u16, times: u64) {
        match self.few.binary_search_by_key(&bucket, |&(bucket, _)| bucket) {
            Ok(at) => self.few[at].1 = self.few[at].1.saturating_add(times),
            Err(at) if self.few.len() < FEW => self.few.insert(at, (bucket, times)),
            Err(_) => {
                self.blocks.push(None);
                for (bucket, times) in std::mem::take(&mut self.few) {
                    self.count_in((bucket as usize / SUB, bucket as usize % SUB), times);
                }
                self.count_in((bucket as usize / SUB, bucket as usize % SUB), times);
            }
        }
    }

    /// Adds another histogram's counts.
    pub fn merge(&mut self, other: &LogHistogram) {
        if other.count == 0 {
            return;
        }
        self.min = if self.count == 0 { other.min } else { self.min.min(other.min) };
        self.max = self.max.max(other.max);
        self.count = self.count.saturating_add(other.count);
        for (block, sub, times) in other.fine() {
            self.count_in((block, sub), times);
        }
    }

    /// What it takes in memory at most, in bytes; it never shrinks by adding or merging.
    pub(crate) fn weight(&self) -> usize {
        if self.blocks.is_empty() { self.few.len() * 16 } else { BLOCKS * SUB * 8 }
    }

    /// Every bucket that occurs, ascending: block, place in it, count.
    fn fine(&self) -> impl Iterator<Item = (usize, usize, u64)> {
        let few = self.few.iter().map(|&(bucket, count)| {
            let bucket = bucket as usize;
            (bucket / SUB, bucket % SUB, count)
        });
        let many = self.blocks.iter().enumerate().flat_map(|(block, counts)| {
            let counts = counts.iter().flat_map(|counts| counts.iter().copied().enumerate());
            counts.map(move |(sub, count)| (block, sub, count))
        });
        few.chain(many.filter(|&(_, _, count)| count > 0))
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The smallest value; 0 when there is none.
    pub fn min(&self) -> u64 {
        self.min
    }

    /// The largest value; 0 when there is none.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The value that `per_mille` of 1000 values do not exceed (990 is p99): the top of its bucket,
    /// never above the largest value. 0 when there is none.
    pub fn percentile(&self, per_mille: u64) -> u64 {
        let rank = (u128::from(self.count) * u128::from(per_mille)).div_ceil(1000).max(1);
        let mut seen: u128 = 0;
        for (block, sub, count) in self.fine() {
            seen += u128::from(count);
            if seen >= rank {
                return range(block, sub).1.min(self.max);
            }
        }
        self.max
    }

    /// The counts by powers of two, from the first to the last that occurs: bucket 0 holds 0 and 1,
    /// bucket n holds 2^n to 2^(n+1) - 1.
    pub fn log2(&self) -> Vec<Bucket> {
        let mut counts = [0u64; 64];
        for (block, sub, count) in self.fine() {
            let bucket = range(block, sub).0.max(1).ilog2() as usize;
            counts[bucket] = counts[bucket].saturating_add(count);
        }
        let Some(first) = counts.iter().position(|&count| count > 0) else { return Vec::new() };
        let last = counts.iter().rposition(|&count| count > 0).unwrap_or(first);
        (first..=last)
            .map(|bucket| Bucket {
                low: if bucket == 0 { 0 } else { 1 << bucket },
                high: u64::MAX >> (63 - bucket),
                count: counts[bucket],
            })
            .collect()
    }
}

/// Block 0 holds 0 to 31 one by one; block b > 0 the values of 2^(b+4) to 2^(b+5) - 1.
fn place(value: u64) -> (usize, usize) {
    if value < SUB as u64 {
        return (0, value as usize);
    }
    let exponent = value.ilog2();
    ((exponent - FINE + 1) as usize, (value >> (exponent - FINE)) as usize & (SUB - 1))
}

/// First and last value of a fine bucket.
fn range(block: usize, sub: usize) -> (u64, u64) {
    if block == 0 {
        return (sub as u64, sub as u64);
    }
    let shift = block as u32 - 1;
    let low = ((SUB + sub) as u64) << shift;
    (low, low + ((1u64 << shift) - 1))
}

#[cfg(test)]
mod tests {
    use super::{Bucket, LogHistogram, place, range};

    fn of(values: impl IntoIterator<Item = u64>) -> LogHistogram {
        let mut histogram = LogHistogram::default();
        values.into_iter().for_each(|value| histogram.add(value));
        histogram
    }

    #[test]
    fn every_value_lies_in_its_bucket() {
        for value in (0..5000)
            .chain((0..64).flat_map(|bit| {
                let power = 1u64 << bit;
                [power - 1, power, power + power / 3, power.saturating_add(1)]
            }))
            .chain([u64::MAX, u64::MAX - 1])
        {
            let (block, sub) = place(value);
            let (low, high) = range(block, sub);
            assert!((low..=high).contains(&value), "{value} in {low}..={high}");
            assert!(high - low <= value / 32, "{value}: {low}..={high} is too wide");
        }
    }

    #[test]
    fn percentiles_are_within_a_32nd() {
        let histogram = of(1..=100_000);
        for (per_mille, exact) in [(500, 50_000), (900, 90_000), (990, 99_000), (999, 99_900)] {
            let found = histogram.percentile(per_mille);
            assert!(found >= exact && found <= exact + exact / 32, "{per_mille}: {found}");
        }
        assert_eq!(histogram.percentile(1000), 100_000);
        assert_eq!((histogram.min(), histogram.max(), histogram.count()), (1, 100_000, 100_000));
        assert_eq!(of([]).percentile(500), 0);
        assert_eq!(of([7]).percentile(1), 7);
    }

    #[test]
    fn merging_is_counting_together() {
        let (evens, odds) = ((0..999).map(|n| n * n * 2), (0..77).map(|n| n * 31 + 1));
        let mut merged = of(evens.clone());
        merged.merge(&of(odds.clone()));
        merged.merge(&of([]));
        assert_eq!(merged, of(odds.chain(evens)));
    }

    #[test]
    fn few_buckets_or_many_are_one_histogram() {
        let (few, many) = (1..=30u64, (0..64).map(|bit| 1u64 << bit));
        let mut merged = of(few.clone());
        merged.merge(&of(many.clone()));
        assert_eq!(merged, of(many.clone().chain(few.clone())));
        let mut turned = of(many.clone());
        turned.merge(&of(few.clone()));
        assert_eq!(merged, turned);
        assert!(of([7, 7, 8]).weight() < of(few).weight() && merged.weight() > 10_000);
    }

    #[test]
    fn log2_buckets_have_powers_of_two_as_borders() {
        let expected = [
            Bucket { low: 0, high: 1, count: 2 },
            Bucket { low: 2, high: 3, count: 1 },
            Bucket { low: 4, high: 7, count: 0 },
            Bucket { low: 8, high: 15, count: 2 },
        ];
        assert_eq!(of([0, 1, 3, 8, 15]).log2(), expected);
        assert_eq!(of([u64::MAX]).log2()[0].high, u64::MAX);
    }
}
