//! One trace file that is being written.

use crate::error::{Error, Result};
use crate::identity::Identity;
use crate::load::Load;
use crate::names::Question;
use crate::output::Sink;
use crate::recording::Closing;
use crate::tape::OWN_RING;
use ktape_format::schema::{Class, Desc, Loss, ProgramRun, Symbol};
use ktape_format::{ChunkInfo, Meta, Options, WriteSummary, Writer};
use rustc_hash::FxHashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

/// A file, or a pipe, and how far it is written.
pub(crate) struct Reel {
    writer: Writer<Sink>,
    /// The same file once more, to cut it after a failed write; `None` for a pipe.
    file: Option<File>,
    path: PathBuf,
    /// Loss counters, by CPU and record, from which those of this file count on.
    base: FxHashMap<(u32, u32), (u64, u64)>,
}

impl Reel {
    /// Writes the header. `path` is for messages.
    pub(crate) fn new(sink: Sink, path: PathBuf, meta: Meta, level: i32) -> Result<Reel> {
        let file = sink.file()?;
        let writer = Writer::new(sink, meta, Options { level })
            .map_err(|source| write_error(&path, source))?;
        Ok(Reel { writer, file, path, base: FxHashMap::default() })
    }

    /// Has the loss counters count on from these.
    pub(crate) fn set_base(&mut self, base: &[Loss]) {
        self.base = base.iter().map(|at| ((at.cpu, at.record), (at.produced, at.lost))).collect();
    }

    /// What these loss counters say since the [base](Reel::set_base).
    fn since_base(&self, losses: &[Loss]) -> Vec<u8> {
        let since = |loss: &Loss| {
            let (produced, lost) =
                self.base.get(&(loss.cpu, loss.record)).copied().unwrap_or_default();
            Loss {
                produced: loss.produced.saturating_sub(produced),
                lost: loss.lost.saturating_sub(lost),
                ..*loss
            }
        };
        losses.iter().flat_map(|loss| since(loss).encode()).collect()
    }

    /// Writes all rows: definitions first.
    pub(crate) fn load(&mut self, load: &Load) -> Result<()> {
        self.rows(load).map_err(|source| self.failed(source))
    }

    fn rows(&mut self, load: &Load) -> ktape_format::Result<()> {
        let losses = self.since_base(&load.losses);
        let writer = &mut self.writer;
        if !load.texts.is_empty() {
            writer.texts(&load.texts)?;
        }
        for rows in load.definitions.values().filter(|rows| !rows.bytes.is_empty()) {
            debug_assert_eq!(rows.desc.class, Class::Definition);
            writer.rows(rows.desc, OWN_RING, &rows.bytes)?;
        }
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
        if !texts.is_empty() {
            self.writer.texts(&texts).map_err(|source| self.failed(source))?;
        }
        self.definitions(Symbol::DESC, &symbols)
    }

    /// Writes what the end of a segment tells.
    pub(crate) fn closing(&mut self, closing: &Closing) -> Result<()> {
        let runs: Vec<u8> = closing.runs.iter().flat_map(ProgramRun::encode).collect();
        self.definitions(ProgramRun::DESC, &runs)?;
        self.names(&closing.question)
    }

    /// Writes rows of a definition.
    pub(crate) fn definitions(&mut self, desc: &'static Desc, rows: &[u8]) -> Result<()> {
        match rows {
            [] => Ok(()),
            rows => self.writer.rows(desc, OWN_RING, rows).map_err(|source| self.failed(source)),
        }
    }

    /// Writes loss counters.
    pub(crate) fn losses(&mut self, losses: &[Loss]) -> Result<()> {
        let rows = self.since_base(losses);
        self.definitions(Loss::DESC, &rows)
    }

    /// Writes a chunk that lies in memory.
    pub(crate) fn copy(&mut self, info: &ChunkInfo, bytes: &[u8]) -> Result<()> {
        self.writer.copy(info, bytes).map_err(|source| self.failed(source))
    }

    /// Has what was written reach the disk.
    pub(crate) fn sync(&self) -> Result<()> {
        match &self.file {
            Some(file) => file.sync_data().map_err(Error::io("sync", self.path.clone())),
            None => Ok(()),
        }
    }

    /// The chunks of a segment in memory, without the header.
    pub(crate) fn into_chunks(self) -> Vec<(ChunkInfo, Box<[u8]>)> {
        match self.writer.into_parts() {
            (Sink::Memory(parts), chunks) => {
                chunks.into_iter().zip(parts.into_iter().skip(1)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Which file it is; `None` for a pipe.
    pub(crate) fn identity(&self) -> Option<Identity> {
        self.file.as_ref().and_then(Identity::of_file)
    }

    /// Bytes written so far.
    pub(crate) fn written(&self) -> u64 {
        self.writer.written()
    }

    /// Writes the trailer. `sync`: it is to be on the disk then.
    pub(crate) fn finish(self, sync: bool) -> Result<WriteSummary> {
        let Reel { writer, file, path, .. } = self;
        let written = writer.written();
        match writer.finish() {
            Ok((_, summary)) => {
                if sync && let Some(file) = &file {
                    file.sync_all().map_err(Error::io("sync", path))?;
                }
                Ok(summary)
            }
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
