//! Planes: the lowest bytes of all values, then the second lowest, and so on.

use super::{Block, Int, Parts, renew};
use crate::error::Bad;

/// Writes as many planes as the largest value has bytes.
pub(crate) fn encode(values: &[u64], out: &mut Parts) {
    let bits = values.iter().fold(0, |bits, value| bits | value);
    let planes = (64 - bits.leading_zeros()).div_ceil(8).max(1);
    out.soft.push(planes as u8);
    for plane in 0..planes {
        out.soft.extend(values.iter().map(|value| (value >> (8 * plane)) as u8));
    }
}

/// Puts the bytes together again.
pub(crate) fn decode<T: Int>(block: Block<'_>, rows: usize, out: &mut Vec<T>) -> Result<(), Bad> {
    let (&planes, bytes) = block.soft.split_first().ok_or("planes are cut off")?;
    let planes = usize::from(planes);
    if planes == 0 || planes > 8 || bytes.len() != planes * rows {
        return Err("planes have a wrong length".into());
    }
    let mut sums = [0u64; 256];
    renew(out, rows);
    for start in (0..rows).step_by(sums.len()) {
        let len = sums.len().min(rows - start);
        let sums = &mut sums[..len];
        sums.fill(0);
        for plane in 0..planes {
            let bytes = &bytes[plane * rows + start..][..len];
            for (sum, &byte) in sums.iter_mut().zip(bytes) {
                *sum |= u64::from(byte) << (8 * plane);
            }
        }
        out.extend(sums.iter().map(|&sum| T::from_u64(sum)));
    }
    Ok(())
}
