//! Adds up the loss counters of several recordings of a host.

use std::collections::BTreeMap;

use ktape_format::Trace;
use ktape_schema::Loss;

use super::translation::Translation;
use crate::context::{Loader, LoaderState};

/// Readings of the counters of several recordings, each of which began at zero, as those of one that
/// had gone on through all of them: at each reading, what all had counted by then.
#[derive(Debug, Default)]
pub(super) struct Counters {
    readings: BTreeMap<Place, Vec<Reading>>,
}

/// Record, CPU and time.
type Place = (u32, u32, u64);
/// Recording, produced and lost.
type Reading = (usize, u64, u64);

impl Counters {
    /// Takes the readings of a trace of a recording.
    pub(super) fn take(&mut self, trace: &Trace, recording: usize, translation: &Translation<'_>) {
        let columns = ["time", "produced", "lost", "record", "cpu"];
        Loader::new(trace, &mut LoaderState::new(trace)).each(Loss::DESC.name, &columns, |batch| {
            for row in 0..batch.rows() {
                let number = |field: &str, kind, number: u64| {
                    translation.number(Loss::DESC.name, field, kind, number)
                };
                let time = number("time", "time_ns", batch.u64("time")[row]);
                let cpu = number("cpu", "cpu", batch.u32("cpu")[row].into());
                let (Some(time), Some(cpu)) = (time, cpu) else { continue };
                let key = (batch.u32("record")[row], cpu as u32, time);
                let reading = (recording, batch.u64("produced")[row], batch.u64("lost")[row]);
                let at = self.readings.entry(key).or_default();
                if !at.contains(&reading) {
                    at.push(reading);
                }
            }
        });
    }

    /// The sums, by record, CPU and time.
    pub(super) fn rows(&self) -> Vec<Loss> {
        let mut rows = Vec::new();
        let mut series = None;
        let mut last: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
        for (&(record, cpu, time), readings) in &self.readings {
            if series != Some((record, cpu)) {
                series = Some((record, cpu));
                last.clear();
            }
            for &(recording, produced, lost) in readings {
                last.insert(recording, (produced, lost));
            }
            let sum = |value: fn(&(u64, u64)) -> u64| {
                last.values().map(value).fold(0, u64::saturating_add)
            };
            let (produced, lost) = (sum(|counts| counts.0), sum(|counts| counts.1));
            rows.push(Loss { time, produced, lost, record, cpu });
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::Counters;

    #[test]
    fn counters_go_on_where_the_recording_before_ended() {
        let mut counters = Counters::default();
        let mut add = |recording, record, cpu, time, produced, lost| {
            let at = counters.readings.entry((record, cpu, time)).or_default();
            at.push((recording, produced, lost));
        };
        add(0, 1, 0, 10, 100, 1);
        add(0, 1, 0, 20, 200, 1);
        add(7, 1, 0, 30, 5, 2);
        add(7, 1, 1, 30, 8, 0);
        let rows = counters.rows();
        let found: Vec<_> =
            rows.iter().map(|row| (row.cpu, row.time, row.produced, row.lost)).collect();
        assert_eq!(found, [(0, 10, 100, 1), (0, 20, 200, 1), (0, 30, 205, 3), (1, 30, 8, 0)]);
    }
}
