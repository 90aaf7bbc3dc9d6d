//! What a new trace has of an old one, as an answer.

use std::collections::BTreeMap;

use ktape_format::{Trace, WriteSummary};
use ktape_schema::Class;

use crate::answer::{Answer, Block, Cell, Facts, Note, Table};

/// Tells per record how many rows the traces had and how many the new one has.
pub(super) fn answer(
    name: &'static str,
    title: &str,
    traces: &[&Trace],
    written: &WriteSummary,
    notes: Vec<Note>,
) -> Answer {
    let mut records: BTreeMap<(u8, u16, &str), (u64, u64)> = BTreeMap::new();
    for trace in traces {
        for chunk in trace.chunks() {
            let Some(schema) = trace.record_by_id(chunk.record) else { continue };
            let key = (schema.class, schema.id, schema.name.as_str());
            records.entry(key).or_default().0 += u64::from(chunk.rows);
        }
    }
    for record in &written.records {
        let key = records.keys().find(|key| key.2 == record.name).copied();
        if let Some(rows) = key.and_then(|key| records.get_mut(&key)) {
            rows.1 = record.rows;
        }
    }
    let facts = records.iter().filter(|(key, _)| key.0 == Class::Fact as u8);
    let (before, after) = facts.fold((0, 0), |sum, (_, rows)| (sum.0 + rows.0, sum.1 + rows.1));
    let size = traces.iter().map(|trace| trace.size()).fold(0, u64::saturating_add);
    let sums = Facts {
        rows: vec![
            ("facts_before", "facts before", Cell::Count(before)),
            ("facts", "facts", Cell::Count(after)),
            ("size_bytes_before", "size before", Cell::Bytes(size)),
            ("size_bytes", "size", Cell::Bytes(written.bytes)),
        ],
        ..Facts::default()
    };
    let columns = [("record", "record"), ("rows_before", "rows before"), ("rows", "rows")];
    let mut table = Table::main("records", &columns);
    table.rows = records
        .iter()
        .map(|(key, rows)| vec![Cell::text(key.2), Cell::Count(rows.0), Cell::Count(rows.1)])
        .collect();
    let blocks = vec![Block::Heading(title.to_owned()), Block::Facts(sums), Block::Table(table)];
    Answer { report: name, window: None, blocks, notes }
}
