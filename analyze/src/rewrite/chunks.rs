//! `Chunks`: reads a trace chunk by chunk, to write it anew.

use ktape_format::{Batch, ChunkInfo, Decoder, RecordSchema, Trace};
use ktape_schema::Type;

use crate::context::{Damage, what};
use crate::error::{Error, Result};

/// Reads chunks one at a time; those that it cannot read it skips and remembers.
pub(crate) struct Chunks<'t> {
    trace: &'t Trace,
    decoder: Decoder,
    pub(crate) batch: Batch,
    pub(crate) damages: Vec<Damage>,
}

impl<'t> Chunks<'t> {
    pub(crate) fn new(trace: &'t Trace) -> Self {
        Self { trace, decoder: Decoder::new(), batch: Batch::new(), damages: Vec::new() }
    }

    /// The chunks of the trace, in the order of the file, with the schema of their records.
    pub(crate) fn all(
        &mut self,
    ) -> impl Iterator<Item = (usize, &'t ChunkInfo, &'t RecordSchema)> + use<'t> {
        let trace = self.trace;
        for chunk in trace.chunks() {
            if trace.record_by_id(chunk.record).is_none() {
                let what = format!("record {} is not in the schema", chunk.record);
                self.damages.push(Damage { offset: chunk.offset, what });
            }
        }
        let chunks = trace.chunks().iter().enumerate();
        chunks.filter_map(|(at, chunk)| Some((at, chunk, trace.record_by_id(chunk.record)?)))
    }

    /// Reads some columns of a chunk into the batch; `false` when that cannot be done.
    pub(crate) fn read(&mut self, index: usize, columns: &[&str]) -> bool {
        match self.decoder.read(self.trace, index, columns, &mut self.batch) {
            Ok(()) => true,
            Err(error) => {
                let offset = self.trace.chunks().get(index).map_or(0, |chunk| chunk.offset);
                self.damages.push(Damage { offset, what: what(&error) });
                false
            }
        }
    }

    /// Reads all columns of a chunk, and those that this program knows of the record besides: these
    /// read as zeros and are not written.
    pub(crate) fn read_all(&mut self, index: usize, schema: &RecordSchema) -> bool {
        let mut columns: Vec<&str> = schema.fields.iter().map(|field| &*field.name).collect();
        for field in ktape_schema::by_name(&schema.name).map_or(&[][..], |own| own.fields) {
            if !columns.contains(&field.name) {
                columns.push(field.name);
            }
        }
        self.read(index, &columns)
    }

    /// What could not be read, each place once.
    pub(crate) fn into_damages(mut self, others: &[Damage]) -> Vec<Damage> {
        self.damages.extend_from_slice(others);
        self.damages.sort();
        self.damages.dedup();
        self.damages
    }
}

/// Refuses a trace with a field that is wider than this program knows it: it would lose its values.
pub(crate) fn check_schema(trace: &Trace) -> Result<()> {
    for record in &trace.meta().schema {
        let Some(own) = ktape_schema::by_name(&record.name) else { continue };
        for field in &record.fields {
            let known = own.fields.iter().find(|own| own.name == field.name).map(|own| own.ty);
            let ty = Type::from_code(field.ty);
            if known.is_some_and(|known| ty.is_none_or(|ty| ty.size() > known.size())) {
                return Err(Error::Rewrite(format!(
                    "{}.{} is wider than this ktape knows it: use a newer one",
                    record.name, field.name
                )));
            }
        }
    }
    Ok(())
}

/// What a header must tell of the trace that a new one is made of: that it is damaged or unfinished.
pub(crate) fn gap_notes(trace: &Trace) -> Vec<(String, String)> {
    let mut notes = Vec::new();
    let damages = trace.state().damages();
    if !damages.is_empty() {
        let bytes = damages.iter().map(|damage| damage.len).fold(0, u64::saturating_add);
        notes.push((ktape_format::LACKS.to_owned(), format!("{bytes} unreadable bytes")));
    }
    notes.extend(trace.unfinished_note());
    notes
}
