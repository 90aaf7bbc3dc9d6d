//! `merge`: several traces as one.

mod align;
mod dictionary;
mod header;
mod inputs;
mod joined;
mod losses;
mod numbers;
mod translation;

use std::io::Write;

use ktape_format::{Batch, Options, RecordSchema, Trace, Value, Writer};
use ktape_schema::{Clock, Loss};
use rustc_hash::{FxHashMap, FxHashSet};

use super::chunks::{Chunks, check_schema};
use super::outcome::answer;
use super::role::Role;
use super::trim::Cut;
use crate::answer::{Answer, Note, NoteKind};
use crate::context::{Context, Needs};
use crate::error::{Error, Result};
use crate::run::gaps;
pub(crate) use header::MERGED_PART;
use inputs::Inputs;
use losses::Counters;
use translation::Translation;

/// Writes one trace of several: parts of one recording, recordings of one host, or hosts, which are
/// kept apart; and tells what it has.
///
/// # Errors
///
/// When facts would count twice, the traces do not go together (other architectures, too many hosts),
/// or `out` cannot be written.
pub fn merge(traces: &[Trace], out: impl Write) -> Result<Answer> {
    traces.iter().try_for_each(check_schema)?;
    let inputs = Inputs::of(traces)?;
    let meta = header::header(&inputs)?;
    let mut translations = Vec::new();
    for input in &inputs.list {
        let shift = inputs.shift(input.host)?;
        translations.push(Translation::new(&inputs.hosts, input.host, shift));
    }
    let added = dictionary::renumber(&inputs.traces(), &mut translations)?;
    if inputs.recordings.len() > 1 {
        numbers::renumber(&inputs.traces(), &mut translations)?;
    }
    for (input, translation) in inputs.list.iter().zip(&translations) {
        translation.check(&input.trace.meta().schema)?;
    }
    let schema = meta.schema.clone();
    let mut merging = Merging {
        inputs: &inputs,
        translations: &translations,
        schema: &schema,
        writer: Writer::new(out, meta, Options::default())?,
        written: FxHashMap::default(),
        named: FxHashMap::default(),
        told: FxHashMap::default(),
        read: FxHashMap::default(),
    };
    merging.writer.texts(&added)?;
    let mut notes = Vec::new();
    for at in 0..inputs.list.len() {
        notes.extend(merging.copy(at)?);
    }
    notes.extend(doubts(&inputs));
    merging.losses()?;
    let (_, written) = merging.writer.finish()?;
    let all: Vec<&Trace> = traces.iter().collect();
    Ok(answer("merge", "Merged trace", &all, &written, notes))
}

/// Clock readings of a host that disagree by more than this, ns, make its place doubtful.
const DOUBTFUL: u64 = 1_000_000_000;

/// Of which hosts it is doubtful where they stand beside the others.
fn doubts(inputs: &Inputs<'_>) -> Vec<Note> {
    let hosts = inputs.hosts.list().iter().zip(&inputs.places);
    let several = inputs.hosts.several();
    let doubtful = hosts.filter(|(_, place)| several && place.doubt() > DOUBTFUL);
    doubtful
        .map(|(host, place)| {
            let text = format!(
                "{}: its clock was set while it was recorded, so its times may be off from those of \
                 other hosts by up to {}",
                host.name,
                crate::context::seconds(place.doubt())
            );
            Note::new(NoteKind::Filter, text)
        })
        .collect()
}

/// Definitions of each recording that are remembered, so as not to write them twice: as many as any
/// trace may have, and more in a larger one.
const REMEMBERED: u64 = 256 << 10;

struct Merging<'a, W: Write> {
    inputs: &'a Inputs<'a>,
    translations: &'a [Translation<'a>],
    /// That of the new trace.
    schema: &'a [RecordSchema],
    writer: Writer<W>,
    /// Entries of dictionaries that have been written, by record.
    written: FxHashMap<u16, FxHashSet<u32>>,
    /// By frame: the trace that its symbols are from.
    named: FxHashMap<u32, usize>,
    /// Other definitions of recordings with several parts, by recording and record.
    told: FxHashMap<(usize, u16), FxHashSet<Box<[u8]>>>,
    /// Of these, how far the readings of loss counters have been written: by recording, record and CPU
    /// the time of the last one. Parts have the same readings, many millions in a long recording.
    read: FxHashMap<(usize, u32, u32), u64>,
}

impl<W: Write> Merging<'_, W> {
    /// Copies what a trace has and others had not; says what could not be read.
    fn copy(&mut self, at: usize) -> Result<Vec<Note>> {
        let input = &self.inputs.list[at];
        let translation = &self.translations[at];
        let parts = self.inputs.list.iter().filter(|other| other.recording == input.recording);
        let several_parts = parts.count() > 1;
        let several_recordings = self.inputs.recordings_of(input.host) > 1;
        let mut remembered = REMEMBERED + input.trace.size() / 4;
        let mut chunks = Chunks::new(input.trace);
        let cx = Context::load(input.trace, Needs::CODE);
        let cut = Cut::all(&cx)?;
        let needed = cut.needed(&mut chunks);
        let mut scratch = Vec::new();
        let mut read = self.read.clone();
        for (index, chunk, schema) in chunks.all() {
            let role = Role::of(schema);
            // The calendar is that of the host whose clock is used.
            let foreign_clock = schema.name == Clock::DESC.name && input.host != self.inputs.base;
            let summed = role == Role::Loss && several_recordings;
            if foreign_clock || summed || !chunks.read_all(index, schema) {
                continue;
            }
            let batch = &mut chunks.batch;
            cut.apply(chunk, schema, &needed, batch, &mut scratch);
            translation.apply(schema, batch)?;
            let keep: Option<Vec<bool>> = match role {
                Role::Fact => None,
                Role::Entry(_) => {
                    let written = self.written.entry(schema.id).or_default();
                    Some(batch.u32("id").iter().map(|&id| written.insert(id)).collect())
                }
                Role::Symbol => {
                    let frames = batch.u32("frame").iter();
                    Some(
                        frames.map(|&frame| *self.named.entry(frame).or_insert(at) == at).collect(),
                    )
                }
                Role::Loss if several_parts => {
                    let (times, recording) = (batch.u64("time"), input.recording);
                    let series = batch.u32("record").iter().zip(batch.u32("cpu")).zip(times);
                    let keep = series.map(|((&record, &cpu), &time)| {
                        let key = (recording, record, cpu);
                        let new = self.read.get(&key).is_none_or(|&last| time > last);
                        if new {
                            let last = read.entry(key).or_insert(time);
                            *last = time.max(*last);
                        }
                        new
                    });
                    Some(keep.collect())
                }
                _ if several_parts => {
                    remembered = remembered.checked_sub(batch.rows() as u64).ok_or_else(|| {
                        let path = input.trace.path().display();
                        Error::Rewrite(format!("{path} has too many definitions for its size"))
                    })?;
                    let told = self.told.entry((input.recording, schema.id)).or_default();
                    Some((0..batch.rows()).map(|row| told.insert(bytes(batch, row))).collect())
                }
                _ => None,
            };
            if let Some(keep) = keep.filter(|keep| keep.contains(&false)) {
                batch.retain(&keep);
            }
            let Some(own) = self.schema.iter().find(|record| record.id == schema.id) else {
                continue;
            };
            let ring = self.inputs.hosts.ring(input.host, chunk.ring);
            self.writer.columns(own, ring, batch)?;
        }
        self.read = read;
        let damages = chunks.into_damages(&cx.damages());
        // That the traces are parts is no news here.
        let said = gaps(&cx, &damages).into_iter().filter(|note| note.kind != NoteKind::Filter);
        let name = input.trace.path().display().to_string();
        Ok(said.map(|note| Note { text: format!("{name}: {}", note.text), ..note }).collect())
    }

    /// Writes the counters of hosts that were recorded several times.
    fn losses(&mut self) -> Result<()> {
        if self.schema.iter().all(|record| record.id != Loss::DESC.id) {
            return Ok(());
        }
        for host in 0..self.inputs.hosts.list().len() {
            if self.inputs.recordings_of(host) < 2 {
                continue;
            }
            let mut counters = Counters::default();
            for (input, translation) in self.inputs.list.iter().zip(self.translations) {
                if input.host == host {
                    counters.take(input.trace, input.recording, translation);
                }
            }
            let rows: Vec<u8> = counters.rows().iter().flat_map(Loss::encode).collect();
            if !rows.is_empty() {
                let ring = self.inputs.hosts.ring(host, u16::MAX);
                self.writer.rows(Loss::DESC, ring, &rows)?;
            }
        }
        Ok(())
    }
}

/// The values of a row, one after another.
fn bytes(batch: &Batch, row: usize) -> Box<[u8]> {
    let mut bytes = Vec::new();
    for at in 0..batch.names().count() {
        match batch.value(at, row) {
            Value::U64(number) => bytes.extend_from_slice(&number.to_le_bytes()),
            Value::I64(number) => bytes.extend_from_slice(&number.to_le_bytes()),
            Value::Text(text) => {
                bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
                bytes.extend_from_slice(text);
            }
        }
    }
    bytes.into()
}
