//! Delta: the differences between neighbours, packed in blocks.

use super::{Block, Int, Parts, packed, renew, unzigzag, zigzag};
use crate::error::Bad;

/// The zigzagged difference of every value to the one before it; the first one's to 0.
pub(crate) fn differences(values: &[u64], out: &mut Vec<u64>) {
    out.clear();
    let before = std::iter::once(&0).chain(values);
    out.extend(
        values.iter().zip(before).map(|(value, before)| zigzag(value.wrapping_sub(*before) as i64)),
    );
}

/// Writes values; `scratch` is overwritten.
pub(crate) fn encode(values: &[u64], scratch: &mut Vec<u64>, out: &mut Parts) {
    differences(values, scratch);
    packed::encode(scratch, out);
}

/// Reads values.
pub(crate) fn decode<T: Int>(block: Block<'_>, rows: usize, out: &mut Vec<T>) -> Result<(), Bad> {
    let mut sum = 0u64;
    renew(out, rows);
    packed::blocks(block, rows, |values| {
        out.extend(values.iter().map(|&value| {
            sum = sum.wrapping_add(unzigzag(value) as u64);
            T::from_u64(sum)
        }));
    })
}
