//! Exact percentiles, by further passes over the facts.
//!
//! What is searched for is the number at a rank. All that is known of it is its upper bits: none at
//! first. A pass counts the numbers of each group that agree in those by the next few bits, which tells
//! the next few bits of the one at the rank. As soon as so few numbers agree that they can be kept, the
//! next pass keeps them, and the one at the rank is taken from them.

use ktape_format::{Batch, ChunkInfo};

use super::groups::Key;
use super::rows::Rows;
use super::{Asked, Facts};
use crate::context::Context;
use crate::error::Result;
use crate::run::{Again, Scan};

/// Most numbers that are kept: 16 bytes each.
pub(super) const KEPT: u64 = 1 << 21;
/// About as many counters as a thread has: 8 bytes each.
const COUNTERS: usize = 1 << 19;
/// Most bits that a pass finds.
const BITS: u32 = 12;

/// A number that is searched for.
#[derive(Clone, Copy, Debug)]
struct Target {
    /// Its upper bits; zeros below them.
    known: u64,
    /// How many bits below are not known; 0 when it is found.
    unknown: u32,
    /// How many numbers agree with it in the upper bits.
    count: u64,
    /// Its place among those in rising order, from 1 on.
    rank: u64,
}

impl Target {
    #[inline(always)]
    fn agrees(&self, value: u64) -> bool {
        self.unknown > 0 && (value ^ self.known).checked_shr(self.unknown).unwrap_or(0) == 0
    }
}

/// Finds the percentiles of all rows that are shown.
pub(super) fn find(
    report: &Facts,
    asked: &Asked,
    again: &Again<'_>,
    rows: &mut Rows,
) -> Result<()> {
    let mut targets = Vec::new();
    for row in &rows.list {
        let (count, max) = (row.sum.count, row.sum.max);
        targets.extend(asked.percentiles.iter().map(|percentile| {
            let rank = percentile.rank(count);
            // The largest number is known already.
            let found = rank == count || max == 0 || count < report.at_least;
            let unknown = if found { 0 } else { u64::BITS - max.leading_zeros() };
            Target { known: if found { max } else { 0 }, unknown, count, rank }
        }));
    }
    loop {
        let open = targets.iter().filter(|target| target.unknown > 0);
        let agreeing = open.fold(0u64, |sum, target| sum.saturating_add(target.count));
        if agreeing == 0 {
            break;
        }
        let keep = agreeing <= report.kept;
        let fit = COUNTERS / targets.len().max(1);
        let bits = fit.checked_ilog2().unwrap_or(0).clamp(1, BITS);
        let pass = Pass { report, asked, rows, targets: &targets, bits: (!keep).then_some(bits) };
        let found = again.fold(&pass)?;
        match keep {
            true => take(&mut targets, found.kept),
            false => narrow(&mut targets, bits, &found.counts),
        }
    }
    let mut found = targets.iter().map(|target| target.known);
    for row in &mut rows.list {
        row.percentiles.extend(found.by_ref().take(asked.percentiles.len()));
    }
    Ok(())
}

/// Takes what is searched for from the numbers that agree with it.
fn take(targets: &mut [Target], mut kept: Vec<(u32, u64)>) {
    kept.sort_unstable();
    for own in kept.chunk_by(|a, b| a.0 == b.0) {
        let target = &mut targets[own[0].0 as usize];
        let at = usize::try_from(target.rank - 1).unwrap_or(usize::MAX).min(own.len() - 1);
        target.known = own[at].1;
    }
    targets.iter_mut().for_each(|target| target.unknown = 0);
}

/// Learns the next bits from how many numbers have which.
fn narrow(targets: &mut [Target], bits: u32, counts: &[u64]) {
    for (target, counts) in targets.iter_mut().zip(counts.chunks(1 << bits)) {
        let step = bits.min(target.unknown);
        if step == 0 {
            continue;
        }
        target.unknown -= step;
        for (next, &count) in (0u64..).zip(counts) {
            if target.rank <= count || next + 1 == 1 << step {
                target.known |= next << target.unknown;
                target.count = count;
                break;
            }
            target.rank -= count;
        }
    }
}

/// One pass.
struct Pass<'a> {
    report: &'a Facts,
    asked: &'a Asked,
    rows: &'a Rows,
    /// As many per row as percentiles are asked for.
    targets: &'a [Target],
    /// By how many bits numbers are counted; `None` to keep them.
    bits: Option<u32>,
}

/// What a pass finds.
#[derive(Default)]
struct Found {
    /// By target, then by the next bits.
    counts: Vec<u64>,
    /// Target and number.
    kept: Vec<(u32, u64)>,
}

impl Scan for Pass<'_> {
    type Folded = Found;

    fn skim_chunk(&self, _: &Context<'_>, _: &ChunkInfo, _: &mut Found) -> bool {
        false
    }

    fn scan_batch(&self, cx: &Context<'_>, batch: &Batch, found: &mut Found) {
        if let Some(bits) = self.bits {
            found.counts.resize(self.targets.len() << bits, 0);
        }
        let each = self.asked.percentiles.len();
        let mut last: Option<(Key, Option<u32>)> = None;
        self.report.part(self.asked, cx, batch.ring()).each(batch, |key, value| {
            let place = match last {
                Some((before, place)) if before == key => place,
                _ => self.rows.place(key),
            };
            last = Some((key, place));
            let Some(place) = place else { return };
            let first = place as usize * each;
            for at in first..first + each {
                let target = &self.targets[at];
                if !target.agrees(value) {
                    continue;
                }
                match self.bits {
                    None => found.kept.push((at as u32, value)),
                    Some(bits) => {
                        let step = bits.min(target.unknown);
                        let next = value >> (target.unknown - step) & ((1 << step) - 1);
                        found.counts[(at << bits) + next as usize] += 1;
                    }
                }
            }
        });
    }

    fn merge_folded(&self, into: &mut Found, from: Found) {
        if into.counts.is_empty() {
            into.counts = from.counts;
        } else {
            into.counts.iter_mut().zip(from.counts).for_each(|(count, more)| *count += more);
        }
        into.kept.extend(from.kept);
    }
}
