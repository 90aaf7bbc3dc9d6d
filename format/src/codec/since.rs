//! Since: how long a thread was off the CPU, foretold from the rows before.
//!
//! A thread that got the CPU at row j leaves it when the next thread gets it: at row j + 1 of the
//! same ring. So an interval that ends at row k began at `time[j + 1]`, where j is the thread's last
//! row before k. This is true of all intervals that begin and end on one CPU without idling, and
//! they cost nothing then. A plain reference back to the row whose end it is costs 3 bits, a
//! duration stored as a number 16 to 19.

use std::ops::Range;

use super::keys::Key;
use super::{Block, Int, Parts, exceptions, renew, step};
use crate::bytes::Cursor;
use crate::error::Bad;
use crate::limits::MAX_KEYS;

/// The exception is how long after the thread's last row the interval began.
const AFTER: u8 = 0;
/// The exception is the value itself.
const PLAIN: u8 = 1;

/// Finds the rows whose value is not foretold; false when there are more than `most`.
/// An exception is a row, its kind, and its number.
pub(crate) fn misses(
    values: &[u64],
    times: &[u64],
    key: Key<'_>,
    most: usize,
    out: &mut Vec<(u32, u8, u64)>,
) -> bool {
    out.clear();
    // Per key: one more than its last row; 0 before its first.
    let mut next = vec![0u32; key.count];
    for (row, ((&value, &time), &key)) in values.iter().zip(times).zip(key.codes).enumerate() {
        let after = std::mem::replace(&mut next[usize::from(key)], row as u32 + 1) as usize;
        if value == time.wrapping_sub(times[after]) {
            continue;
        }
        if out.len() == most {
            return false;
        }
        // `after == 0` also reads a time; the comparison below then prefers the plain number.
        let since = time.wrapping_sub(value).wrapping_sub(times[after.saturating_sub(1)]);
        if after > 0 && since < value {
            out.push((row as u32, AFTER, since));
        } else {
            out.push((row as u32, PLAIN, value));
        }
    }
    true
}

/// How many exceptions there are of each kind.
pub(crate) fn kinds(misses: &[(u32, u8, u64)]) -> [u32; 2] {
    let plain = misses.iter().filter(|miss| miss.1 == PLAIN).count();
    [(misses.len() - plain) as u32, plain as u32]
}

/// Writes what [`misses`] found.
pub(crate) fn encode(misses: &[(u32, u8, u64)], out: &mut Parts) {
    let rows: Vec<u32> = misses.iter().map(|miss| miss.0).collect();
    let step = step::of(misses.iter().map(|miss| miss.2));
    out.soft.push(step);
    exceptions::put(&rows, &mut out.soft, &mut out.hard);
    out.soft.extend(misses.iter().map(|miss| miss.1));
    exceptions::put_tokens(misses.iter().map(|miss| miss.2 >> step), &mut out.soft, &mut out.hard);
}

/// Reads values. `times` and `key` are the columns that foretell them; `scratch` is overwritten.
pub(crate) fn decode<T: Int>(
    block: Block<'_>,
    times: &[u64],
    key: Key<'_>,
    scratch: &mut Vec<u32>,
    out: &mut Vec<T>,
) -> Result<(), Bad> {
    let rows = times.len();
    let mut cursor = Cursor(block.soft);
    let mut hard = block.hard;
    let mut places = Vec::new();
    let step = step::take(&mut cursor)?;
    exceptions::take(&mut cursor, &mut hard, rows, &mut places)?;
    let kinds = cursor.take(places.len()).ok_or("exceptions are cut off")?;
    let mut numbers = Vec::with_capacity(places.len());
    let count = places.len();
    exceptions::take_tokens(&mut cursor, &mut hard, count, &mut numbers, |number| number << step)?;
    if !cursor.0.is_empty() || !hard.is_empty() || key.codes.len() != rows {
        return Err("column is too long".into());
    }
    // Per key: one more than its last row. As large as any table, so that no code need be checked.
    scratch.resize(MAX_KEYS.max(scratch.len()), 0);
    let Some(next) = scratch.first_chunk_mut::<MAX_KEYS>() else { return Ok(()) };
    next[..key.count.min(MAX_KEYS)].fill(0);
    renew(out, rows);
    let mut from = 0;
    for ((&place, &kind), &number) in places.iter().zip(kinds).zip(&numbers) {
        let place = place as usize;
        foretell(times, key.codes, from..place, next, out);
        let last = &mut next[usize::from(key.codes[place]) % MAX_KEYS];
        let before = times[(*last as usize).saturating_sub(1)];
        *last = place as u32 + 1;
        out.push(T::from_u64(match kind {
            AFTER => times[place].wrapping_sub(before).wrapping_sub(number),
            _ => number,
        }));
        from = place + 1;
    }
    foretell(times, key.codes, from..rows, next, out);
    Ok(())
}

/// Appends the values of rows that are foretold.
fn foretell<T: Int>(
    times: &[u64],
    codes: &[u16],
    rows: Range<usize>,
    next: &mut [u32; MAX_KEYS],
    out: &mut Vec<T>,
) {
    let after = rows.start as u32 + 1..;
    let rows = times[rows.clone()].iter().zip(&codes[rows]).zip(after);
    out.extend(rows.map(|((&time, &code), after)| {
        let began = std::mem::replace(&mut next[usize::from(code) % MAX_KEYS], after);
        T::from_u64(time.wrapping_sub(times[began as usize]))
    }));
}
