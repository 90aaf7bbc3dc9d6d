//! `Grid`: the intervals into which a window is cut.

/// Intervals of one length, side by side; the last one may be cut by the end of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    /// Where the first one begins, monotonic ns.
    pub(super) from: u64,
    /// The end of the window, monotonic ns.
    pub(super) to: u64,
    /// Length of an interval, ns.
    pub(super) every: u64,
    /// How many there are; at least one.
    pub(super) count: usize,
}

/// Intervals when nobody asks for a length: they fit on a screen.
const USUAL: u64 = 60;
/// The most that there are whatever is asked for: each measure keeps two numbers for each.
const MOST: u64 = 100_000;

impl Grid {
    /// Cuts a window into intervals of the length asked for; longer ones if there were too many.
    pub(super) fn of((from, to): (u64, u64), asked: Option<u64>) -> Grid {
        let span = (to - from).max(1);
        let every = asked.unwrap_or_else(|| round_up(span.div_ceil(USUAL).max(1_000_000)));
        let every = every.max(span.div_ceil(MOST)).max(1);
        Grid { from, to, every, count: span.div_ceil(every) as usize }
    }

    /// The interval that a moment lies in, clipped to the window. What ends when an interval does
    /// belongs to it.
    pub(super) fn at(&self, time: u64) -> usize {
        let since = time.clamp(self.from, self.to) - self.from;
        (since.saturating_sub(1) / self.every).min(self.count as u64 - 1) as usize
    }

    /// Start and length of an interval, ns.
    pub(super) fn interval(&self, at: usize) -> (u64, u64) {
        let start = self.from.saturating_add(self.every.saturating_mul(at as u64)).min(self.to);
        (start, (self.to - start).min(self.every))
    }
}

/// The next 1, 2 or 5 times a power of ten.
fn round_up(least: u64) -> u64 {
    let mut step = 1_u64;
    loop {
        for factor in [1, 2, 5] {
            let round = step.saturating_mul(factor);
            if round >= least || round == u64::MAX {
                return round;
            }
        }
        step = step.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use super::Grid;

    const S: u64 = 1_000_000_000;

    #[test]
    fn intervals_are_round_and_not_too_many() {
        let check = |span: u64, asked, every, count| {
            let grid = Grid::of((7, 7 + span), asked);
            assert_eq!((grid.every, grid.count), (every, count), "{span} {asked:?}");
            let lengths: u64 = (0..grid.count).map(|at| grid.interval(at).1).sum();
            assert_eq!(lengths, span);
        };
        check(30 * S, None, S / 2, 60);
        check(31 * S, None, S, 31);
        check(300 * S, None, 5 * S, 60);
        check(S, None, S / 50, 50);
        check(10, None, 1_000_000, 1);
        check(30 * S, Some(S), S, 30);
        check(30 * S + 1, Some(S), S, 31);
        check(1_000_000, Some(1), 10, 100_000);
        check(u64::MAX - 7, Some(1), u64::MAX / 100_000 + 1, 100_000);
    }

    #[test]
    fn moments_belong_to_the_interval_that_they_end() {
        let grid = Grid::of((100, 400), Some(100));
        let at = |time| grid.at(time);
        assert_eq!([at(0), at(100), at(101), at(200), at(201), at(400), at(999)], [
            0, 0, 0, 0, 1, 2, 2
        ]);
    }
}
