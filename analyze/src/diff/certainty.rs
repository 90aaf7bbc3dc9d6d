//! `Certainty`: how sure it is that two windows differ.

use std::cmp::Ordering;

use crate::answer::Cell;

/// How sure it is that a difference is none of chance.
///
/// Windows are cut into slices of one length, and the rank test of Mann, Whitney and Wilcoxon is made
/// over the totals of the slices: if nothing had changed, slices of both windows would be mixed when
/// sorted by their totals. It asks nothing of how times are distributed, so that one long wait, however
/// long, makes no difference sure. Two-sided, with the normal approximation, corrected for ties and
/// continuity; in integers.
///
/// Where most slices are alike, mostly empty, few others decide, and the approximation claims far too
/// much when one window has more slices: there it is no surer than the exact chance that so many of the
/// others fall on one side (the hypergeometric distribution). One other slice alone is chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Certainty {
    /// There are less than five slices of one of them, or one may hide it among its others.
    Unknown,
    /// Chance makes such a difference more often than one time in 20.
    Chance,
    /// Less than one time in 20.
    P95,
    /// Less than one time in 100.
    P99,
    /// Less than one time in 1000.
    P999,
}

/// Fewer slices than these tell nothing.
pub(super) const LEAST: usize = 5;

/// Squares of the quantiles of the normal distribution for 1/1000, 1/100 and 1/20, in thousandths.
const LEVELS: [(u128, Certainty); 3] =
    [(10_828, Certainty::P999), (6_635, Certainty::P99), (3_841, Certainty::P95)];

impl Certainty {
    /// How sure it is that the totals of slices went to one side, and which: `Greater` when those of
    /// `after` are larger. At most some hundred slices.
    pub(super) fn of(before: &[u64], after: &[u64]) -> (Ordering, Certainty) {
        if before.len() < LEAST || after.len() < LEAST {
            return (Ordering::Equal, Certainty::Unknown);
        }
        let mut all: Vec<(u64, bool)> = Vec::with_capacity(before.len() + after.len());
        all.extend(before.iter().map(|&total| (total, false)));
        all.extend(after.iter().map(|&total| (total, true)));
        all.sort_unstable();
        let (mut begun, mut twice_ranks, mut ties) = (0u128, 0u128, 0u128);
        for alike in all.chunk_by(|a, b| a.0 == b.0) {
            let size = alike.len() as u128;
            let later = alike.iter().filter(|entry| entry.1).count() as u128;
            twice_ranks += later * (2 * begun + size + 1);
            ties += size * size * size - size;
            begun += size;
        }
        let (n, m) = (before.len() as u128, after.len() as u128);
        let whole = n + m;
        // Twice U of `after`, which would be n * m.
        let twice_u = twice_ranks - m * (m + 1);
        let side = twice_u.cmp(&(n * m));
        let distance = twice_u.abs_diff(n * m).saturating_sub(1);
        let spread = n * m * (whole * whole * whole - whole - ties);
        let square = 3 * whole * (whole - 1) * distance * distance * 1000;
        let level = LEVELS.iter().find(|level| spread > 0 && square >= level.0 * spread);
        let level = level.map_or(Certainty::Chance, |level| level.1);
        (side, if level.is_sure() { level.min(exact(&all, side, [n, m])) } else { level })
    }

    /// Whether chance makes such a difference less than one time in 20.
    pub(super) fn is_sure(self) -> bool {
        self >= Certainty::P95
    }

    /// How sure at least; nothing for what is not.
    pub(super) fn cell(self) -> Cell {
        match self {
            Certainty::Unknown | Certainty::Chance => Cell::None,
            Certainty::P95 => Cell::Percent { part: 950, whole: 1000 },
            Certainty::P99 => Cell::Percent { part: 990, whole: 1000 },
            Certainty::P999 => Cell::Percent { part: 999, whole: 1000 },
        }
    }
}

/// How sure it can be by those slices alone that are not like most; all are when there is no most.
/// `all` are sorted totals with whether they are of the later window, `sizes` the slices of both.
fn exact(all: &[(u64, bool)], side: Ordering, sizes: [u128; 2]) -> Certainty {
    let alike = all.chunk_by(|a, b| a.0 == b.0).max_by_key(|alike| alike.len());
    let Some(&[(most, _), ..]) = alike.filter(|alike| 2 * alike.len() > all.len()) else {
        return Certainty::P999;
    };
    // Where larger totals and smaller ones speak for the difference.
    let later = side == Ordering::Greater;
    let count = |order: Ordering, later: Option<bool>| {
        let others = all.iter().filter(|entry| entry.0.cmp(&most) == order);
        others.filter(|entry| later.is_none_or(|later| entry.1 == later)).count() as u128
    };
    let groups = [(Ordering::Greater, later), (Ordering::Less, !later)];
    let groups =
        groups.map(|(order, later)| (count(order, None), count(order, Some(later)), later));
    if groups.iter().map(|group| group.0).sum::<u128>() < 2 {
        return Certainty::Chance;
    }
    let [before, after] = sizes;
    let sure = groups.map(|(drawn, there, later)| {
        let (own, other) = if later { (after, before) } else { (before, after) };
        by_tail(drawn, there, own, other)
    });
    sure.into_iter().max().unwrap_or(Certainty::Chance)
}

/// How sure it is that at least `there` of `drawn` slices are among `own` of `own + other` ones; twice
/// the chance counts, since it could have been the other side. All at most some hundred.
fn by_tail(drawn: u128, there: u128, own: u128, other: u128) -> Certainty {
    let (least, most) = (drawn.saturating_sub(other), drawn.min(own));
    // The chances of all numbers in proportion, from the likeliest on outward, in integers.
    let likeliest = ((own + 1) * (drawn + 1) / (own + other + 2)).clamp(least, most);
    let (mut all, mut tail) = (0u128, 0u128);
    let mut add = |number: u128, weight: u128| {
        all += weight;
        tail += if number >= there { weight } else { 0 };
    };
    let one = 1u128 << 80;
    add(likeliest, one);
    let mut weight = one;
    for number in likeliest..most {
        let above = (number + 1) * (other + number + 1 - drawn);
        weight = weight * ((own - number) * (drawn - number)) / above;
        add(number + 1, weight);
    }
    let mut weight = one;
    for number in (least + 1..=likeliest).rev() {
        let below = (own - number + 1) * (drawn - number + 1);
        weight = weight * (number * (other + number - drawn)) / below;
        add(number - 1, weight);
    }
    let levels = [(1000, Certainty::P999), (100, Certainty::P99), (20, Certainty::P95)];
    let level = levels.iter().find(|level| 2 * tail * level.0 < all);
    level.map_or(Certainty::Chance, |level| level.1)
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering::{Equal, Greater, Less};

    use super::Certainty::{self, Chance, P95, P99, P999, Unknown};

    fn check(before: &[u64], after: &[u64], expected: (std::cmp::Ordering, Certainty)) {
        assert_eq!(Certainty::of(before, after), expected, "{before:?} {after:?}");
        let turned = (expected.0.reverse(), expected.1);
        assert_eq!(Certainty::of(after, before), turned, "{after:?} {before:?}");
    }

    /// The formula in floating point gives 1, 0.0122, 0.0056, 0.00018 and 0.0465.
    #[test]
    fn levels_are_those_of_the_rank_test() {
        check(&[1, 2, 3, 4, 5], &[1, 2, 3, 4, 5], (Equal, Chance));
        check(&[1, 2, 3, 4, 5], &[6, 7, 8, 9, 10], (Greater, P95));
        check(&[3, 3, 3, 3, 3], &[4, 4, 4, 4, 9], (Greater, P99));
        check(
            &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
            &[11, 12, 13, 14, 15, 16, 17, 18, 19, 20],
            (Greater, P999),
        );
        check(&[5, 6, 7, 8, 9], &[1, 2, 3, 4, 7], (Less, P95));
    }

    #[test]
    fn one_long_wait_is_chance() {
        let mut after = [0; 20];
        after[7] = u64::MAX;
        check(&[0; 20], &after, (Greater, Chance));
        after[3..8].fill(1);
        check(&[0; 20], &after, (Greater, P95));
    }

    /// Twice C(5, 2) / C(205, 2) is 0.00096; two or more of nine have a chance of twice 0.016.
    #[test]
    fn windows_of_other_lengths_are_no_reason_to_be_sure() {
        let spots = |slices: usize, spots: usize| {
            let mut all = vec![0; slices];
            (0..spots).for_each(|at| all[at] = 7 + at as u64);
            all
        };
        for (short, long) in [(5, 200), (13, 200), (20, 200), (20, 114), (20, 21)] {
            check(&spots(long, 0), &spots(short, 1), (Greater, Chance));
        }
        check(&spots(200, 0), &spots(5, 2), (Greater, P999));
        check(&spots(200, 7), &spots(5, 2), (Greater, P95));
        check(&spots(200, 8), &spots(5, 1), (Greater, Chance));
        check(&spots(200, 1), &spots(20, 20), (Greater, P999));
        // The same where most slices have some time, and one has none.
        let mut short = vec![9; 5];
        short[3] = 0;
        check(&[9; 200], &short, (Less, Chance));
    }

    #[test]
    fn few_slices_tell_nothing() {
        check(&[1, 1, 1, 1], &[9; 20], (Equal, Unknown));
        check(&[0; 200], &[0; 200], (Equal, Chance));
    }
}
