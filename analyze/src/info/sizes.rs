//! Where the bytes of a trace are: by record and column.

use ktape_format::{RecordSchema, Trace};
use ktape_schema::Type;

use super::hundredths;
use crate::answer::{Cell, Table};

/// One row per column of every record that has rows, largest records first. `(heads)` is what chunks
/// take besides their columns.
pub(super) fn sizes(trace: &Trace) -> Table {
    let columns = [
        ("record", "record"),
        ("column", "column"),
        ("type", "type"),
        ("rows", "rows"),
        ("size_bytes", "bytes"),
        ("bytes_per_row", "per row"),
        ("ratio", "ratio"),
        ("codecs", "codecs (chunks)"),
    ];
    let mut table = Table::plain("sizes", &columns);
    table.title = "Sizes".to_owned();
    let mut records: Vec<(u64, &RecordSchema)> = trace
        .meta()
        .schema
        .iter()
        .map(|schema| {
            let chunks = trace.chunks().iter().filter(|chunk| chunk.record == schema.id);
            (chunks.map(|chunk| u64::from(chunk.len)).fold(0, u64::saturating_add), schema)
        })
        .filter(|(bytes, _)| *bytes > 0)
        .collect();
    records.sort_by_key(|&(bytes, schema)| (std::cmp::Reverse(bytes), schema.id));
    for (bytes, schema) in records {
        record(trace, schema, bytes, &mut table);
    }
    table
}

fn record(trace: &Trace, schema: &RecordSchema, bytes: u64, table: &mut Table) {
    let chunks = trace.chunks().iter().filter(|chunk| chunk.record == schema.id);
    let rows = chunks.map(|chunk| u64::from(chunk.rows)).fold(0, u64::saturating_add);
    let usages = trace.columns(schema.id);
    let mut left = bytes;
    for (field, usage) in schema.fields.iter().zip(&usages) {
        left = left.saturating_sub(usage.bytes);
        let ty = Type::from_code(field.ty);
        let raw = ty.map_or(0, Type::size) as u64 * usage.rows;
        let codecs = usage.codecs.iter().map(|(codec, chunks)| format!("{codec} {chunks}"));
        table.rows.push(vec![
            Cell::text(&schema.name),
            Cell::text(&field.name),
            ty.map_or(Cell::None, |ty| Cell::text(format!("{ty:?}").to_lowercase())),
            Cell::Count(usage.rows),
            Cell::Bytes(usage.bytes),
            hundredths(usage.bytes, usage.rows),
            if raw == 0 { Cell::None } else { hundredths(raw, usage.bytes) },
            Cell::List(codecs.map(Cell::text).collect()),
        ]);
    }
    table.rows.push(vec![
        Cell::text(&schema.name),
        Cell::text("(heads)"),
        Cell::None,
        Cell::Count(rows),
        Cell::Bytes(left),
        hundredths(left, rows),
        Cell::None,
        Cell::None,
    ]);
}
