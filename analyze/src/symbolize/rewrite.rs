//! Writes a trace anew with other symbols.

use std::io::Write;

use ktape_format::{Batch, Decoder, Options, RecordSchema, Trace, Writer};
use ktape_schema::{StringText, Symbol, Type};
use rustc_hash::FxHashSet;

use crate::context::{Damage, what};
use crate::error::{Error, Result};

/// What is new in a trace.
pub(super) struct Change {
    /// Frames whose symbols are replaced.
    pub(super) frames: FxHashSet<u32>,
    /// Their new symbols.
    pub(super) symbols: Vec<Symbol>,
    /// Texts that these name and the trace does not have.
    pub(super) texts: Vec<(u32, Vec<u8>)>,
    /// What to tell in the header.
    pub(super) notes: Vec<(String, String)>,
}

/// Copies all chunks but the symbols of the frames that are replaced, then adds the new texts and
/// symbols. Chunks that cannot be read are left out and returned.
pub(super) fn rewrite(trace: &Trace, change: &Change, out: impl Write) -> Result<Vec<Damage>> {
    for desc in [StringText::DESC, Symbol::DESC] {
        if trace.record(desc.name).is_none_or(|record| record.id != desc.id) {
            return Err(Error::Symbolize(format!("the trace has no record {}", desc.name)));
        }
    }
    trace.meta().schema.iter().try_for_each(readable)?;
    let mut meta = trace.meta().clone();
    meta.notes.extend_from_slice(&change.notes);
    let mut writer = Writer::new(out, meta, Options::default())?;
    let mut damages = Vec::new();
    let (mut decoder, mut batch) = (Decoder::new(), Batch::new());
    for (index, chunk) in trace.chunks().iter().enumerate() {
        let Some(schema) = trace.record_by_id(chunk.record) else {
            let what = format!("record {} is not in the schema", chunk.record);
            damages.push(Damage { offset: chunk.offset, what });
            continue;
        };
        let columns: Vec<&str> = schema.fields.iter().map(|field| &*field.name).collect();
        if let Err(error) = decoder.read(trace, index, &columns, &mut batch) {
            damages.push(Damage { offset: chunk.offset, what: what(&error) });
            continue;
        }
        if chunk.record == Symbol::DESC.id {
            let frames = batch.u32("frame").iter();
            let keep: Vec<bool> = frames.map(|frame| !change.frames.contains(frame)).collect();
            batch.retain(&keep);
        }
        writer.columns(schema, chunk.ring, &batch)?;
    }
    writer.texts(&change.texts)?;
    let rows: Vec<u8> = change.symbols.iter().flat_map(Symbol::encode).collect();
    if !rows.is_empty() {
        writer.rows(Symbol::DESC, 0, &rows)?;
    }
    writer.finish()?;
    Ok(damages)
}

/// A field that is wider in the file than this program knows it would lose its values.
fn readable(record: &RecordSchema) -> Result<()> {
    let Some(own) = ktape_schema::by_name(&record.name) else { return Ok(()) };
    for field in &record.fields {
        let known = own.fields.iter().find(|own| own.name == field.name).map(|own| own.ty);
        let ty = Type::from_code(field.ty);
        if known.is_some_and(|known| ty.is_none_or(|ty| ty.size() > known.size())) {
            return Err(Error::Symbolize(format!(
                "{}.{} is wider than this ktape knows it: use a newer one",
                record.name, field.name
            )));
        }
    }
    Ok(())
}
