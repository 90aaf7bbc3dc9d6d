//! Keyed: a column that another one mostly determines, such as the process of a thread.
//!
//! The other column is dictionary coded. Each of its values has a first value here; a row then has
//! the value that the last row with the same key had, unless it is listed as an exception. The key
//! may be a pair of columns: a thread that was preempted has no waker, one that slept mostly the
//! same one.

use super::keys::{Key, Keys, Numbering};
use super::{Block, Int, Parts, dictionary, exceptions, renew};
use crate::bytes::Cursor;
use crate::error::Bad;
use crate::limits::MAX_KEYS;

/// What a key does not determine; keeps its buffers.
#[derive(Default)]
pub(crate) struct Misses {
    /// The first row of every key; [`NEVER`] for one that does not occur.
    first: Vec<u32>,
    /// The rows at which the value is not that of the last row with the same key.
    rows: Vec<u32>,
    /// The values of the first rows and then those of these rows.
    list: Vec<u64>,
    last: Vec<u64>,
    keys: Keys,
}

/// The row of a key that does not occur.
const NEVER: u32 = u32::MAX;

impl Misses {
    /// Finds them in a column; false when there are more than `most`.
    ///
    /// Takes no look at the distinct values of the whole column, which would cost more.
    pub(crate) fn find(&mut self, own: &[u64], key: Key<'_>, most: usize) -> bool {
        self.first.clear();
        self.first.resize(key.count, NEVER);
        for (row, &key) in key.codes.iter().enumerate().rev() {
            self.first[usize::from(key)] = row as u32;
        }
        let first = self.first.iter();
        self.last.clear();
        self.last.extend(first.map(|&row| own.get(row as usize).copied().unwrap_or(0)));
        self.list.clone_from(&self.last);
        self.rows.clear();
        for (row, (&value, &key)) in own.iter().zip(key.codes).enumerate() {
            let last = &mut self.last[usize::from(key)];
            if *last != value {
                *last = value;
                self.rows.push(row as u32);
                self.list.push(value);
                if self.rows.len() > most {
                    return false;
                }
            }
        }
        true
    }

    /// Numbers the values; false when they are too many. Needed before [`encode`] without keys.
    pub(crate) fn number(&mut self, numbering: &mut Numbering) -> bool {
        numbering.number(&self.list, MAX_KEYS, &mut self.keys)
    }

    /// How many they are.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }
}

/// Writes the column of which these are the misses. `own` numbers the whole column: it is needed
/// when other columns use this one as a key, since both sides must agree on the numbers.
pub(crate) fn encode(misses: &Misses, own: Option<&Keys>, out: &mut Parts) {
    let keys = own.unwrap_or(&misses.keys);
    let codes: Vec<u16> = match own {
        Some(own) => {
            let rows = misses.first.iter().chain(&misses.rows);
            rows.map(|&row| own.codes.get(row as usize).copied().unwrap_or(0)).collect()
        }
        None => keys.codes.clone(),
    };
    let (first, codes) = codes.split_at(misses.first.len());
    dictionary::put_values(&keys.values, &mut out.soft);
    dictionary::put_codes(first, keys.values.len(), &mut out.soft);
    exceptions::put(&misses.rows, &mut out.soft, &mut out.hard);
    dictionary::put_codes(codes, keys.values.len(), &mut out.soft);
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
    renew(out, keys.len());
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
