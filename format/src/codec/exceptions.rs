//! Exceptions: the few rows at which a prediction fails.
//!
//! Stored as the gaps between them, as tokens: at 5 % exceptions this costs 0.04 bytes per row,
//! where a flag per row costs 0.125.

use super::bits::{BitWriter, PAD};
use super::tokens::{self, EXTRA};
use crate::bytes::{Cursor, put_varint};
use crate::error::Bad;

/// Appends the rows, which ascend: how many, then their gaps.
pub(crate) fn put(rows: &[u32], soft: &mut Vec<u8>, hard: &mut Vec<u8>) {
    put_varint(soft, rows.len() as u64);
    put_tokens(
        rows.iter().scan(0, |next, &row| {
            let gap = row - *next;
            *next = row + 1;
            Some(gap.into())
        }),
        soft,
        hard,
    );
}

/// Appends values as tokens, their bits padded to a whole part.
pub(crate) fn put_tokens(
    values: impl Iterator<Item = u64>,
    soft: &mut Vec<u8>,
    hard: &mut Vec<u8>,
) {
    let mut bits = BitWriter::new(hard);
    for value in values {
        let token = tokens::token(value);
        soft.push(token);
        let width = u32::from(EXTRA[usize::from(token)]);
        bits.put(value & !(u64::MAX << width), width);
    }
    bits.finish();
}

/// Reads rows below `rows`.
pub(crate) fn take(
    cursor: &mut Cursor<'_>,
    hard: &mut &[u8],
    rows: usize,
    out: &mut Vec<u32>,
) -> Result<(), Bad> {
    let count = cursor.varint().ok_or("exceptions are cut off")?;
    if count > rows as u64 {
        return Err("more exceptions than rows".into());
    }
    let mut next = 0u64;
    out.clear();
    take_tokens(cursor, hard, count as usize, out, |gap| {
        let row = next.saturating_add(gap).min(rows as u64);
        next = row + 1;
        row as u32
    })?;
    if out.last().is_some_and(|&row| row as usize >= rows) {
        return Err("an exception lies beyond the last row".into());
    }
    Ok(())
}

/// Appends what `each` makes of `count` values.
pub(crate) fn take_tokens<T>(
    cursor: &mut Cursor<'_>,
    hard: &mut &[u8],
    count: usize,
    out: &mut Vec<T>,
    each: impl FnMut(u64) -> T,
) -> Result<(), Bad> {
    let list = cursor.take(count).ok_or("exceptions are cut off")?;
    let bits: usize = list.iter().map(|&token| usize::from(EXTRA[usize::from(token)])).sum();
    let (own, rest) =
        hard.split_at_checked(bits.div_ceil(8) + PAD).ok_or("bits of exceptions are cut off")?;
    *hard = rest;
    tokens::values(list, own, out, each)
}
