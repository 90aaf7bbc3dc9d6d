//! What has been seen and not yet written: rows of facts and definitions, and the writer.

use crate::error::{Error, Result};
use crate::output::Sink;
use ktape_format::limits::MAX_ROWS;
use ktape_format::schema::{Class, Desc};
use ktape_format::{Meta, Options, WriteSummary, Writer};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Rows of one record from one ring, as they lay in it.
pub(crate) struct Rows {
    pub(crate) desc: &'static Desc,
    pub(crate) bytes: Vec<u8>,
}

/// The open end of the trace.
pub(crate) struct Tape {
    writer: Writer<Sink>,
    /// The same file once more, to cut it after a failed write; `None` for a pipe.
    file: Option<File>,
    path: PathBuf,
    /// Facts by ring, then in order of first appearance.
    facts: Vec<Vec<Rows>>,
    /// Definitions by record id: a record only names records with smaller ids.
    definitions: BTreeMap<u16, Rows>,
    texts: Vec<(u32, Vec<u8>)>,
    strings: FxHashMap<Box<[u8]>, u32>,
    string_bytes: usize,
    last_text: u32,
    full: bool,
    recorded: BTreeMap<u16, u64>,
}

/// Texts that are remembered, so that they are written once.
const MAX_STRING_BYTES: usize = 8 << 20;

/// What remembering a text takes besides its bytes.
const STRING_OVERHEAD: usize = 40;

/// The ring number of rows that the recorder made itself.
pub(crate) const OWN_RING: u16 = u16::MAX;

impl Tape {
    pub(crate) fn new(
        sink: Sink,
        path: PathBuf,
        meta: Meta,
        level: i32,
        rings: usize,
    ) -> Result<Tape> {
        let file = sink.file()?;
        let writer = Writer::new(sink, meta, Options { level })
            .map_err(|source| write_error(&path, source))?;
        Ok(Tape {
            writer,
            file,
            path,
            facts: (0..=rings).map(|_| Vec::new()).collect(),
            definitions: BTreeMap::new(),
            texts: Vec::new(),
            strings: FxHashMap::default(),
            string_bytes: 0,
            last_text: 0,
            full: false,
            recorded: BTreeMap::new(),
        })
    }

    /// The id of a text; 0 is the empty one.
    pub(crate) fn text(&mut self, bytes: &[u8]) -> u32 {
        if bytes.is_empty() {
            return 0;
        }
        if let Some(&id) = self.strings.get(bytes) {
            return id;
        }
        if self.string_bytes > MAX_STRING_BYTES {
            // A text that comes again gets a second id: longer, not wrong.
            self.strings.clear();
            self.string_bytes = 0;
        }
        self.last_text += 1;
        let id = self.last_text;
        self.string_bytes += bytes.len() + STRING_OVERHEAD;
        self.strings.insert(bytes.into(), id);
        self.texts.push((id, bytes.to_vec()));
        id
    }

    /// Takes a definition. It will stand before the facts that are taken after it.
    pub(crate) fn define(&mut self, desc: &'static Desc, row: &[u8]) {
        let rows =
            self.definitions.entry(desc.id).or_insert_with(|| Rows { desc, bytes: Vec::new() });
        rows.bytes.extend_from_slice(row);
    }

    /// Takes a fact from a ring.
    pub(crate) fn fact(&mut self, desc: &'static Desc, ring: u16, row: &[u8]) {
        let last = self.facts.len() - 1;
        let of_ring = &mut self.facts[usize::from(ring).min(last)];
        let at = match of_ring.iter().position(|rows| rows.desc.id == desc.id) {
            Some(at) => at,
            None => {
                of_ring.push(Rows { desc, bytes: Vec::with_capacity(64 * desc.size) });
                of_ring.len() - 1
            }
        };
        let rows = &mut of_ring[at].bytes;
        rows.extend_from_slice(row);
        if rows.len() >= MAX_ROWS * desc.size {
            self.full = true;
        }
    }

    /// Whether some ring has a chunk's worth of facts.
    pub(crate) fn is_full(&self) -> bool {
        self.full
    }

    /// Takes the facts not yet written out, to translate them; [`Tape::put_back`] gives them back.
    pub(crate) fn take_pending(&mut self) -> Vec<Vec<Rows>> {
        std::mem::take(&mut self.facts)
    }

    /// Gives back what [`Tape::take_pending`] took.
    pub(crate) fn put_back(&mut self, facts: Vec<Vec<Rows>>) {
        self.facts = facts;
    }

    /// Writes everything: definitions first.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.flush_definitions()?;
        let Tape { writer, facts, recorded, path, .. } = self;
        let own = facts.len() - 1;
        for (ring, of_ring) in facts.iter_mut().enumerate() {
            let ring = if ring == own { OWN_RING } else { ring as u16 };
            for rows in of_ring.iter_mut().filter(|rows| !rows.bytes.is_empty()) {
                writer
                    .rows(rows.desc, ring, &rows.bytes)
                    .map_err(|source| write_error(path, source))?;
                *recorded.entry(rows.desc.id).or_default() +=
                    (rows.bytes.len() / rows.desc.size) as u64;
                rows.bytes.clear();
            }
        }
        self.full = false;
        self.sync()
    }

    fn flush_definitions(&mut self) -> Result<()> {
        let path = &self.path;
        let failed = |source| write_error(path, source);
        if !self.texts.is_empty() {
            self.writer.texts(&self.texts).map_err(failed)?;
            self.texts.clear();
        }
        for rows in self.definitions.values_mut().filter(|rows| !rows.bytes.is_empty()) {
            debug_assert_eq!(rows.desc.class, Class::Definition);
            self.writer.rows(rows.desc, OWN_RING, &rows.bytes).map_err(failed)?;
            rows.bytes.clear();
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<()> {
        let path = &self.path;
        self.writer.flush().map_err(|source| write_error(path, source))
    }

    /// After a failed write: cuts off the part of a chunk that was written, so that the file ends
    /// with a whole one.
    pub(crate) fn cut(&self) {
        if let Some(file) = &self.file {
            file.set_len(self.writer.written()).ok();
        }
    }

    /// Bytes written so far.
    pub(crate) fn written(&self) -> u64 {
        self.writer.written()
    }

    /// Facts written so far, by record id.
    pub(crate) fn recorded(&self) -> &BTreeMap<u16, u64> {
        &self.recorded
    }

    /// Writes what is left and the trailer.
    pub(crate) fn finish(mut self) -> Result<WriteSummary> {
        self.flush()?;
        let path = self.path;
        let (_, summary) = self.writer.finish().map_err(|source| write_error(&path, source))?;
        Ok(summary)
    }
}

fn write_error(path: &Path, source: ktape_format::Error) -> Error {
    let io = std::error::Error::source(&source).and_then(|cause| cause.downcast_ref());
    if io.is_some_and(|error: &std::io::Error| error.kind() == std::io::ErrorKind::BrokenPipe) {
        return Error::Reader;
    }
    Error::Write { path: path.to_owned(), source: Box::new(source) }
}
