//! Facts and answers of a trace, as the tests look at them.

use std::path::Path;

use ktape_format::{Batch, Column, Decoder, Trace, Value};
use serde_json::Value as Json;

use crate::ran::Ran;

/// The JSON answer of `ktape report ARGS -i TRACE`.
#[track_caller]
pub fn report(trace: &Path, args: &[&str]) -> Json {
    let args = [&["report", "--format", "json"], args].concat();
    Ran::on(trace, &args).expect(0).json()
}

/// The rows of a table of an answer in which `key` is `value`.
pub fn rows_where<'a>(answer: &'a Json, table: &str, key: &str, value: &Json) -> Vec<&'a Json> {
    let rows = answer[table].as_array().map(Vec::as_slice).unwrap_or_default();
    rows.iter().filter(|row| row[key] == *value).collect()
}

/// A number of a JSON object.
#[track_caller]
pub fn number(row: &Json, key: &str) -> u64 {
    row[key].as_u64().unwrap_or_else(|| panic!("no number {key} in {row}"))
}

/// The numbers in these columns of every row of a record, in the order of the file.
pub fn rows<const N: usize>(trace: &Trace, record: &str, columns: [&str; N]) -> Vec<[u64; N]> {
    let Some(schema) = trace.record(record) else { return Vec::new() };
    let (mut decoder, mut batch, mut all) = (Decoder::new(), Batch::new(), Vec::new());
    for (index, chunk) in trace.chunks().iter().enumerate() {
        if chunk.record != schema.id {
            continue;
        }
        decoder.read(trace, index, &columns, &mut batch).expect("a readable chunk");
        let names: Vec<String> = batch.names().map(str::to_owned).collect();
        for row in 0..batch.rows() {
            all.push(columns.map(|column| {
                let at = names.iter().position(|name| name == column).expect("a column");
                match batch.value(at, row) {
                    Value::U64(value) => value,
                    Value::I64(value) => value as u64,
                    Value::Text(_) => panic!("{record}.{column} is a text"),
                }
            }));
        }
    }
    all
}

/// What the last loss rows of a record say, over all CPUs: (produced, lost).
pub fn losses(trace: &Trace, record: &str) -> (u64, u64) {
    let id = u64::from(trace.record(record).expect("a record").id);
    let mut last = std::collections::BTreeMap::new();
    for [of, cpu, time, produced, lost] in
        rows(trace, "loss", ["record", "cpu", "time", "produced", "lost"])
    {
        if of == id {
            let newest = last.entry(cpu).or_insert((0, 0, 0));
            *newest = (*newest).max((time, produced, lost));
        }
    }
    last.values().fold((0, 0), |sum, row| (sum.0 + row.1, sum.1 + row.2))
}

/// How far `found` is from `expected`, in percent of it.
pub fn off_by(found: u64, expected: u64) -> f64 {
    found.abs_diff(expected) as f64 * 100.0 / expected as f64
}

/// All texts of a trace's dictionary.
pub fn texts(trace: &Trace) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let (mut decoder, mut batch) = (Decoder::new(), Batch::new());
    for (index, chunk) in trace.chunks().iter().enumerate() {
        let schema = trace.record_by_id(chunk.record).expect("a record");
        let columns: Vec<&str> = schema.fields.iter().map(|field| &*field.name).collect();
        decoder.read(trace, index, &columns, &mut batch).expect("a chunk");
        for at in 0..columns.len() {
            if let Column::Text(column) = batch.column(at) {
                all.extend(column.texts().iter().map(<[u8]>::to_vec));
            }
        }
    }
    all
}
