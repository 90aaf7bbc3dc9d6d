//! What was produced and lost, by record and CPU.

use super::Reader;
use crate::error::Result;
use crate::kernel::{Counter, Kernel};
use crate::names;
use crate::tape::OWN_RING;
use ktape_format::schema::{Class, Loss, Mapping, by_id};
use rustc_hash::FxHashMap;

/// The CPU number of counters that the recorder keeps itself.
const OWN_CPU: u32 = u32::MAX;

impl Reader {
    /// Notes the loss counters, those that changed; returns what was produced and lost, by record.
    pub(crate) fn count_losses(
        &mut self,
        kernel: &Kernel,
        now: u64,
    ) -> Result<Vec<(u16, u64, u64)>> {
        let counters = self.counters(kernel)?;
        Ok(self.tell_losses(&counters, now))
    }

    /// The counters of the kernel programs and of the recorder.
    fn counters(&self, kernel: &Kernel) -> Result<Vec<Counter>> {
        let (mut counters, _) = kernel.counters()?;
        counters.extend(self.own.iter().map(|(&record, &produced)| Counter {
            cpu: OWN_CPU,
            record,
            produced,
            lost: 0,
        }));
        let (produced, lost) = self.sideband.counts();
        if lost > 0 {
            let mapping = Mapping::DESC.id;
            counters.push(Counter { cpu: OWN_CPU, record: mapping, produced, lost });
        }
        counters.sort_unstable();
        Ok(counters)
    }

    fn tell_losses(&mut self, counters: &[Counter], now: u64) -> Vec<(u16, u64, u64)> {
        let mut totals: FxHashMap<u16, (u64, u64)> = FxHashMap::default();
        for &Counter { cpu, record, produced, lost } in counters {
            let total = totals.entry(record).or_default();
            total.0 += produced;
            total.1 += lost;
            if self.last_counters.insert((cpu, record), (produced, lost)) != Some((produced, lost))
            {
                self.tape.loss(Loss { time: now, produced, lost, record: record.into(), cpu });
            }
        }
        let mut totals: Vec<(u16, u64, u64)> =
            totals.into_iter().map(|(record, (produced, lost))| (record, produced, lost)).collect();
        totals.sort_unstable();
        self.lost = totals.iter().map(|(_, _, lost)| lost).sum();
        totals
    }

    /// At the end of a segment that is not the last: what is still in the rings belongs to the next
    /// one, and so it counts as produced there. Returns the counters from which that one counts on.
    pub(crate) fn settle(&mut self, kernel: &mut Kernel, now: u64) -> Result<Vec<Loss>> {
        names::write_kernel(&mut self.stacks, kernel, &mut self.tape);
        self.write(now)?;
        let mut counters = self.counters(kernel)?;
        for Counter { cpu, record, produced, lost } in &mut counters {
            let ring = if *cpu == OWN_CPU { OWN_RING } else { *cpu as u16 };
            // Sums are of no CPU.
            if by_id(*record).is_some_and(|d| d.class == Class::Fact && d.sums.is_none()) {
                *produced = self.tape.recorded_of(ring, *record) + *lost;
            }
        }
        for (&record, &summed) in &self.summed {
            let produced = counters.iter_mut().filter(|counter| counter.record == record);
            defer(produced, summed, &mut self.settled);
        }
        self.tell_losses(&counters, now);
        self.write(now)?;
        let loss = |&Counter { cpu, record, produced, lost }: &Counter| Loss {
            time: now,
            produced,
            lost,
            record: record.into(),
            cpu,
        };
        let mut base: Vec<Loss> = counters.iter().map(loss).collect();
        // Mappings count from here even if the first loss is yet to come.
        let (produced, lost) = self.sideband.counts();
        if lost == 0 {
            let record = Mapping::DESC.id;
            base.push(loss(&Counter { cpu: OWN_CPU, record, produced, lost }));
        }
        Ok(base)
    }
}

/// Takes what was counted after the sums were read out of the counters of a record, down to what they
/// were at the end of the last segment: it belongs to the next one.
fn defer<'a>(
    counters: impl Iterator<Item = &'a mut Counter>,
    summed: u64,
    settled: &mut FxHashMap<(u32, u16), u64>,
) {
    let counters: Vec<&mut Counter> = counters.collect();
    let accounted = |counter: &&mut Counter| counter.produced.saturating_sub(counter.lost);
    let mut later = counters.iter().map(accounted).sum::<u64>().saturating_sub(summed);
    for counter in counters {
        let settled = settled.entry((counter.cpu, counter.record)).or_default();
        let least = (*settled).max(counter.lost);
        let taken = later.min(counter.produced.saturating_sub(least));
        counter.produced -= taken;
        later -= taken;
        *settled = counter.produced;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_after_the_sums_is_the_next_segments() {
        let mut settled = FxHashMap::default();
        let mut check = |produced: [u64; 2], lost: u64, summed: u64, expected: [u64; 2]| {
            let mut counters = [0, 1].map(|cpu| Counter {
                cpu,
                record: 3,
                produced: produced[cpu as usize],
                lost: if cpu == 0 { lost } else { 0 },
            });
            defer(counters.iter_mut(), summed, &mut settled);
            assert_eq!(counters.map(|counter| counter.produced), expected);
        };
        check([100, 50], 10, 140, [100, 50]);
        check([110, 70], 10, 150, [100, 60]);
        check([110, 70], 10, 170, [110, 70]);
    }
}
