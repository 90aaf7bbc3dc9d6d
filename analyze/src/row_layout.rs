//! `Layout`: what the fields of a record are.

use ktape_format::{Batch, RecordSchema, Value};
use ktape_schema::Kind;

use crate::context::{Context, ThreadKey};

/// Where a record keeps what every line begins with, by position of the field. The first field of a
/// kind counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    pub(crate) time: Option<usize>,
    pub(crate) duration: Option<usize>,
    pub(crate) tid: Option<usize>,
    pub(crate) tgid: Option<usize>,
    pub(crate) cpu: Option<usize>,
}

impl Layout {
    pub(crate) fn of(schema: &RecordSchema) -> Self {
        let first = |kind: Kind| schema.fields.iter().position(|field| field.kind == kind.name());
        Self {
            time: first(Kind::TimeNs),
            duration: first(Kind::DurNs),
            tid: first(Kind::Tid),
            tgid: first(Kind::Tgid),
            cpu: first(Kind::Cpu),
        }
    }

    /// Whether a field stands at the head of a text line.
    pub(crate) fn is_head(&self, field: usize) -> bool {
        [self.time, self.tid, self.tgid, self.cpu].contains(&Some(field))
    }

    /// When the row happened; 0 when its record has no time.
    pub(crate) fn time(&self, batch: &Batch, row: usize) -> u64 {
        self.time.map_or(0, |field| number(batch, field, row))
    }

    /// The thread of a row; of a row about a process its first thread.
    pub(crate) fn thread(&self, cx: &Context<'_>, batch: &Batch, row: usize) -> Option<ThreadKey> {
        let pid = self.tgid.map(|field| number(batch, field, row) as u32);
        let tid = self.tid.map(|field| number(batch, field, row) as u32).or(pid)?;
        Some(cx.tasks().thread_key(tid, pid.unwrap_or(tid), self.time(batch, row)))
    }
}

/// A number of a row; 0 for a text.
pub(crate) fn number(batch: &Batch, field: usize, row: usize) -> u64 {
    match batch.value(field, row) {
        Value::U64(value) => value,
        Value::I64(value) => value as u64,
        Value::Text(_) => 0,
    }
}

/// The name of an enumeration's value.
pub(crate) fn name_of(names: &[(u64, String)], value: u64) -> Option<&str> {
    names.iter().find(|entry| entry.0 == value).map(|entry| entry.1.as_str())
}

/// The names of the bits that are set, and the bits that have none.
pub(crate) fn bits_of(names: &[(u64, String)], value: u64) -> (Vec<&str>, u64) {
    let mut rest = value;
    let mut found = Vec::new();
    for (bit, name) in names {
        if *bit != 0 && rest & bit == *bit {
            rest &= !bit;
            found.push(name.as_str());
        }
    }
    (found, rest)
}
