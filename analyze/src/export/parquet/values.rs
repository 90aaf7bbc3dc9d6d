//! `Values`: the values of one column, gathered for a row group.

use std::ops::Range;

use ktape_format::{Batch, Column as Stored, RecordSchema, Value};
use parquet::data_type::ByteArray;

use super::column::{Column, Physical, Source};
use super::names::Names;
use crate::context::Context;
use crate::row_layout::{Layout, bits_of, name_of, number};
use crate::syscall_table::NO_SYSCALL;

/// Values as Parquet takes them.
pub(super) enum Values {
    I32(Vec<i32>),
    I64(Vec<i64>),
    /// Those that are there, and for every row whether it is (1) or not (0).
    Text(Vec<ByteArray>, Vec<i16>),
}

impl Values {
    pub(super) fn new(physical: Physical) -> Self {
        match physical {
            Physical::I32 => Values::I32(Vec::new()),
            Physical::I64 | Physical::Timestamp => Values::I64(Vec::new()),
            Physical::Text => Values::Text(Vec::new(), Vec::new()),
        }
    }

    pub(super) fn clear(&mut self) {
        match self {
            Values::I32(values) => values.clear(),
            Values::I64(values) => values.clear(),
            Values::Text(values, levels) => {
                values.clear();
                levels.clear();
            }
        }
    }
}

/// The rows that are looked at.
pub(super) struct Rows<'a> {
    pub(super) cx: &'a Context<'a>,
    pub(super) schema: &'a RecordSchema,
    pub(super) layout: &'a Layout,
    pub(super) batch: &'a Batch,
}

impl Rows<'_> {
    /// Appends the values of a column in some rows, one per row. Returns how many bytes they take about.
    pub(super) fn append(
        &self,
        rows: Range<usize>,
        column: &Column,
        names: &mut Names<'_>,
        into: &mut Values,
    ) -> usize {
        let count = rows.len();
        match (into, column.source) {
            (Values::I32(values), Source::Field(at)) => {
                let local = self.local(at);
                extend(values, self.batch.column(at), rows, |value| local(value) as i32);
                count * 4
            }
            (Values::I64(values), Source::Field(at)) => {
                extend(values, self.batch.column(at), rows, self.local(at));
                count * 8
            }
            (Values::I64(values), source) => {
                values.extend(rows.map(|row| self.reckoned(source, row)));
                count * 8
            }
            (Values::Text(values, levels), source) => {
                let before = (names.made(), values.len());
                for row in rows {
                    let text = self.text(source, row, names);
                    levels.push(i16::from(text.is_some()));
                    values.extend(text);
                }
                // Most share their bytes with rows before.
                let made = names.made() - before.0;
                made + 2 * count + (values.len() - before.1) * size_of::<ByteArray>()
            }
            (Values::I32(values), _) => {
                values.resize(values.len() + count, 0);
                count * 4
            }
        }
    }

    /// What turns a field's number into that which its host had.
    fn local(&self, at: usize) -> impl Fn(i64) -> i64 + '_ {
        let (hosts, kind) = (self.cx.hosts(), &self.schema.fields[at].kind);
        let several = hosts.several();
        move |value| if several { hosts.local(kind, value as u64) as i64 } else { value }
    }

    fn reckoned(&self, source: Source, row: usize) -> i64 {
        let time = self.layout.time(self.batch, row);
        match source {
            Source::Utc => (self.cx.clocks().realtime(time) / 1000) as i64,
            Source::Start => {
                let duration = self.layout.duration.map_or(0, |at| number(self.batch, at, row));
                time.saturating_sub(duration) as i64
            }
            _ => 0,
        }
    }

    fn text(&self, source: Source, row: usize, names: &mut Names<'_>) -> Option<ByteArray> {
        let cx = self.cx;
        let raw = |at: usize| number(self.batch, at, row);
        let id = |at: usize| u32::try_from(raw(at)).unwrap_or(u32::MAX);
        let time = || self.layout.time(self.batch, row);
        Some(match source {
            Source::Host => {
                let host = cx.hosts().of_ring(self.batch.ring());
                names.text(cx.hosts().list()[host].name.as_bytes())
            }
            Source::Comm => {
                let thread = self.layout.thread(cx, self.batch, row)?;
                names.string(cx.tasks().thread_comm_at(thread, time()))
            }
            Source::Process => {
                let thread = self.layout.thread(cx, self.batch, row)?;
                names.string(cx.tasks().process_comm(cx.tasks().process_of(thread)))
            }
            Source::OtherComm(at) => {
                let tid = Some(id(at)).filter(|&tid| tid != 0)?;
                let thread = cx.tasks().thread_key(tid, 0, time());
                names.string(cx.tasks().thread_comm_at(thread, time()))
            }
            Source::Field(at) => match self.batch.value(at, row) {
                Value::Text(text) => names.text(text),
                Value::U64(_) | Value::I64(_) => return None,
            },
            Source::Enum(at) => {
                names.text(name_of(&self.schema.fields[at].names, raw(at))?.as_bytes())
            }
            Source::Flags(at) => {
                let (bits, _) = bits_of(&self.schema.fields[at].names, raw(at));
                match bits.as_slice() {
                    [] => return None,
                    [one] => names.text(one.as_bytes()),
                    more => names.text(more.join(",").as_bytes()),
                }
            }
            Source::Syscall(at) => {
                let number = Some(id(at)).filter(|&number| number != NO_SYSCALL)?;
                names.text(cx.syscalls().name(number).as_bytes())
            }
            Source::StringText(at) => {
                names.string(Some(Some(id(at)).filter(|&string| string != 0)?))
            }
            Source::Module(at) => {
                let module = cx.code().module(id(at))?;
                names.string(Some(module.path))
            }
            Source::Device(at) => {
                let device = Some(id(at)).filter(|&device| device != 0)?;
                names.text(&cx.device_name(device))
            }
            Source::Stack(at) => names.stack(Some(id(at)).filter(|&stack| stack != 0)?),
            Source::Utc | Source::Start => return None,
        })
    }
}

/// Appends numbers; those of 64 bits without sign keep their bits.
fn extend<T>(into: &mut Vec<T>, column: &Stored, rows: Range<usize>, each: impl Fn(i64) -> T) {
    match column {
        Stored::U8(values) => into.extend(values[rows].iter().map(|&value| each(value.into()))),
        Stored::U16(values) => into.extend(values[rows].iter().map(|&value| each(value.into()))),
        Stored::U32(values) => into.extend(values[rows].iter().map(|&value| each(value.into()))),
        Stored::U64(values) => into.extend(values[rows].iter().map(|&value| each(value as i64))),
        Stored::I32(values) => into.extend(values[rows].iter().map(|&value| each(value.into()))),
        Stored::I64(values) => into.extend(values[rows].iter().map(|&value| each(value))),
        Stored::Text(_) => into.extend(rows.map(|_| each(0))),
    }
}
