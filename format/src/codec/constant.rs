//! Constant: one value for all rows.

use super::{Block, Int, Parts, renew};
use crate::bytes::{Cursor, put_varint};
use crate::error::Bad;

/// Writes the value.
pub(crate) fn encode(value: u64, out: &mut Parts) {
    put_varint(&mut out.soft, value);
}

/// Repeats it.
pub(crate) fn decode<T: Int>(block: Block<'_>, rows: usize, out: &mut Vec<T>) -> Result<(), Bad> {
    let mut cursor = Cursor(block.soft);
    let value = cursor.varint().ok_or("constant is cut off")?;
    if !cursor.0.is_empty() {
        return Err("constant is too long".into());
    }
    renew(out, rows);
    out.resize(rows, T::from_u64(value));
    Ok(())
}
