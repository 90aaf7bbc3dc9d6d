//! Writes a trace anew with other symbols.

use std::io::Write;

use ktape_format::{Options, Trace, Writer};
use ktape_schema::{StringText, Symbol};
use rustc_hash::FxHashSet;

use crate::context::Damage;
use crate::error::{Error, Result};
use crate::rewrite::{Chunks, check_schema};

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
    check_schema(trace)?;
    let mut meta = trace.meta().clone();
    meta.notes.extend_from_slice(&change.notes);
    let mut writer = Writer::new(out, meta, Options::default())?;
    let mut chunks = Chunks::new(trace);
    for (index, chunk, schema) in chunks.all() {
        if !chunks.read_all(index, schema) {
            continue;
        }
        if chunk.record == Symbol::DESC.id {
            let frames = chunks.batch.u32("frame").iter();
            let keep: Vec<bool> = frames.map(|frame| !change.frames.contains(frame)).collect();
            chunks.batch.retain(&keep);
        }
        writer.columns(schema, chunk.ring, &chunks.batch)?;
    }
    writer.texts(&change.texts)?;
    let rows: Vec<u8> = change.symbols.iter().flat_map(Symbol::encode).collect();
    if !rows.is_empty() {
        writer.rows(Symbol::DESC, 0, &rows)?;
    }
    writer.finish()?;
    Ok(chunks.into_damages(&[]))
}
