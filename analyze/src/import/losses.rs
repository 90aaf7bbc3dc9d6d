//! What perf could not keep, as counters of loss.

use std::collections::BTreeMap;

use ktape_schema::Loss;

use super::tape::{OWN_RING, Tape};

/// Losses by record and CPU.
#[derive(Default)]
pub(super) struct Losses {
    /// As the kernel told while it happened (PERF_RECORD_LOST), and as the events' own counters say
    /// (PERF_RECORD_LOST_SAMPLES): two accounts of the same.
    lost: BTreeMap<(u16, u16), (u64, u64)>,
}

impl Losses {
    /// Adds to one of the accounts.
    pub(super) fn add(&mut self, record: u16, ring: u16, lost: u64, samples: bool) {
        let entry = self.lost.entry((record, ring)).or_default();
        let account = if samples { &mut entry.1 } else { &mut entry.0 };
        *account = account.saturating_add(lost);
    }

    /// What was lost of a record on a CPU.
    fn of(&self, record: u16, ring: u16) -> u64 {
        self.lost.get(&(record, ring)).map_or(0, |&(told, counted)| told.max(counted))
    }

    /// What was lost in all.
    pub(super) fn total(&self) -> u64 {
        let each = self.lost.values().map(|&(told, counted)| told.max(counted));
        each.fold(0, u64::saturating_add)
    }

    /// Tells the counters of one record and CPU at a time.
    pub(super) fn tell(&self, record: u16, ring: u16, time: u64, tape: &mut Tape<'_>) {
        let lost = self.of(record, ring);
        let kept = tape.counted().get(&(record, ring)).copied().unwrap_or(0);
        let cpu = if ring == OWN_RING { u32::MAX } else { ring.into() };
        let produced = kept.saturating_add(lost);
        let row = Loss { time, produced, lost, record: record.into(), cpu };
        tape.define(Loss::DESC, &row.encode());
    }

    /// Tells all counters.
    pub(super) fn tell_all(&self, time: u64, tape: &mut Tape<'_>) {
        let mut keys: Vec<(u16, u16)> = tape.counted().keys().copied().collect();
        keys.extend(self.lost.keys());
        keys.sort_unstable();
        keys.dedup();
        for (record, ring) in keys {
            self.tell(record, ring, time, tape);
        }
    }
}
