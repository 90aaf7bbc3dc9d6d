//! `RowFilter`: applies a [`Filter`] to the rows of one record.

use ktape_format::{Batch, ChunkInfo, Column, KeyColumn, RecordSchema, Tgids, Value};
use ktape_schema::Kind;

use super::Filter;
use crate::context::Context;

/// Whether --comm is asked for, or was when the trace was trimmed.
fn asks_names(cx: &Context<'_>, filter: &Filter) -> bool {
    !filter.globs.is_empty() || cx.part().is_some_and(|part| !part.comm.is_empty())
}

/// Where a record keeps what filters look at: the name of the first field of each kind.
#[derive(Clone, Debug, Default)]
struct Fields<'a> {
    time: Option<&'a str>,
    tid: Option<&'a str>,
    tgid: Option<&'a str>,
    cpu: Option<&'a str>,
    duration: Option<&'a str>,
}

/// The part of a [`Filter`] that applies to one record of one trace.
pub(crate) struct RowFilter<'a> {
    cx: &'a Context<'a>,
    filter: &'a Filter,
    fields: Fields<'a>,
    missing: Vec<&'static str>,
}

impl<'a> RowFilter<'a> {
    pub(crate) fn new(cx: &'a Context<'a>, filter: &'a Filter, schema: &'a RecordSchema) -> Self {
        let first = |kind: Kind| {
            schema.fields.iter().find(|field| field.kind == kind.name()).map(|field| &*field.name)
        };
        let mut fields = Fields {
            time: first(Kind::TimeNs),
            tid: first(Kind::Tid),
            tgid: first(Kind::Tgid),
            cpu: first(Kind::Cpu),
            duration: first(Kind::DurNs),
        };
        if fields.tid.is_none() {
            // The duration of rows that sum many events up is the length of their window.
            fields.duration = None;
        }
        let mut missing = Vec::new();
        let mut lacks = |asked: bool, stated: bool, option| {
            if asked && !stated {
                missing.push(option);
            }
        };
        lacks(!filter.is_all_time(), fields.time.is_some(), "--time");
        lacks(!filter.pids.is_empty(), fields.tgid.is_some(), "--pid");
        lacks(!filter.tids.is_empty(), fields.tid.is_some(), "--tid");
        lacks(asks_names(cx, filter), fields.tid.is_some() || fields.tgid.is_some(), "--comm");
        lacks(!filter.cpus.is_empty(), fields.cpu.is_some(), "--cpu");
        lacks(filter.min_duration > 0, fields.duration.is_some(), "--min-duration");
        Self { cx, filter, fields, missing }
    }

    /// Filters that ask for what the record does not state. No row passes them.
    pub(crate) fn missing(&self) -> &[&'static str] {
        &self.missing
    }

    /// Whether --comm is asked of a record that knows processes only.
    pub(crate) fn names_processes(&self) -> bool {
        asks_names(self.cx, self.filter) && self.fields.tid.is_none() && self.missing.is_empty()
    }

    /// Whether a chunk may hold a row that passes.
    pub(crate) fn passes_chunk(&self, chunk: &ChunkInfo) -> bool {
        self.missing.is_empty() && self.filter.passes_chunk(chunk, self.fields.time.is_some())
    }

    /// Whether every row of a chunk passes, as far as its head tells.
    pub(crate) fn passes_whole(&self, chunk: &ChunkInfo) -> bool {
        let filter = self.filter;
        let other = !filter.tids.is_empty()
            || !filter.cpus.is_empty()
            || !filter.globs.is_empty()
            || filter.min_duration > 0;
        !(other || self.cuts_time(chunk) || self.cuts_tgids(chunk))
    }

    /// Adds to `columns` what deciding about the rows of this chunk takes.
    pub(crate) fn columns(&self, chunk: &ChunkInfo, columns: &mut Vec<&'a str>) {
        let names = !self.filter.globs.is_empty();
        let timed = self.cuts_time(chunk) || (names && self.fields.time.is_some());
        let wanted = [
            self.fields.time.filter(|_| timed),
            self.fields.tid.filter(|_| names || !self.filter.tids.is_empty()),
            self.fields.tgid.filter(|_| names || self.cuts_tgids(chunk)),
            self.fields.cpu.filter(|_| !self.filter.cpus.is_empty()),
            self.fields.duration.filter(|_| self.filter.min_duration > 0),
        ];
        for name in wanted.into_iter().flatten() {
            if !columns.contains(&name) {
                columns.push(name);
            }
        }
    }

    /// Drops the rows that do not pass. `keep` is scratch memory.
    pub(crate) fn apply(&self, chunk: &ChunkInfo, batch: &mut Batch, keep: &mut Vec<bool>) {
        let filter = self.filter;
        if self.passes_whole(chunk) {
            return;
        }
        keep.clear();
        keep.resize(batch.rows(), true);
        if self.cuts_time(chunk) {
            each(batch, self.fields.time, keep, |time| (filter.from..=filter.to).contains(&time));
        }
        if self.cuts_tgids(chunk) {
            each(batch, self.fields.tgid, keep, |pid| filter.passes_pid(pid as u32));
        }
        if !filter.tids.is_empty() {
            each(batch, self.fields.tid, keep, |tid| filter.passes_tid(tid as u32));
        }
        if !filter.cpus.is_empty() {
            each(batch, self.fields.cpu, keep, |cpu| filter.passes_cpu(cpu as u32));
        }
        if filter.min_duration > 0 {
            each(batch, self.fields.duration, keep, |duration| duration >= filter.min_duration);
        }
        if !filter.globs.is_empty() {
            self.names(batch, keep);
        }
        if keep.contains(&false) {
            batch.retain(keep);
        }
    }

    /// A thread passes by its own name, a process by that of its first thread.
    fn names(&self, batch: &Batch, keep: &mut [bool]) {
        let tasks = self.cx.tasks();
        let [time, tid, tgid] = [self.fields.time, self.fields.tid, self.fields.tgid]
            .map(|name| name.and_then(|name| Numbers::of(batch, name)));
        for (row, keep) in keep.iter_mut().enumerate().filter(|(_, keep)| **keep) {
            let time = time.as_ref().map_or(u64::MAX, |numbers| numbers.at(row));
            let pid = tgid.as_ref().map_or(0, |numbers| numbers.at(row) as u32);
            let key = match &tid {
                Some(numbers) => tasks.thread_key(numbers.at(row) as u32, pid, time),
                None => tasks.thread_key(pid, pid, time),
            };
            *keep = self.filter.passes_name(self.cx, key, time);
        }
    }

    fn cuts_time(&self, chunk: &ChunkInfo) -> bool {
        chunk.first < self.filter.from || chunk.last > self.filter.to
    }

    fn cuts_tgids(&self, chunk: &ChunkInfo) -> bool {
        if self.filter.pids.is_empty() {
            return false;
        }
        match &chunk.tgids {
            Tgids::Few(tgids) => !tgids.iter().all(|&tgid| self.filter.passes_pid(tgid)),
            _ => true,
        }
    }
}

fn column<'b>(batch: &'b Batch, name: &str) -> Option<&'b Column> {
    let at = batch.names().position(|column| column == name)?;
    Some(batch.column(at))
}

/// The numbers of a column, however it was decoded.
enum Numbers<'b> {
    Keys(KeyColumn<'b>),
    Values(&'b Column),
}

impl<'b> Numbers<'b> {
    fn of(batch: &'b Batch, name: &str) -> Option<Self> {
        let keys = batch.keys(name).map(Numbers::Keys);
        keys.or_else(|| column(batch, name).map(Numbers::Values))
    }

    fn at(&self, row: usize) -> u64 {
        match self {
            Numbers::Keys(keys) => keys.values[usize::from(keys.codes[row])],
            Numbers::Values(column) => match column.value(row) {
                Value::U64(value) => value,
                Value::I64(value) => value as u64,
                Value::Text(_) => 0,
            },
        }
    }
}

/// Clears the flags of the rows whose value does not pass.
fn each(batch: &Batch, name: Option<&str>, keep: &mut [bool], pass: impl Fn(u64) -> bool) {
    fn over<T: Copy + Into<u64>>(values: &[T], keep: &mut [bool], pass: impl Fn(u64) -> bool) {
        for (keep, &value) in keep.iter_mut().zip(values) {
            *keep &= pass(value.into());
        }
    }
    if let Some(keys) = name.and_then(|name| batch.keys(name)) {
        let passing: Vec<bool> = keys.values.iter().map(|&value| pass(value)).collect();
        for (keep, &code) in keep.iter_mut().zip(keys.codes) {
            *keep &= passing[usize::from(code)];
        }
        return;
    }
    match name.and_then(|name| column(batch, name)) {
        Some(Column::U8(values)) => over(values, keep, pass),
        Some(Column::U16(values)) => over(values, keep, pass),
        Some(Column::U32(values)) => over(values, keep, pass),
        Some(Column::U64(values)) => over(values, keep, pass),
        // A hostile schema gives the field another type: nothing is known of it.
        Some(_) | None => keep.fill(false),
    }
}
