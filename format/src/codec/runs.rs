//! Runs: each value once, with how often it repeats.

use super::{Block, Int, Parts, renew};
use crate::bytes::{Cursor, put_varint};
use crate::error::Bad;

/// Writes values: all lengths, then all values.
pub(crate) fn encode(values: &[u64], out: &mut Parts) {
    let runs = values.chunk_by(|left, right| left == right);
    put_varint(&mut out.soft, runs.clone().count() as u64);
    runs.clone().for_each(|run| put_varint(&mut out.soft, run.len() as u64));
    runs.for_each(|run| put_varint(&mut out.soft, run[0]));
}

/// Reads values.
pub(crate) fn decode<T: Int>(block: Block<'_>, rows: usize, out: &mut Vec<T>) -> Result<(), Bad> {
    const CUT: &str = "runs are cut off";
    let mut lengths = Cursor(block.soft);
    let count = lengths.varint().ok_or(CUT)?;
    if count > rows as u64 {
        return Err("more runs than rows".into());
    }
    let mut values = lengths;
    for _ in 0..count {
        values.varint().ok_or(CUT)?;
    }
    renew(out, rows);
    for _ in 0..count {
        let length = lengths.varint().ok_or(CUT)?;
        let value = T::from_u64(values.varint().ok_or(CUT)?);
        if length > (rows - out.len()) as u64 {
            return Err("runs are longer than the column".into());
        }
        out.resize(out.len() + length as usize, value);
    }
    if out.len() != rows || !values.0.is_empty() {
        return Err("runs do not fill the column".into());
    }
    Ok(())
}
