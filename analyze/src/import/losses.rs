//! What perf could not keep, as counters of loss.

use std::collections::BTreeMap;

use ktape_schema::Loss;

use super::tape::{OWN_RING, Tape};

/// Losses: two accounts of the same, of which one is told.
///
/// Counters of the events (PERF_RECORD_LOST_SAMPLES, at the end of the file) say of which event
/// samples are missing. What the kernel told while it happened (PERF_RECORD_LOST) bears the name of
/// the event that came next, and counts records of all kinds: it is used when there are no counters.
#[derive(Default)]
pub(super) struct Losses {
    /// By record; `None` when the file has no counters.
    counted: Option<BTreeMap<u16, u64>>,
    told: u64,
}

impl Losses {
    /// Takes the counter of an event, whose samples become this record; `None`: they become none.
    pub(super) fn count(&mut self, record: Option<u16>, lost: u64) {
        let counted = self.counted.get_or_insert_default();
        if let Some(record) = record {
            let entry = counted.entry(record).or_default();
            *entry = entry.saturating_add(lost);
        }
    }

    /// Takes what the kernel told.
    pub(super) fn tell(&mut self, lost: u64) {
        self.told = self.told.saturating_add(lost);
    }

    /// What was lost in all.
    pub(super) fn total(&self) -> u64 {
        match &self.counted {
            Some(counted) => counted.values().copied().fold(0, u64::saturating_add),
            None => self.told,
        }
    }

    /// Writes all counters. No CPU is known of losses; those of which no event is known are counted as
    /// of this record.
    pub(super) fn write(&self, record: u16, time: u64, tape: &mut Tape<'_>) {
        let lost: BTreeMap<u16, u64> = match &self.counted {
            Some(counted) => counted.clone(),
            None => BTreeMap::from([(record, self.told)]),
        };
        let mut rows = tape.counted().clone();
        for (&record, _) in lost.iter().filter(|(_, lost)| **lost > 0) {
            rows.entry((record, OWN_RING)).or_default();
        }
        for ((record, ring), kept) in rows {
            let (cpu, lost) = match ring {
                OWN_RING => (u32::MAX, lost.get(&record).copied().unwrap_or(0)),
                ring => (ring.into(), 0),
            };
            let produced = kept.saturating_add(lost);
            let row = Loss { time, produced, lost, record: record.into(), cpu };
            tape.define(Loss::DESC, &row.encode());
        }
    }
}
