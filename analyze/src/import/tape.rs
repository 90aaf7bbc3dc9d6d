//! `Tape`: rows on their way into the new trace, definitions before the facts that name them.

use std::collections::BTreeMap;
use std::io::Write;

use ktape_format::{Meta, Options, WriteSummary, Writer};
use ktape_schema::Desc;
use rustc_hash::FxHashMap;

use crate::error::Result;

/// The ring of facts that were still open at the end.
pub(super) const OWN_RING: u16 = u16::MAX;

/// Bytes of rows that are collected before they are written.
const LOAD: usize = 8 << 20;
/// Bytes of texts that are remembered, so that they are written once.
const MAX_STRING_BYTES: usize = 32 << 20;

/// The trace in the making.
pub(super) struct Tape<'w> {
    writer: Writer<&'w mut dyn Write>,
    texts: Vec<(u32, Vec<u8>)>,
    /// By record: a definition names only such of lower numbers.
    definitions: BTreeMap<u16, Rows>,
    /// By record and ring.
    facts: BTreeMap<(u16, u16), Rows>,
    bytes: usize,
    strings: FxHashMap<Vec<u8>, u32>,
    string_bytes: usize,
    last_text: u32,
    counted: BTreeMap<(u16, u16), u64>,
}

struct Rows {
    desc: &'static Desc,
    bytes: Vec<u8>,
}

impl<'w> Tape<'w> {
    /// Writes the header.
    pub(super) fn new(out: &'w mut dyn Write, meta: Meta) -> Result<Self> {
        Ok(Self {
            writer: Writer::new(out, meta, Options::default())?,
            texts: Vec::new(),
            definitions: BTreeMap::new(),
            facts: BTreeMap::new(),
            bytes: 0,
            strings: FxHashMap::default(),
            string_bytes: 0,
            last_text: 0,
            counted: BTreeMap::new(),
        })
    }

    /// The id of a text; 0 is the empty one.
    pub(super) fn text(&mut self, text: &[u8]) -> u32 {
        if text.is_empty() {
            return 0;
        }
        if let Some(&id) = self.strings.get(text) {
            return id;
        }
        if self.string_bytes > MAX_STRING_BYTES {
            self.strings = FxHashMap::default();
            self.string_bytes = 0;
        }
        self.last_text += 1;
        self.strings.insert(text.to_vec(), self.last_text);
        self.string_bytes += text.len() + 64;
        self.texts.push((self.last_text, text.to_vec()));
        self.bytes += text.len() + 32;
        self.last_text
    }

    /// Adds a definition.
    pub(super) fn define(&mut self, desc: &'static Desc, row: &[u8]) {
        let rows = self.definitions.entry(desc.id);
        rows.or_insert_with(|| Rows { desc, bytes: Vec::new() }).bytes.extend_from_slice(row);
        self.bytes += row.len();
    }

    /// Adds a fact; `ring` is its CPU.
    pub(super) fn fact(&mut self, desc: &'static Desc, ring: u16, row: &[u8]) {
        let rows = self.facts.entry((desc.id, ring));
        rows.or_insert_with(|| Rows { desc, bytes: Vec::new() }).bytes.extend_from_slice(row);
        self.bytes += row.len();
        *self.counted.entry((desc.id, ring)).or_default() += 1;
    }

    /// Facts so far, by record and ring.
    pub(super) fn counted(&self) -> &BTreeMap<(u16, u16), u64> {
        &self.counted
    }

    /// Writes what there is when it is enough.
    pub(super) fn turn(&mut self) -> Result<()> {
        if self.bytes < LOAD { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<()> {
        self.writer.texts(&std::mem::take(&mut self.texts))?;
        for (_, rows) in std::mem::take(&mut self.definitions) {
            self.writer.rows(rows.desc, 0, &rows.bytes)?;
        }
        for ((_, ring), rows) in std::mem::take(&mut self.facts) {
            self.writer.rows(rows.desc, ring, &rows.bytes)?;
        }
        self.bytes = 0;
        Ok(())
    }

    /// Writes all that is left, and the trailer.
    pub(super) fn finish(mut self) -> Result<WriteSummary> {
        self.flush()?;
        Ok(self.writer.finish()?.1)
    }
}
