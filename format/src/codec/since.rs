//! Since: how long a thread was off the CPU, foretold from the rows before.
//!
//! A thread that got the CPU at row j leaves it when the next thread gets it: at row j + 1 of the
//! same ring. So an interval that ends at row k began at `time[j + 1]`, where j is the thread's last
//! row before k. This is true of all intervals that begin and end on one CPU without idling, and
//! they cost nothing then. A plain reference back to the row whose end it is costs 3 bits, a
//! duration stored as a number 16 to 19.

use super::keys::Key;
use super::{Block, Int, Parts, exceptions, step};
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

/// Reads values. `times` and `key` are the columns that foretell them; `afters` is overwritten.
pub(crate) fn decode<T: Int>(
    block: Block<'_>,
    times: &[u64],
    key: Key<'_>,
    afters: &mut Vec<u32>,
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
    // All rows are foretold, then the exceptions are mended: which row a key had last does not depend
    // on them. Codes are below the number of keys; the table is as large as any to spare the check.
    let mut next = [0u32; MAX_KEYS];
    if afters.len() < rows {
        afters.resize(rows, 0);
    }
    out.clear();
    out.reserve(rows);
    let rows = times.iter().zip(key.codes).zip(afters.iter_mut()).zip(1u32..);
    out.extend(rows.map(|(((&time, &key), to), row)| {
        let after = std::mem::replace(&mut next[usize::from(key) % MAX_KEYS], row);
        *to = after;
        T::from_u64(time.wrapping_sub(times[after as usize]))
    }));
    for ((&place, &kind), &number) in places.iter().zip(kinds).zip(&numbers) {
        let place = place as usize;
        let value = match kind {
            AFTER => {
                let before = times[(afters[place] as usize).saturating_sub(1)];
                times[place].wrapping_sub(before).wrapping_sub(number)
            }
            _ => number,
        };
        out[place] = T::from_u64(value);
    }
    Ok(())
}
