//! Writes a trace, append only.

use std::io::Write;

use ktape_schema::{Desc, StringText, Type};

use crate::batch::Batch;
use crate::chunk::ChunkInfo;
use crate::codec::zigzag;
use crate::column::{Column, TextColumn, Texts};
use crate::encode::{Encoder, Input};
use crate::error::{Error, Result};
use crate::gather::gather;
use crate::limits::{MAX_ROWS, MAX_TEXT, MAX_TEXT_COLUMN};
use crate::meta::{self, Meta, RecordSchema};
use crate::plan::Plan;
use crate::{header, index};

/// How to write.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// zstd level.
    pub level: i32,
}

impl Default for Options {
    fn default() -> Options {
        Options { level: 1 }
    }
}

/// What has been written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteSummary {
    /// Bytes of the file, header and (after the end) trailer included.
    pub bytes: u64,
    /// Chunks.
    pub chunks: u64,
    /// Per record of the schema that has rows, in order of first appearance.
    pub records: Vec<RecordSummary>,
}

/// What has been written of one record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordSummary {
    /// Its id.
    pub id: u16,
    /// Its name.
    pub name: String,
    /// Rows.
    pub rows: u64,
    /// Bytes of its chunks.
    pub bytes: u64,
}

/// Writes a trace to anything that takes bytes; it never seeks.
///
/// Every chunk goes out in one `write_all`, so that a recorder that dies leaves whole chunks. After
/// an error nothing more is written: what is there is a valid trace without trailer.
pub struct Writer<W> {
    out: W,
    encoder: Encoder,
    schema: Vec<RecordSchema>,
    plans: Vec<(u16, Plan)>,
    chunks: Vec<ChunkInfo>,
    start: u64,
    summary: WriteSummary,
    failed: bool,
    buffer: Vec<u8>,
    columns: Vec<Vec<u64>>,
}

impl<W: Write> Writer<W> {
    /// Writes the header.
    pub fn new(out: W, mut meta: Meta, options: Options) -> Result<Self> {
        if meta.schema.is_empty() {
            meta.schema = meta::own_schema();
        }
        let header = header::encode(&meta).map_err(|what| Error::Meta { what })?;
        let encoder =
            Encoder::new(options.level).map_err(|source| Error::Write { offset: 0, source })?;
        let mut writer = Writer {
            out,
            encoder,
            schema: meta.schema,
            plans: Vec::new(),
            chunks: Vec::new(),
            start: header.len() as u64,
            summary: WriteSummary::default(),
            failed: false,
            buffer: header,
            columns: Vec::new(),
        };
        writer.send()?;
        Ok(writer)
    }

    /// Writes rows as they lie in a ring: `desc.size` bytes each, native endian.
    pub fn rows(&mut self, desc: &'static Desc, ring: u16, rows: &[u8]) -> Result<()> {
        if desc.size == 0 || !rows.len().is_multiple_of(desc.size) {
            return Err(input(desc.name, "the bytes are not whole rows"));
        }
        let plan = self.plan(desc.id, desc.name)?;
        let places = self.places(desc.id, desc.name, desc.fields.iter().map(|field| field.name))?;
        for part in rows.chunks(MAX_ROWS * desc.size) {
            let mut columns = std::mem::take(&mut self.columns);
            gather(desc, part, &mut columns);
            let mut inputs = vec![Input::Absent; self.plans[plan].1.types.len()];
            for (place, column) in places.iter().zip(&columns) {
                inputs[*place] = Input::Numbers(column);
            }
            let sent = self.chunk(plan, ring, part.len() / desc.size, &inputs);
            self.columns = columns;
            sent?;
        }
        Ok(())
    }

    /// Writes rows of the `string` record. A text longer than 1 MiB is an error.
    pub fn texts(&mut self, rows: &[(u32, Vec<u8>)]) -> Result<()> {
        let mut ids = Vec::new();
        let mut texts = TextColumn::default();
        for (id, text) in rows {
            ids.push(*id);
            texts.push(text);
            if texts.bytes.len() >= MAX_TEXT || ids.len() == MAX_ROWS {
                self.strings(std::mem::take(&mut ids), std::mem::take(&mut texts))?;
            }
        }
        if ids.is_empty() { Ok(()) } else { self.strings(ids, texts) }
    }

    fn strings(&mut self, ids: Vec<u32>, texts: TextColumn) -> Result<()> {
        let columns =
            vec![("id".to_owned(), Column::U32(ids)), ("text".to_owned(), Column::Text(texts))];
        let batch = Batch::from_columns(StringText::DESC.id, 0, columns);
        self.batch(StringText::DESC.id, StringText::DESC.name, 0, &batch)
    }

    /// Writes a batch, of any record in the schema that the metadata gave. Columns go by name;
    /// those that the batch does not have are absent in the chunk.
    pub fn columns(&mut self, record: &RecordSchema, ring: u16, batch: &Batch) -> Result<()> {
        self.batch(record.id, &record.name, ring, batch)
    }

    fn batch(&mut self, id: u16, name: &str, ring: u16, batch: &Batch) -> Result<()> {
        let plan = self.plan(id, name)?;
        let slots: Vec<_> = batch.slots.iter().filter(|slot| slot.present).collect();
        let places = self.places(id, name, slots.iter().map(|slot| slot.name.as_str()))?;
        if batch.rows() == 0 {
            return Ok(());
        }
        if slots.is_empty() {
            return Err(input(name, "the batch has no columns"));
        }
        let types = self.plans[plan].1.types.clone();
        let mut start = 0;
        while start < batch.rows() {
            let end = batch.rows().min(start + MAX_ROWS);
            let end = slots.iter().fold(end, |end, slot| fitting(&slot.column, start, end));
            let mut inputs = vec![Input::Absent; types.len()];
            let part = batch.slice(start, end);
            let slots = part.slots.iter().filter(|slot| slot.present);
            let mut numbers = Vec::with_capacity(places.len());
            for (slot, &place) in slots.clone().zip(&places) {
                numbers.push(
                    widen(&slot.column, types[place])
                        .map_err(|what| input(name, &format!("column {}: {what}", slot.name)))?,
                );
            }
            for ((slot, &place), numbers) in slots.zip(&places).zip(&numbers) {
                inputs[place] = match &slot.column {
                    Column::Text(text) => Input::Texts(checked(name, text.texts())?),
                    _ => Input::Numbers(numbers),
                };
            }
            self.chunk(plan, ring, end - start, &inputs)?;
            start = end;
        }
        Ok(())
    }

    /// Flushes what lies beneath; this writer itself holds nothing back.
    pub fn flush(&mut self) -> Result<()> {
        let offset = self.summary.bytes;
        self.out.flush().map_err(|source| Error::Write { offset, source })
    }

    /// Writes the trailer.
    pub fn finish(mut self) -> Result<(W, WriteSummary)> {
        self.buffer =
            index::encode(&self.chunks, self.start, self.summary.bytes, self.encoder.packer());
        self.send()?;
        self.flush()?;
        Ok((self.out, self.summary))
    }

    /// Bytes written so far.
    pub fn written(&self) -> u64 {
        self.summary.bytes
    }

    /// Rows and bytes so far.
    pub fn summary(&self) -> &WriteSummary {
        &self.summary
    }

    /// Ends without a trailer: what was written to, and where each chunk lies in it.
    pub fn into_parts(self) -> (W, Vec<ChunkInfo>) {
        (self.out, self.chunks)
    }

    /// Writes a chunk that another trace holds, byte for byte, for records of the same schema.
    pub fn copy(&mut self, info: &ChunkInfo, bytes: &[u8]) -> Result<()> {
        let name = self
            .schema
            .iter()
            .find(|record| record.id == info.record)
            .map_or_else(|| info.record.to_string(), |record| record.name.clone());
        let info = ChunkInfo { offset: self.summary.bytes, ..info.clone() };
        self.buffer.clear();
        self.buffer.extend_from_slice(bytes);
        self.send()?;
        self.count(info, &name);
        Ok(())
    }

    fn chunk(&mut self, plan: usize, ring: u16, rows: usize, inputs: &[Input<'_>]) -> Result<()> {
        let plan = &self.plans[plan].1;
        self.buffer.clear();
        let offset = self.summary.bytes;
        let info = self.encoder.chunk(plan, ring, rows, inputs, offset, &mut self.buffer);
        let name = plan.name.clone();
        self.send()?;
        self.count(info, &name);
        Ok(())
    }

    fn count(&mut self, info: ChunkInfo, name: &str) {
        self.summary.chunks += 1;
        let records = &mut self.summary.records;
        let place = records.iter().position(|record| record.id == info.record);
        let place = place.unwrap_or_else(|| {
            let name = name.to_owned();
            records.push(RecordSummary { id: info.record, name, rows: 0, bytes: 0 });
            records.len() - 1
        });
        records[place].rows += u64::from(info.rows);
        records[place].bytes += u64::from(info.len);
        self.chunks.push(info);
    }

    /// Writes the buffer.
    fn send(&mut self) -> Result<()> {
        let offset = self.summary.bytes;
        if self.failed {
            let source = std::io::Error::other("an earlier write failed");
            return Err(Error::Write { offset, source });
        }
        self.out.write_all(&self.buffer).map_err(|source| {
            self.failed = true;
            Error::Write { offset, source }
        })?;
        self.summary.bytes += self.buffer.len() as u64;
        Ok(())
    }

    /// Position of the plan for a record of the trace's own schema.
    fn plan(&mut self, id: u16, name: &str) -> Result<usize> {
        if let Some(place) = self.plans.iter().position(|(record, _)| *record == id) {
            return Ok(place);
        }
        let schema = self
            .schema
            .iter()
            .find(|record| record.id == id && record.name == name)
            .ok_or_else(|| input(name, "the schema of the trace does not have it"))?;
        let plan = Plan::new(schema).map_err(|what| input(name, &what))?;
        self.plans.push((id, plan));
        Ok(self.plans.len() - 1)
    }

    /// Positions of fields in the trace's own schema.
    fn places<'a>(
        &self,
        id: u16,
        name: &str,
        fields: impl Iterator<Item = &'a str>,
    ) -> Result<Vec<usize>> {
        let schema = self.schema.iter().find(|record| record.id == id);
        fields
            .map(|field| {
                schema.and_then(|schema| schema.field(field)).ok_or_else(|| {
                    input(name, &format!("the schema of the trace does not have its field {field}"))
                })
            })
            .collect()
    }
}

fn input(record: &str, what: &str) -> Error {
    Error::Input { record: record.to_owned(), what: what.to_owned() }
}

/// How far from `start` the texts of a column fit into one chunk; at least one row.
fn fitting(column: &Column, start: usize, end: usize) -> usize {
    let Column::Text(text) = column else { return end };
    let mut bytes = 0;
    for row in start..end {
        bytes += text.texts().get(row).len() + 4;
        if bytes > MAX_TEXT_COLUMN / 4 {
            return end.min(row.max(start + 1));
        }
    }
    end
}

fn checked<'a>(name: &str, texts: Texts<'a>) -> Result<Texts<'a>> {
    if texts.iter().all(|text| text.len() <= MAX_TEXT) {
        Ok(texts)
    } else {
        Err(input(name, &format!("a text is longer than {MAX_TEXT} bytes")))
    }
}

/// Numbers as the codecs take them, checked against the type that the trace declares.
fn widen(column: &Column, ty: Type) -> std::result::Result<Vec<u64>, String> {
    let signed: Vec<i128> = match column {
        Column::Text(_) if ty == Type::Text => return Ok(Vec::new()),
        Column::Text(_) => return Err("is text".to_owned()),
        _ if ty == Type::Text => return Err("is no text".to_owned()),
        Column::U8(values) => values.iter().map(|&value| value.into()).collect(),
        Column::U16(values) => values.iter().map(|&value| value.into()).collect(),
        Column::U32(values) => values.iter().map(|&value| value.into()).collect(),
        Column::U64(values) => values.iter().map(|&value| value.into()).collect(),
        Column::I32(values) => values.iter().map(|&value| value.into()).collect(),
        Column::I64(values) => values.iter().map(|&value| value.into()).collect(),
    };
    let (low, high): (i128, i128) = match ty {
        Type::U8 => (0, u8::MAX.into()),
        Type::U16 => (0, u16::MAX.into()),
        Type::U32 => (0, u32::MAX.into()),
        Type::U64 | Type::Text => (0, u64::MAX.into()),
        Type::I32 => (i32::MIN.into(), i32::MAX.into()),
        Type::I64 => (i64::MIN.into(), i64::MAX.into()),
    };
    if let Some(value) = signed.iter().find(|value| **value < low || **value > high) {
        return Err(format!("{value} does not fit into {ty:?}"));
    }
    Ok(match ty {
        Type::I32 | Type::I64 => signed.iter().map(|&value| zigzag(value as i64)).collect(),
        _ => signed.iter().map(|&value| value as u64).collect(),
    })
}
