//! Keyed: a column that another one mostly determines, such as the process of a thread.
//!
//! The other column is dictionary coded. Each of its values has a first value here; a row then has
//! the value that the last row with the same key had, unless it is listed as an exception. The key
//! may be a pair of columns: a thread that was preempted has no waker, one that slept mostly the
//! same one.

use super::keys::{Key, Keys};
use super::{Block, Int, Parts, dictionary, exceptions};
use crate::bytes::Cursor;
use crate::error::Bad;

/// Finds the rows at which `own` differs from the last row with the same key, first rows aside.
/// `first` has afterwards the first code of every key. False when more than `most` differ.
pub(crate) fn misses(
    own: &[u16],
    key: Key<'_>,
    most: usize,
    first: &mut Vec<u16>,
    rows: &mut Vec<u32>,
) -> bool {
    const UNSEEN: u16 = u16::MAX;
    first.clear();
    first.resize(key.count, UNSEEN);
    rows.clear();
    let mut last = first.clone();
    for (row, (&code, &key)) in own.iter().zip(key.codes).enumerate() {
        let key = usize::from(key);
        if last[key] == code {
            continue;
        }
        if last[key] == UNSEEN {
            first[key] = code;
        } else {
            rows.push(row as u32);
            if rows.len() > most {
                return false;
            }
        }
        last[key] = code;
    }
    // A pair of keys need not occur.
    first.iter_mut().filter(|code| **code == UNSEEN).for_each(|code| *code = 0);
    true
}

/// Writes the column `own`, with what [`misses`] found.
pub(crate) fn encode(own: &Keys, first: &[u16], rows: &[u32], out: &mut Parts) {
    dictionary::put_values(&own.values, &mut out.soft);
    dictionary::put_codes(first, own.values.len(), &mut out.soft);
    exceptions::put(rows, &mut out.soft, &mut out.hard);
    let codes: Vec<u16> = rows.iter().map(|&row| own.codes[row as usize]).collect();
    dictionary::put_codes(&codes, own.values.len(), &mut out.soft);
}

/// What a block says: the distinct values, the first code of every key, and the exceptions.
struct Read {
    values: Vec<u64>,
    first: Vec<u16>,
    places: Vec<u32>,
    codes: Vec<u16>,
}

fn read(block: Block<'_>, rows: usize, key: Key<'_>) -> Result<Read, Bad> {
    let mut cursor = Cursor(block.soft);
    let mut hard = block.hard;
    let (mut values, mut first, mut places, mut codes) = Default::default();
    dictionary::take_values(&mut cursor, &mut values)?;
    let count = values.len();
    let planes = if count > 256 { 2 } else { 1 };
    let bytes = cursor.take(key.count * planes).ok_or("keyed column is cut off")?;
    dictionary::take_codes(bytes, key.count, count, &mut first)?;
    exceptions::take(&mut cursor, &mut hard, rows, &mut places)?;
    dictionary::take_codes(cursor.0, places.len(), count, &mut codes)?;
    if !hard.is_empty() || key.codes.len() != rows {
        return Err("keyed column has a wrong length".into());
    }
    Ok(Read { values, first, places, codes })
}

/// Fills `out`: per row what `last` holds for its key; every exception changes that.
fn fill<T: Copy>(key: Key<'_>, read: &Read, values: &[T], last: &mut [T], out: &mut Vec<T>) {
    let keys = key.codes;
    out.clear();
    out.reserve(keys.len());
    let mut from = 0;
    for (&place, &code) in read.places.iter().zip(&read.codes) {
        let place = place as usize;
        let value = values[usize::from(code)];
        out.extend(keys[from..place].iter().map(|&key| last[usize::from(key)]));
        last[usize::from(keys[place])] = value;
        out.push(value);
        from = place + 1;
    }
    out.extend(keys[from..].iter().map(|&key| last[usize::from(key)]));
}

/// Reads the column; `key` is the other one.
pub(crate) fn decode<T: Int>(
    block: Block<'_>,
    rows: usize,
    key: Key<'_>,
    out: &mut Vec<T>,
) -> Result<(), Bad> {
    let read = read(block, rows, key)?;
    let values: Vec<T> = read.values.iter().map(|&value| T::from_u64(value)).collect();
    let mut last: Vec<T> = read.first.iter().map(|&code| values[usize::from(code)]).collect();
    fill(key, &read, &values, &mut last, out);
    Ok(())
}

/// Reads the column as keys, for those that depend on it.
pub(crate) fn decode_keys(
    block: Block<'_>,
    rows: usize,
    key: Key<'_>,
    out: &mut Keys,
) -> Result<(), Bad> {
    let read = read(block, rows, key)?;
    let values: Vec<u16> = (0..read.values.len() as u16).collect();
    let mut last = read.first.clone();
    fill(key, &read, &values, &mut last, &mut out.codes);
    out.values.clone_from(&read.values);
    Ok(())
}
