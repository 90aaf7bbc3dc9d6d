//! Delta of delta: how the differences change, packed in blocks. For times at a fixed pace.

use super::{Block, Int, Parts, delta, packed, renew, unzigzag};
use crate::error::Bad;

/// Writes values; both scratch buffers are overwritten.
pub(crate) fn encode(values: &[u64], scratch: &mut [Vec<u64>; 2], out: &mut Parts) {
    let [first, second] = scratch;
    differences(values, first, second);
    packed::encode(second, out);
}

/// The zigzagged changes of the differences, in `out`; `scratch` is overwritten.
pub(crate) fn differences(values: &[u64], scratch: &mut Vec<u64>, out: &mut Vec<u64>) {
    let before = std::iter::once(&0).chain(values);
    scratch.clear();
    scratch.extend(values.iter().zip(before).map(|(value, before)| value.wrapping_sub(*before)));
    delta::differences(scratch, out);
}

/// Reads values.
pub(crate) fn decode<T: Int>(block: Block<'_>, rows: usize, out: &mut Vec<T>) -> Result<(), Bad> {
    let mut step = 0u64;
    let mut sum = 0u64;
    renew(out, rows);
    packed::blocks(block, rows, |values| {
        out.extend(values.iter().map(|&value| {
            step = step.wrapping_add(unzigzag(value) as u64);
            sum = sum.wrapping_add(step);
            T::from_u64(sum)
        }));
    })
}
