//! `Strings`: the dictionary of texts.

use super::id_table::IdTable;
use super::loader::Loader;

/// What stands where a trace names something that it does not define.
pub const UNKNOWN: &[u8] = b"[unknown]";

/// The texts of a trace, by id. Their bytes are as hostile as the trace: renderers escape them.
#[derive(Debug, Default)]
pub struct Strings {
    bytes: Vec<u8>,
    spans: IdTable<(usize, u32)>,
}

impl Strings {
    pub(crate) fn load(loader: &mut Loader<'_>) -> Self {
        let mut bytes = Vec::new();
        let mut spans = Vec::new();
        loader.each("string", &["id", "text"], |batch| {
            let (ids, texts) = (batch.u32("id"), batch.text("text"));
            spans.reserve(ids.len());
            for (row, &id) in ids.iter().enumerate() {
                let text = texts.get(row);
                spans.push((id, (bytes.len(), text.len() as u32)));
                bytes.extend_from_slice(text);
            }
        });
        Self { bytes, spans: IdTable::new(spans) }
    }

    /// The text with this id: empty for 0, `[unknown]` for an id that the trace does not define.
    pub fn get(&self, id: u32) -> &[u8] {
        if id == 0 {
            return b"";
        }
        match self.spans.get(id) {
            Some(&(at, len)) => self.bytes.get(at..at + len as usize).unwrap_or(UNKNOWN),
            None => UNKNOWN,
        }
    }

    /// Whether an id may be used: 0 or defined.
    pub fn defines(&self, id: u32) -> bool {
        id == 0 || self.spans.get(id).is_some()
    }

    /// Number of texts.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
