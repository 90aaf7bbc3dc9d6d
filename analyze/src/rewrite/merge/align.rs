//! Puts the clocks of several hosts onto one.

use ktape_format::Trace;

use crate::context::{Loader, LoaderState};

/// Where a host's monotonic clock stands in the calendar: realtime minus monotonic, in ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The least that a pair of readings says.
    low: i128,
    /// What half of them are below.
    middle: i128,
    /// The most.
    high: i128,
}

impl Place {
    /// What these pairs of monotonic and real time say.
    fn of(pairs: impl IntoIterator<Item = (u64, u64)>) -> Self {
        let offsets = pairs.into_iter().map(|(mono, real)| i128::from(real) - i128::from(mono));
        let mut offsets: Vec<i128> = offsets.collect();
        offsets.sort_unstable();
        let (Some(&low), Some(&high)) = (offsets.first(), offsets.last()) else {
            return Self::default();
        };
        let (one, other) = (offsets[(offsets.len() - 1) / 2], offsets[offsets.len() / 2]);
        Self { low, middle: one + (other - one) / 2, high }
    }

    /// What the clock pairs of these traces, which are of one host, say.
    pub(super) fn of_traces<'t>(traces: impl IntoIterator<Item = &'t Trace>) -> Self {
        let mut pairs = Vec::new();
        for trace in traces {
            pairs.push((trace.meta().start.mono, trace.meta().start.realtime));
            Loader::new(trace, &mut LoaderState::new(trace)).each(
                "clock",
                &["mono", "realtime"],
                |batch| {
                    let (mono, real) = (batch.u64("mono"), batch.u64("realtime"));
                    pairs.extend(mono.iter().copied().zip(real.iter().copied()));
                },
            );
        }
        Self::of(pairs)
    }

    /// What the pairs say: the median, since a clock that was set makes a few wrong by any amount.
    pub(super) fn middle(self) -> i128 {
        self.middle
    }

    /// How far the truth may be from the middle, ns, as far as the pairs can tell.
    pub(super) fn doubt(self) -> u64 {
        let far = (self.high - self.middle).max(self.middle - self.low);
        u64::try_from(far).unwrap_or(u64::MAX)
    }

    /// How far the pairs disagree, ns.
    pub(super) fn spread(self) -> u64 {
        u64::try_from(self.high - self.low).unwrap_or(u64::MAX)
    }

    /// What a time of this host must be moved by to be one of another, whose clock has run at least as
    /// long; `None` when the calendars of both do not go together.
    pub(super) fn shift_to(self, other: Place) -> Option<u64> {
        u64::try_from(self.middle() - other.middle()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn pairs_give_a_place_and_a_doubt() {
        let check = |pairs: &[(u64, u64)], middle: i128, doubt: u64| {
            let place = Place::of(pairs.iter().copied());
            assert_eq!((place.middle(), place.doubt()), (middle, doubt), "{pairs:?}");
        };
        check(&[], 0, 0);
        check(&[(10, 110)], 100, 0);
        check(&[(10, 110), (20, 125)], 102, 3);
        check(&[(20, 5), (30, 11)], -17, 2);
        // A clock that was set at the end.
        check(&[(10, 110), (20, 120), (30, 3730)], 100, 3600);
    }

    #[test]
    fn times_move_onto_the_clock_that_has_run_longer() {
        let (old, young) = (Place::of([(1000, 5000)]), Place::of([(10, 5020)]));
        // 5010 on the clock of the calendar.
        assert_eq!(young.shift_to(old), Some(1010));
        assert_eq!(old.shift_to(young), None);
    }
}
