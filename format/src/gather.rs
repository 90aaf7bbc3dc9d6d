//! Rows as they lie in a ring, turned into columns.

use ktape_schema::{Desc, Type};

use crate::codec::zigzag;

/// Rows per tile: a tile of 64-byte rows stays in the L1 cache while every column is picked from it.
const TILE: usize = 256;

/// Replaces `columns` by the fields of `rows`, which hold whole rows of `desc`.
pub(crate) fn gather(desc: &Desc, rows: &[u8], columns: &mut Vec<Vec<u64>>) {
    columns.resize_with(desc.fields.len(), Vec::new);
    for column in columns.iter_mut() {
        column.clear();
        column.reserve(rows.len() / desc.size);
    }
    for tile in rows.chunks(TILE * desc.size) {
        for (field, column) in desc.fields.iter().zip(columns.iter_mut()) {
            let rows = tile.chunks_exact(desc.size).map(|row| &row[field.offset..]);
            match field.ty {
                Type::U8 => column.extend(rows.map(|row| u64::from(row[0]))),
                Type::U16 => {
                    column.extend(rows.map(|row| u64::from(u16::from_ne_bytes(head(row)))))
                }
                Type::U32 => {
                    column.extend(rows.map(|row| u64::from(u32::from_ne_bytes(head(row)))))
                }
                Type::U64 => column.extend(rows.map(|row| u64::from_ne_bytes(head(row)))),
                Type::I32 => {
                    column.extend(rows.map(|row| zigzag(i32::from_ne_bytes(head(row)).into())));
                }
                Type::I64 => column.extend(rows.map(|row| zigzag(i64::from_ne_bytes(head(row))))),
                Type::Text => {}
            }
        }
    }
}

/// The first `N` bytes; zeros where a description claims more than its size, which it never does.
#[inline(always)]
fn head<const N: usize>(row: &[u8]) -> [u8; N] {
    row.first_chunk().copied().unwrap_or([0; N])
}
