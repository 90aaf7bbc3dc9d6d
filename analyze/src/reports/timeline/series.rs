//! `Series`: a number for each interval.

use super::grid::Grid;

/// Numbers by interval. What lasts over many intervals costs as much to add as what lasts in one:
/// where it covers intervals whole, only the first and the one after the last are noted.
#[derive(Clone, Debug, Default)]
pub(super) struct Series {
    sums: Vec<u64>,
    /// How many more cover this interval whole than the one before it.
    steps: Vec<i64>,
}

impl Series {
    fn grow(&mut self, count: usize) {
        if self.sums.len() < count {
            self.sums.resize(count, 0);
            self.steps.resize(count + 1, 0);
        }
    }

    /// Adds to the interval of a moment.
    pub(super) fn add(&mut self, grid: &Grid, time: u64, value: u64) {
        self.grow(grid.count);
        let sum = &mut self.sums[grid.at(time)];
        *sum = sum.wrapping_add(value);
    }

    /// Adds the time from `start` to `end` to the intervals in which it passes, ns.
    pub(super) fn add_time(&mut self, grid: &Grid, start: u64, end: u64) {
        let (start, end) = (start.clamp(grid.from, grid.to), end.clamp(grid.from, grid.to));
        if start >= end {
            return;
        }
        self.grow(grid.count);
        let (first, last) = (grid.at(start + 1), grid.at(end));
        if first == last {
            self.sums[first] = self.sums[first].wrapping_add(end - start);
            return;
        }
        let (next, _) = grid.interval(first + 1);
        let (begin, _) = grid.interval(last);
        self.sums[first] = self.sums[first].wrapping_add(next - start);
        self.sums[last] = self.sums[last].wrapping_add(end - begin);
        self.steps[first + 1] += 1;
        self.steps[last] -= 1;
    }

    pub(super) fn merge(&mut self, from: Series) {
        self.grow(from.sums.len());
        for (into, from) in self.sums.iter_mut().zip(from.sums) {
            *into = into.wrapping_add(from);
        }
        for (into, from) in self.steps.iter_mut().zip(from.steps) {
            *into += from;
        }
    }

    /// The number of each interval.
    pub(super) fn into_values(mut self, grid: &Grid) -> Vec<u64> {
        self.grow(grid.count);
        let mut whole = 0_i64;
        let covered = |at: usize, whole: i64| {
            grid.interval(at).1.wrapping_mul(u64::try_from(whole).unwrap_or(0))
        };
        let sums = self.sums.iter().zip(&self.steps).enumerate();
        sums.map(|(at, (sum, step))| {
            whole += step;
            sum.wrapping_add(covered(at, whole))
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Grid, Series};

    #[test]
    fn time_is_spread_over_the_intervals_in_which_it_passes() {
        let grid = Grid::of((100, 450), Some(100));
        let check = |spans: &[(u64, u64)], expected: [u64; 4]| {
            let (mut all, mut parts) = (Series::default(), Series::default());
            for &(start, end) in spans {
                all.add_time(&grid, start, end);
                let mut part = Series::default();
                part.add_time(&grid, start, end);
                parts.merge(part);
            }
            assert_eq!(all.into_values(&grid), expected, "{spans:?}");
            assert_eq!(parts.into_values(&grid), expected, "{spans:?}");
        };
        check(&[], [0; 4]);
        check(&[(110, 130)], [20, 0, 0, 0]);
        check(&[(100, 200)], [100, 0, 0, 0]);
        check(&[(150, 250)], [50, 50, 0, 0]);
        check(&[(0, u64::MAX)], [100, 100, 100, 50]);
        check(&[(0, u64::MAX), (190, 410)], [110, 200, 200, 60]);
        check(&[(450, 900), (0, 100), (300, 300)], [0; 4]);
    }
}
