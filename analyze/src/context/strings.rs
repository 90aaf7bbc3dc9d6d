//! `Strings`: the dictionary of texts.

use std::sync::{Mutex, OnceLock, PoisonError};

use ktape_format::{Batch, Decoder, TextColumn, Trace};

use super::id_table::IdTable;
use super::loader::{Damage, Loader, what};

/// What stands where a trace names something that it does not define.
pub const UNKNOWN: &[u8] = b"[unknown]";

/// The texts of a trace, by id. Their bytes are as hostile as the trace: renderers escape them.
///
/// A chunk of them is read when the first of its texts is asked for: most answers name few.
#[derive(Clone, Copy)]
pub struct Strings<'a> {
    pub(super) trace: &'a Trace,
    pub(super) table: &'a StringTable,
}

/// Where the texts are, and those read so far.
#[derive(Debug, Default)]
pub(super) struct StringTable {
    chunks: Vec<TextChunk>,
    /// (chunk, row).
    places: IdTable<(u32, u32)>,
    damages: Mutex<Vec<Damage>>,
}

/// A chunk of texts.
#[derive(Debug)]
struct TextChunk {
    index: usize,
    texts: OnceLock<TextColumn>,
}

impl StringTable {
    pub(super) fn load(loader: &mut Loader<'_>) -> Self {
        let mut chunks = Vec::new();
        let mut places = Vec::new();
        loader.each_text("string", &["id"], |index, batch| {
            let chunk = chunks.len() as u32;
            chunks.push(TextChunk { index, texts: OnceLock::new() });
            let rows = batch.u32("id").iter().zip(0u32..);
            places.extend(rows.map(|(&id, row)| (id, (chunk, row))));
        });
        Self { chunks, places: IdTable::new(places), damages: Mutex::default() }
    }

    /// Chunks that could not be read so far.
    pub(super) fn damages(&self) -> Vec<Damage> {
        self.damages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<'a> Strings<'a> {
    /// The text with this id: empty for 0, `[unknown]` for an id that the trace does not define.
    pub fn get(self, id: u32) -> &'a [u8] {
        if id == 0 {
            return b"";
        }
        let Some(&(chunk, row)) = self.table.places.get(id) else { return UNKNOWN };
        let chunk = &self.table.chunks[chunk as usize];
        let texts = chunk.texts.get_or_init(|| self.read(chunk.index)).texts();
        if (row as usize) < texts.len() { texts.get(row as usize) } else { UNKNOWN }
    }

    /// The texts of a chunk; none, and the damage noted, when it cannot be read.
    fn read(self, index: usize) -> TextColumn {
        let mut batch = Batch::new();
        let read = Decoder::new().read(self.trace, index, &["text"], &mut batch);
        match read {
            Ok(()) => batch.take_text("text"),
            Err(error) => {
                let offset = self.trace.chunks()[index].offset;
                let mut damages = self.table.damages.lock().unwrap_or_else(PoisonError::into_inner);
                damages.push(Damage { offset, what: what(&error) });
                TextColumn::default()
            }
        }
    }

    /// Reads all chunks.
    pub(crate) fn read_all(self) {
        for chunk in &self.table.chunks {
            chunk.texts.get_or_init(|| self.read(chunk.index));
        }
    }

    /// Whether an id may be used: 0 or defined.
    pub fn defines(self, id: u32) -> bool {
        id == 0 || self.table.places.get(id).is_some()
    }

    /// Number of texts.
    pub fn len(self) -> usize {
        self.table.places.len()
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}
