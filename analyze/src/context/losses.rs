//! `Losses`: how many facts could not be kept, by record, CPU and time.

use super::loader::Loader;

/// What a probe made of one record within a window, and how much of it was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Facts that the kernel program made.
    pub produced: u64,
    /// Those of them that found the ring full.
    pub lost: u64,
}

/// One reading of the cumulative counters of one (record, CPU).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Sample {
    record: u32,
    cpu: u32,
    time: u64,
    produced: u64,
    lost: u64,
}

/// The loss counters of a trace.
#[derive(Debug, Default)]
pub struct Losses {
    /// Sorted by (record, cpu, time).
    samples: Vec<Sample>,
}

impl Losses {
    pub(crate) fn load(loader: &mut Loader<'_>) -> Self {
        let mut samples = Vec::new();
        loader.each("loss", &["time", "produced", "lost", "record", "cpu"], |batch| {
            let [record, cpu] = ["record", "cpu"].map(|name| batch.u32(name));
            let [time, produced, lost] = ["time", "produced", "lost"].map(|name| batch.u64(name));
            samples.extend((0..batch.rows()).map(|row| Sample {
                record: record[row],
                cpu: cpu[row],
                time: time[row],
                produced: produced[row],
                lost: lost[row],
            }));
        });
        samples.sort_unstable();
        Self { samples }
    }

    /// Whether a trace lost anything: cheaper than to load all counters.
    pub(crate) fn any(loader: &mut Loader<'_>) -> bool {
        loader.any("loss", &["lost"], |batch| batch.u64("lost").iter().any(|&lost| lost > 0))
    }

    /// Whether anything was lost.
    pub fn lost_any(&self) -> bool {
        self.samples.iter().any(|sample| sample.lost > 0)
    }

    /// What was produced and lost of a record from `from` to `to` (monotonic ns, both inside), on
    /// the CPUs that `cpu` accepts.
    ///
    /// The counters are only known where they were sampled, so this counts from the last sample
    /// before the window to the first one after it: never less than what the window lost.
    pub fn within(&self, record: u16, from: u64, to: u64, cpu: impl Fn(u32) -> bool) -> Loss {
        let mut loss = Loss::default();
        for series in self.samples.chunk_by(|a, b| (a.record, a.cpu) == (b.record, b.cpu)) {
            if series[0].record != u32::from(record) || !cpu(series[0].cpu) {
                continue;
            }
            let before = series.partition_point(|sample| sample.time <= from);
            let after = series.partition_point(|sample| sample.time < to).min(series.len() - 1);
            let (produced, lost) = match before.checked_sub(1) {
                Some(at) => (series[at].produced, series[at].lost),
                None => (0, 0),
            };
            loss.produced =
                loss.produced.saturating_add(series[after].produced.saturating_sub(produced));
            loss.lost = loss.lost.saturating_add(series[after].lost.saturating_sub(lost));
        }
        loss
    }

    /// Produced and lost over the whole recording, of each record that has counters, by id. Those
    /// of messages from the kernel are among them, though no row of the file is such a message.
    pub fn totals(&self) -> Vec<(u32, Loss)> {
        let mut totals: Vec<(u32, Loss)> = Vec::new();
        for series in self.samples.chunk_by(|a, b| (a.record, a.cpu) == (b.record, b.cpu)) {
            let Some(last) = series.last() else { continue };
            if totals.last().is_none_or(|total| total.0 != last.record) {
                totals.push((last.record, Loss::default()));
            }
            let Some((_, sum)) = totals.last_mut() else { continue };
            sum.produced = sum.produced.saturating_add(last.produced);
            sum.lost = sum.lost.saturating_add(last.lost);
        }
        totals
    }

    /// When the counters of a record were read last, over its CPUs the earliest.
    pub fn last_read(&self, record: u16) -> Option<u64> {
        self.samples
            .chunk_by(|a, b| (a.record, a.cpu) == (b.record, b.cpu))
            .filter(|series| series[0].record == u32::from(record))
            .filter_map(|series| series.last().map(|sample| sample.time))
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::{Loss, Losses, Sample};

    fn check(from: u64, to: u64, cpus: &[u32], produced: u64, lost: u64) {
        let sample = |cpu, time, produced, lost| Sample { record: 1, cpu, time, produced, lost };
        let mut samples = vec![
            sample(0, 10, 100, 0),
            sample(0, 20, 200, 5),
            sample(0, 30, 300, 5),
            sample(1, 10, 50, 1),
            sample(1, 30, 90, 9),
            Sample { record: 2, cpu: 0, time: 10, produced: 7, lost: 7 },
        ];
        samples.sort_unstable();
        let found = Losses { samples }.within(1, from, to, |cpu| cpus.contains(&cpu));
        assert_eq!(found, Loss { produced, lost }, "{from}..{to}");
    }

    #[test]
    fn totals_are_the_last_counters_of_all_cpus() {
        let sample = |record, cpu, time, lost| Sample { record, cpu, time, produced: 100, lost };
        let samples =
            vec![sample(1, 0, 10, 1), sample(1, 0, 20, 2), sample(1, 1, 5, 4), sample(67, 0, 9, 0)];
        let loss = |produced, lost| Loss { produced, lost };
        assert_eq!(Losses { samples }.totals(), [(1, loss(200, 6)), (67, loss(100, 0))]);
    }

    #[test]
    fn counts_between_the_samples_around_a_window() {
        check(0, u64::MAX, &[0, 1], 390, 14);
        check(0, 9, &[0], 100, 0);
        check(12, 18, &[0], 100, 5);
        check(12, 18, &[0, 1], 140, 13);
        check(20, 30, &[0], 100, 0);
        check(25, 100, &[0], 100, 0);
        check(40, 50, &[0, 1], 0, 0);
        check(0, u64::MAX, &[], 0, 0);
    }
}
