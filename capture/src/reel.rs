//! One trace file that is being written.

use crate::error::{Error, Result};
use crate::load::Load;
use crate::names::Question;
use crate::output::Sink;
use crate::tape::OWN_RING;
use ktape_format::schema::{Class, Loss, Symbol};
use ktape_format::{Meta, Options, WriteSummary, Writer};
use std::fs::File;
use std::path::{Path, PathBuf};

/// A file, or a pipe, and how far it is written.
pub(crate) struct Reel {
    writer: Writer<Sink>,
    /// The same file once more, to cut it after a failed write; `None` for a pipe.
    file: Option<File>,
    path: PathBuf,
}

impl Reel {
    /// Writes the header. `path` is for messages.
    pub(crate) fn new(sink: Sink, path: PathBuf, meta: Meta, level: i32) -> Result<Reel> {
        let file = sink.file()?;
        let writer = Writer::new(sink, meta, Options { level })
            .map_err(|source| write_error(&path, source))?;
        Ok(Reel { writer, file, path })
    }

    /// Writes all rows: definitions first.
    pub(crate) fn load(&mut self, load: &Load) -> Result<()> {
        self.rows(load).map_err(|source| self.failed(source))
    }

    fn rows(&mut self, load: &Load) -> ktape_format::Result<()> {
        let writer = &mut self.writer;
        if !load.texts.is_empty() {
            writer.texts(&load.texts)?;
        }
        for rows in load.definitions.values().filter(|rows| !rows.bytes.is_empty()) {
            debug_assert_eq!(rows.desc.class, Class::Definition);
            writer.rows(rows.desc, OWN_RING, &rows.bytes)?;
        }
        let losses: Vec<u8> = load.losses.iter().flat_map(Loss::encode).collect();
        if !losses.is_empty() {
            writer.rows(Loss::DESC, OWN_RING, &losses)?;
        }
        let own = load.facts.len() - 1;
        for (ring, of_ring) in load.facts.iter().enumerate() {
            let ring = if ring == own { OWN_RING } else { ring as u16 };
            for rows in of_ring.iter().filter(|rows| !rows.bytes.is_empty()) {
                writer.rows(rows.desc, ring, &rows.bytes)?;
            }
        }
        writer.flush()
    }

    /// Finds names and writes them down.
    pub(crate) fn names(&mut self, question: &Question) -> Result<()> {
        let (texts, symbols) = question.answer();
        let mut write = || {
            if !texts.is_empty() {
                self.writer.texts(&texts)?;
            }
            if !symbols.is_empty() {
                self.writer.rows(Symbol::DESC, OWN_RING, &symbols)?;
            }
            Ok(())
        };
        write().map_err(|source| self.failed(source))
    }

    /// Bytes written so far.
    pub(crate) fn written(&self) -> u64 {
        self.writer.written()
    }

    /// Writes the trailer.
    pub(crate) fn finish(self) -> Result<WriteSummary> {
        let Reel { writer, file, path } = self;
        let written = writer.written();
        match writer.finish() {
            Ok((_, summary)) => Ok(summary),
            Err(source) => {
                cut(file.as_ref(), written);
                Err(write_error(&path, source))
            }
        }
    }

    /// After a failed write: cuts off the part of a chunk that was written, so that the file ends
    /// with a whole one.
    fn failed(&self, source: ktape_format::Error) -> Error {
        cut(self.file.as_ref(), self.writer.written());
        write_error(&self.path, source)
    }
}

fn cut(file: Option<&File>, len: u64) {
    if let Some(file) = file {
        file.set_len(len).ok();
    }
}

fn write_error(path: &Path, source: ktape_format::Error) -> Error {
    let io = std::error::Error::source(&source).and_then(|cause| cause.downcast_ref());
    if io.is_some_and(|error: &std::io::Error| error.kind() == std::io::ErrorKind::BrokenPipe) {
        return Error::Reader;
    }
    Error::Write { path: path.to_owned(), source: Box::new(source) }
}
