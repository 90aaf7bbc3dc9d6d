//! Delta patched: the differences between neighbours in patched blocks. What times of one ring take
//! where they are read often.

use super::bits::BLOCK;
use super::{Block, Int, Parts, patched, renew, step, unzigzag, zigzag};
use crate::bytes::{Cursor, put_varint};
use crate::error::Bad;

/// The differences are zigzagged; else none of them is negative.
const ZIGZAG: u8 = 1;

/// Writes values; `scratch` is overwritten. There must be at least one.
pub(crate) fn encode(values: &[u64], scratch: &mut Vec<u64>, out: &mut Parts) {
    let step = step::of(values.iter().copied());
    let ascending = super::delta_tokens::ascending(values);
    scratch.clear();
    scratch.extend(values.windows(2).map(|pair| match ascending {
        true => (pair[1] - pair[0]) >> step,
        false => zigzag(pair[1].wrapping_sub(pair[0]) as i64 >> step),
    }));
    out.soft.extend([if ascending { 0 } else { ZIGZAG }, step]);
    put_varint(&mut out.soft, values[0]);
    patched::encode(scratch, out);
}

/// Reads values.
pub(crate) fn decode<T: Int>(block: Block<'_>, rows: usize, out: &mut Vec<T>) -> Result<(), Bad> {
    const CUT: &str = "patched differences are cut off";
    let mut cursor = Cursor(block.soft);
    let mode = cursor.u8().ok_or(CUT)?;
    let step = step::take(&mut cursor)?;
    let mut sum = cursor.varint().ok_or(CUT)?;
    let count = rows.checked_sub(1).ok_or(CUT)?;
    renew(out, rows);
    out.push(T::from_u64(sum));
    match mode {
        0 => patched::blocks(cursor, block, count, |values| {
            sum = add_up(values, sum, |value| value << step, out);
        }),
        ZIGZAG => patched::blocks(cursor, block, count, |values| {
            sum = add_up(values, sum, |value| (unzigzag(value) << step) as u64, out);
        }),
        _ => Err("patched differences have an unknown mode".into()),
    }
}

/// Appends the sums so far. The sum stays in a register here, which it does not in a closure that
/// borrows it.
#[inline(always)]
fn add_up<T: Int>(steps: &[u64], mut sum: u64, step: impl Fn(u64) -> u64, out: &mut Vec<T>) -> u64 {
    let mut sums = [0; BLOCK];
    for (to, &value) in sums.iter_mut().zip(steps) {
        sum = sum.wrapping_add(step(value));
        *to = sum;
    }
    out.extend(sums[..steps.len()].iter().map(|&sum| T::from_u64(sum)));
    sum
}
