//! `Grid`: a window cut into slices.

/// Slices that the shorter of two windows is cut into.
const SLICES: u64 = 20;
/// Most slices of the longer one.
const MOST: u64 = 200;

/// A window, and slices of one length from its beginning on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    /// When the window begins, monotonic ns.
    pub(super) from: u64,
    /// Its length, ns; not 0.
    pub(super) length: u64,
    /// The length of a slice, ns; not 0.
    pub(super) slice: u64,
}

impl Grid {
    /// Two windows (from, to), cut into slices of one length: slices of different lengths would
    /// differ although nothing else does. What is left of a window behind its last whole slice is in
    /// none. No slice is shorter than `least`.
    pub(super) fn both(before: (u64, u64), after: (u64, u64), least: u64) -> [Grid; 2] {
        let length = |window: (u64, u64)| window.1.saturating_sub(window.0).max(1);
        let (one, other) = (length(before), length(after));
        let slice = (one.min(other) / SLICES).max(one.max(other).div_ceil(MOST)).max(least).max(1);
        [before, after].map(|window| Grid { from: window.0, length: length(window), slice })
    }

    /// How many slices it has.
    pub(super) fn slices(self) -> usize {
        (self.length / self.slice).min(MOST) as usize
    }

    /// The slice that a moment is in.
    #[inline]
    pub(super) fn at(self, time: u64) -> Option<u16> {
        let slice = time.saturating_sub(self.from) / self.slice;
        (slice < self.slices() as u64).then_some(slice as u16)
    }

    /// So much in the window, per second of it.
    pub(super) fn per_second(self, total: u64) -> u64 {
        scaled(total, 1_000_000_000, self.length)
    }
}

/// `value` times `times`, divided by `by`.
pub(super) fn scaled(value: u64, times: u64, by: u64) -> u64 {
    let product = u128::from(value) * u128::from(times) / u128::from(by.max(1));
    u64::try_from(product).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::Grid;

    fn check(before: u64, after: u64, least: u64, slice: u64, slices: [usize; 2]) {
        let grids = Grid::both((7, 7 + before), (0, after), least);
        assert_eq!(grids.map(|grid| grid.slice), [slice; 2], "{before} {after}");
        assert_eq!(grids.map(Grid::slices), slices, "{before} {after}");
    }

    #[test]
    fn slices_of_both_windows_are_as_long() {
        check(2000, 2000, 1, 100, [20, 20]);
        check(2000, 4050, 1, 100, [20, 40]);
        check(2000, 400_000, 1, 2000, [1, 200]);
        check(2000, 3000, 500, 500, [4, 6]);
        check(0, 0, 1, 1, [1, 1]);
        check(u64::MAX - 7, 1, 1, 92_233_720_368_547_759, [199, 0]);
    }

    #[test]
    fn moments_are_in_the_slice_that_they_fall_in() {
        let [_, grid] = Grid::both((0, 2000), (50, 2090), 1);
        let slices = [50, 149, 150, 2049, 2050, 2090].map(|time| grid.at(time));
        assert_eq!(slices, [Some(0), Some(0), Some(1), Some(19), None, None]);
        assert_eq!(grid.per_second(2040), 1_000_000_000);
    }
}
