//! Texts: all lengths as varints, then all bytes.

use super::{Block, Parts};
use crate::bytes::{Cursor, put_varint};
use crate::column::{TextColumn, Texts};
use crate::error::Bad;
use crate::limits::MAX_TEXT;

/// Writes the texts.
pub(crate) fn encode(texts: Texts<'_>, out: &mut Parts) {
    for text in texts.iter() {
        put_varint(&mut out.soft, text.len() as u64);
    }
    for text in texts.iter() {
        out.soft.extend_from_slice(text);
    }
}

/// Reads them back.
pub(crate) fn decode(block: Block<'_>, rows: usize, out: &mut TextColumn) -> Result<(), Bad> {
    let mut cursor = Cursor(block.soft);
    let mut end = 0usize;
    out.clear();
    for _ in 0..rows {
        let len = cursor.varint().ok_or("lengths of texts are cut off")?;
        if len > MAX_TEXT as u64 {
            return Err("a text is too long".into());
        }
        // At most 2^15 rows of 2^20 bytes: fits in 35 bits, and is compared with the block below.
        end += len as usize;
        out.ends.push(end as u32);
    }
    if end != cursor.0.len() {
        return Err("lengths of texts do not add up".into());
    }
    out.bytes.extend_from_slice(cursor.0);
    Ok(())
}
