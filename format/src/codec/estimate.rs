//! What a codec would cost, in bits, without running it.
//!
//! Looks at a sample of blocks that depends only on the number of rows, and computes in integers:
//! the same rows give the same choice on every machine.

use std::ops::Range;

use super::bits::{BLOCK, stored_width, width};
use super::keys::Key;
use super::tokens::{EXTRA, token};
use super::{equal, patched, step, zigzag};

/// One block in this many is looked at, when there are more than [`ALL`] rows.
const EVERY: usize = 8;
/// Up to this many rows are all looked at.
const ALL: usize = 4096;
/// Bits of a block's minimum and width.
const BLOCK_HEAD: u64 = 32;

/// Which rows are looked at.
pub(crate) fn sample(rows: usize) -> impl Iterator<Item = Range<usize>> {
    let every = if rows > ALL { EVERY } else { 1 };
    (0..rows).step_by(BLOCK * every).map(move |start| start..rows.min(start + BLOCK))
}

/// log2 in 1/256 bits; linear between powers of two, which is at most 0.09 bits too low.
fn log2(value: u64) -> u64 {
    if value == 0 {
        return 0;
    }
    let top = 63 - value.leading_zeros();
    let below = (u128::from(value) << 8 >> top) as u64 & 0xff;
    u64::from(top) * 256 + below
}

/// How often each byte occurs.
pub(crate) struct Counts([u32; 256]);

impl Counts {
    /// None yet.
    pub(crate) fn new() -> Counts {
        Counts([0; 256])
    }

    /// One more of this byte.
    #[inline(always)]
    pub(crate) fn add(&mut self, byte: u8) {
        self.0[usize::from(byte)] += 1;
    }

    /// Bits that an ideal coder of single bytes needs for all of them.
    pub(crate) fn bits(&self) -> u64 {
        entropy(self.0.iter().copied())
    }
}

/// Bits that an ideal coder needs for things that occur so often.
pub(crate) fn entropy(counts: impl Iterator<Item = u32>) -> u64 {
    let mut total = 0u64;
    let mut sum = 0u64;
    for count in counts {
        let count = u64::from(count);
        total += count;
        sum += count * log2(count);
    }
    (total * log2(total)).saturating_sub(sum) / 256
}

/// Bits of codes below `count`.
pub(crate) fn codes(codes: &[u16], count: usize) -> u64 {
    let mut counts = vec![0; count];
    codes.iter().for_each(|&code| counts[usize::from(code)] += 1);
    entropy(counts.into_iter())
}

/// Bits to say which `few` of `all` rows are meant.
pub(crate) fn choose(few: usize, all: usize) -> u64 {
    let (few, others) = (few as u64, (all - few) as u64);
    let each = log2(all as u64).saturating_sub(log2(few));
    (few * each + few.min(others) * 384) / 256
}

/// Costs of the general codecs, in bits for all rows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Costs {
    pub(crate) packed: u64,
    pub(crate) delta: u64,
    pub(crate) delta2: u64,
    pub(crate) tokens: u64,
    pub(crate) delta_tokens: u64,
    pub(crate) delta_patched: u64,
    pub(crate) planes: u64,
}

/// Estimates the general codecs. Planes are counted only when asked for: that takes long.
pub(crate) fn general(values: &[u64], ascending: bool, planes: bool) -> Costs {
    let mut costs = Costs::default();
    let mut raw = Counts::new();
    let mut differences = Counts::new();
    let mut bytes: Vec<Counts> = Vec::new();
    let mut seen = 0;
    let short = step::of(values.iter().copied());
    for range in sample(values.len()) {
        let block = &values[range];
        seen += block.len();
        let (mut low, mut high) = (u64::MAX, 0);
        let mut bits = [0u64; 2];
        let mut extra = [0u64; 2];
        let mut before = [block[0], 0];
        let mut steps = [0u64; BLOCK];
        for (&value, to) in block.iter().zip(&mut steps) {
            low = low.min(value);
            high = high.max(value);
            let step = value.wrapping_sub(before[0]);
            let change = zigzag(step.wrapping_sub(before[1]) as i64);
            before = [value, step];
            let folded = zigzag(step as i64);
            let counted = if ascending { step >> short } else { zigzag(step as i64 >> short) };
            bits[0] |= folded;
            bits[1] |= change;
            *to = counted;
            let tokens = [token(value), token(counted)];
            raw.add(tokens[0]);
            differences.add(tokens[1]);
            extra[0] += u64::from(EXTRA[usize::from(tokens[0])]);
            extra[1] += u64::from(EXTRA[usize::from(tokens[1])]);
        }
        let len = block.len() as u64;
        costs.packed += len * u64::from(stored_width(high - low)) + BLOCK_HEAD;
        costs.delta += len * u64::from(stored_width(bits[0])) + BLOCK_HEAD;
        costs.delta2 += len * u64::from(stored_width(bits[1])) + BLOCK_HEAD;
        costs.delta_patched += patched::cost(&steps[..block.len()]);
        costs.tokens += extra[0];
        costs.delta_tokens += extra[1];
        if planes {
            bytes.resize_with(bytes.len().max(width(high).div_ceil(8) as usize), Counts::new);
            for (plane, counts) in bytes.iter_mut().enumerate() {
                block.iter().for_each(|&value| counts.add((value >> (8 * plane)) as u8));
            }
        }
    }
    costs.tokens += raw.bits();
    costs.delta_tokens += differences.bits();
    costs.planes = if planes { bytes.iter().map(Counts::bits).sum() } else { u64::MAX / 64 };
    let scale = |cost: &mut u64| *cost = whole(*cost, seen, values.len());
    [&mut costs.packed, &mut costs.delta, &mut costs.delta2].into_iter().for_each(scale);
    [&mut costs.tokens, &mut costs.delta_tokens, &mut costs.delta_patched]
        .into_iter()
        .for_each(scale);
    if planes {
        scale(&mut costs.planes);
    }
    costs
}

/// Estimates the equal codec; `key` is the column that may say when.
pub(crate) fn equal(values: &[u64], other: &[u64], key: Option<Key<'_>>) -> u64 {
    let always = key.map(|key| equal::always(values, other, key));
    let stored = |row: usize| match (&always, key) {
        (Some(always), Some(key)) => !always[usize::from(key.codes[row])],
        _ => true,
    };
    let step = equal::step_of(values, other);
    let mut counts = Counts::new();
    let mut extra = 0;
    let mut seen = 0;
    for range in sample(values.len()) {
        seen += range.len();
        for row in range.filter(|&row| stored(row)) {
            let token = token(equal::shift(values[row], other[row], step));
            counts.add(token);
            extra += u64::from(EXTRA[usize::from(token)]);
        }
    }
    whole(counts.bits() + extra, seen, values.len())
}

/// A cost of `seen` rows, for all.
fn whole(cost: u64, seen: usize, rows: usize) -> u64 {
    (u128::from(cost) * rows as u128 / seen.max(1) as u128) as u64
}

/// Estimates exceptions with these numbers, in bits.
pub(crate) fn exceptions(numbers: impl ExactSizeIterator<Item = u64> + Clone, rows: usize) -> u64 {
    let few = numbers.len();
    let step = step::of(numbers.clone());
    let mut counts = Counts::new();
    let mut extra = 0;
    for number in numbers {
        let token = token(number >> step);
        counts.add(token);
        extra += u64::from(EXTRA[usize::from(token)]);
    }
    choose(few, rows) + counts.bits() + extra
}
