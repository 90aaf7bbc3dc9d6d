//! Step: a power of two that all numbers of a list are multiples of. Clocks and recorders count in
//! steps longer than a nanosecond; the bits below carry nothing.

use crate::bytes::Cursor;
use crate::error::Bad;

/// How many low bits are 0 in all of them; 0 when all numbers are.
pub(crate) fn of(values: impl Iterator<Item = u64>) -> u8 {
    let bits = values.fold(0, |bits, value| bits | value);
    if bits == 0 { 0 } else { bits.trailing_zeros() as u8 }
}

/// Reads how many low bits are left out.
pub(crate) fn take(cursor: &mut Cursor<'_>) -> Result<u8, Bad> {
    match cursor.u8() {
        Some(step) if step < 64 => Ok(step),
        Some(_) => Err("step is too long".into()),
        None => Err("step is cut off".into()),
    }
}
