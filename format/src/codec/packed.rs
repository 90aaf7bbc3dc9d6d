//! Packed: blocks of 128 values, each the block's minimum plus an offset of the block's width.

use super::bits::{BLOCK, PAD, pack, packed_len, stored_width, unpack};
use super::{Block, Int, Parts, renew};
use crate::bytes::{Cursor, put_varint};
use crate::error::Bad;

/// Writes values: minima and widths to the soft part, offsets to the hard one.
pub(crate) fn encode(values: &[u64], out: &mut Parts) {
    for block in values.chunks(BLOCK) {
        let min = block.iter().fold(u64::MAX, |min, &value| min.min(value));
        let bits = block.iter().fold(0, |bits, value| bits | (value - min));
        let width = stored_width(bits);
        put_varint(&mut out.soft, min);
        out.soft.push(width as u8);
        pack(block.iter().map(|value| value - min), width, &mut out.hard);
    }
    out.hard.extend_from_slice(&[0; PAD]);
}

/// Calls `each` with every block of values.
#[inline(always)]
pub(crate) fn blocks(
    block: Block<'_>,
    rows: usize,
    mut each: impl FnMut(&[u64]),
) -> Result<(), Bad> {
    let mut head = Cursor(block.soft);
    let mut bytes = block.hard;
    let mut values = [0; BLOCK];
    for start in (0..rows).step_by(BLOCK) {
        let len = BLOCK.min(rows - start);
        let min = head.varint().ok_or("blocks are cut off")?;
        let width = u32::from(head.u8().ok_or("blocks are cut off")?);
        let used = packed_len(len, width);
        if used + PAD > bytes.len() {
            return Err("packed bits are cut off".into());
        }
        unpack(bytes, width, &mut values)?;
        bytes = &bytes[used..];
        for value in &mut values {
            *value = value.wrapping_add(min);
        }
        each(&values[..len]);
    }
    if !head.0.is_empty() || bytes.len() != PAD {
        return Err("packed bits are too long".into());
    }
    Ok(())
}

/// Reads values.
pub(crate) fn decode<T: Int>(block: Block<'_>, rows: usize, out: &mut Vec<T>) -> Result<(), Bad> {
    renew(out, rows);
    blocks(block, rows, |values| out.extend(values.iter().map(|&value| T::from_u64(value))))
}
