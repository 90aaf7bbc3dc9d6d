//! Equal: a column that is often equal to another one, such as the run-queue time of a preempted
//! thread to its time off the CPU.
//!
//! A third column may say when: its keys for which all rows are equal are listed, and such rows
//! store nothing. In the other rows, equal is token 0, and all else is a token of one more than how
//! many steps it is.

use super::keys::Key;
use super::{Block, Int, Parts, renew, step, tokens};
use crate::bytes::{Cursor, put_varint};
use crate::error::Bad;

/// For every key, whether all rows that have it are equal.
pub(crate) fn always(values: &[u64], other: &[u64], key: Key<'_>) -> Vec<bool> {
    let mut always = vec![true; key.count];
    for ((value, other), &key) in values.iter().zip(other).zip(key.codes) {
        always[usize::from(key)] &= value == other;
    }
    always
}

/// Writes values. None of those that differ may be `u64::MAX`.
pub(crate) fn encode(
    values: &[u64],
    other: &[u64],
    key: Option<Key<'_>>,
    scratch: &mut Vec<u64>,
    out: &mut Parts,
) {
    let step = step_of(values, other);
    let shifted = values.iter().zip(other).map(|(value, other)| shift(*value, *other, step));
    out.soft.push(step);
    scratch.clear();
    match key {
        Some(key) => {
            let always = always(values, other, key);
            put_varint(&mut out.soft, key.count as u64);
            out.soft.extend(always.iter().map(|&always| u8::from(always)));
            let rows = shifted.zip(key.codes).filter(|(_, key)| !always[usize::from(**key)]);
            scratch.extend(rows.map(|(value, _)| value));
        }
        None => {
            put_varint(&mut out.soft, 0);
            scratch.extend(shifted);
        }
    }
    tokens::encode(scratch.iter().copied(), out);
}

/// 0 when equal, else one more than the steps of the value.
#[inline(always)]
pub(crate) fn shift(value: u64, other: u64, step: u8) -> u64 {
    if value == other { 0 } else { (value >> step).wrapping_add(1) }
}

/// The step of the values that differ.
pub(crate) fn step_of(values: &[u64], other: &[u64]) -> u8 {
    let pairs = values.iter().zip(other);
    step::of(pairs.map(|(&value, &other)| if value == other { 0 } else { value }))
}

/// Reads values.
pub(crate) fn decode<T: Int>(
    block: Block<'_>,
    other: &[u64],
    key: Option<Key<'_>>,
    scratch: &mut Vec<u64>,
    out: &mut Vec<T>,
) -> Result<(), Bad> {
    const CUT: &str = "equal column is cut off";
    let mut cursor = Cursor(block.soft);
    let step = step::take(&mut cursor)?;
    let count = cursor.varint().ok_or(CUT)?;
    if count != key.map_or(0, |key| key.count as u64) {
        return Err("equal column has other keys".into());
    }
    let always = cursor.take(count as usize).ok_or(CUT)?;
    // One more than any row can need, so that a row that stores nothing may look at it.
    renew(scratch, cursor.0.len() + 1);
    tokens::values(cursor.0, block.hard, scratch, |value| value)?;
    let stored = scratch.len();
    scratch.push(0);
    // Without branches: which rows are equal is not foreseeable.
    let value = |held: u64, other: u64| {
        let equal = 0u64.wrapping_sub(u64::from(held == 0));
        T::from_u64((other & equal) | (held.wrapping_sub(1) << step & !equal))
    };
    renew(out, other.len());
    let mut next = 0;
    match key {
        Some(key) if key.codes.len() == other.len() => {
            // The step to the next number, and a mask for this one.
            let steps: Vec<u64> = always.iter().map(|&always| u64::from(always == 0)).collect();
            out.extend(other.iter().zip(key.codes).map(|(&other, &key)| {
                let step = steps[usize::from(key)];
                let held = scratch[next.min(stored)] & 0u64.wrapping_sub(step);
                next += step as usize;
                value(held, other)
            }));
        }
        Some(_) => return Err("equal column has a wrong length".into()),
        None => {
            next = other.len();
            out.extend(scratch.iter().zip(other).map(|(&held, &other)| value(held, other)));
        }
    }
    if next != stored {
        return Err("equal column has a wrong length".into());
    }
    Ok(())
}
