//! Delta tokens: the differences between neighbours as tokens. What times of one ring take.

use super::{Block, Int, Parts, delta, renew, step, tokens, unzigzag, zigzag};
use crate::bytes::{Cursor, put_varint};
use crate::error::Bad;

/// The differences are zigzagged; else none of them is negative.
const ZIGZAG: u8 = 1;

/// Whether no value is smaller than the one before it.
pub(crate) fn ascending(values: &[u64]) -> bool {
    values.windows(2).all(|pair| pair[0] <= pair[1])
}

/// Writes values; `scratch` is overwritten. There must be at least one.
pub(crate) fn encode(values: &[u64], scratch: &mut Vec<u64>, out: &mut Parts) {
    let first = values[0];
    let step = step::of(values.iter().copied());
    let ascending = ascending(values);
    out.soft.extend([if ascending { 0 } else { ZIGZAG }, step]);
    put_varint(&mut out.soft, first);
    if ascending {
        tokens::encode(values.windows(2).map(|pair| (pair[1] - pair[0]) >> step), out);
    } else {
        delta::differences(values, scratch);
        let steps = scratch[1..].iter().map(|&value| zigzag(unzigzag(value) >> step));
        tokens::encode(steps, out);
    }
}

/// Reads values.
pub(crate) fn decode<T: Int>(block: Block<'_>, rows: usize, out: &mut Vec<T>) -> Result<(), Bad> {
    const CUT: &str = "delta tokens are cut off";
    let mut cursor = Cursor(block.soft);
    let mode = cursor.u8().ok_or(CUT)?;
    let step = step::take(&mut cursor)?;
    let mut sum = cursor.varint().ok_or(CUT)?;
    if cursor.0.len() + 1 != rows {
        return Err("tokens have a wrong length".into());
    }
    renew(out, rows);
    out.push(T::from_u64(sum));
    match mode {
        0 => tokens::values(cursor.0, block.hard, out, |value| {
            sum = sum.wrapping_add(value << step);
            T::from_u64(sum)
        }),
        ZIGZAG => tokens::values(cursor.0, block.hard, out, |value| {
            sum = sum.wrapping_add((unzigzag(value) << step) as u64);
            T::from_u64(sum)
        }),
        _ => Err("delta tokens have an unknown mode".into()),
    }
}
