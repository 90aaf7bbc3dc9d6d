//! Opens a trace.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::chunk::ChunkInfo;
use crate::error::{Error, Result};
use crate::frame::Unpacker;
use crate::header::{self, Refusal};
use crate::index::{self, Footer};
use crate::limits::MAX_INDEX;
use crate::meta::{Meta, RecordSchema};
use crate::scan::{Damage, State, scan};
use crate::source::Source;

/// An open trace: its metadata, and where its chunks are.
///
/// It is read with positioned reads, so that memory does not depend on its size, and it may grow
/// meanwhile: what was there when it was opened is what is read.
/// Shared between threads; each of them has a [`crate::Decoder`].
pub struct Trace {
    pub(crate) path: PathBuf,
    pub(crate) source: Source,
    /// Tells it from all other traces of this process.
    pub(crate) serial: u64,
    meta: Meta,
    state: State,
    /// Whether the recorder wrote its trailer, whatever has become of the rest.
    trailer: bool,
    chunks: Vec<ChunkInfo>,
    start: u64,
    size: u64,
}

/// The name of the note that a trace made from an unfinished one has.
const UNFINISHED: &str = "unfinished";

impl Trace {
    /// Opens a file. Anything but a regular file is spooled, as by [`Trace::from_stream`].
    pub fn open(path: &Path) -> Result<Trace> {
        let open = |source| Error::Open { path: path.to_owned(), source };
        let file = File::open(path).map_err(open)?;
        if file.metadata().map_err(open)?.is_file() {
            Trace::from_file(file, path.to_owned())
        } else {
            Trace::spool(file, path.to_owned())
        }
    }

    /// Reads a trace from a pipe: it is spooled to an unlinked temporary file, then opened as a file.
    pub fn from_stream(stream: impl Read) -> Result<Trace> {
        Trace::spool(stream, PathBuf::from("-"))
    }

    fn spool(mut stream: impl Read, path: PathBuf) -> Result<Trace> {
        let failed = |source| Error::Read { path: path.clone(), offset: 0, source };
        let mut file = tempfile::tempfile().map_err(failed)?;
        io::copy(&mut stream, &mut file).map_err(failed)?;
        file.flush().map_err(failed)?;
        file.rewind().map_err(failed)?;
        Trace::from_file(file, path)
    }

    fn from_file(file: File, path: PathBuf) -> Result<Trace> {
        let failed = |offset| {
            let path = path.clone();
            move |source| Error::Read { path, offset, source }
        };
        let size = file.metadata().map_err(failed(0))?.len();
        let (meta, start) = read_header(&file, &path, size)?;
        let mut damages = Vec::new();
        let footer = read_footer(&file, size).map_err(failed(0))?;
        let mut trailer = footer.is_some();
        if let Some(footer) = footer {
            match read_index(&file, &footer).map_err(failed(footer.offset))? {
                Ok(chunks) if footer.chunks == start => {
                    let source = Source(file);
                    let state = State::Complete;
                    return Ok(Trace {
                        path,
                        source,
                        serial: serial(),
                        meta,
                        state,
                        trailer,
                        chunks,
                        start,
                        size,
                    });
                }
                Ok(_) => damages.push(damage(&footer, "index begins elsewhere than the chunks")),
                Err(what) => damages.push(damage(&footer, &what)),
            }
        }
        let end = damages.first().map_or(size, |damage| damage.offset.max(start));
        let (chunks, mut state) = scan(&file, start, end).map_err(failed(start))?;
        trailer |= state.damages().iter().any(|damage| damage.trailer);
        if !damages.is_empty() {
            let found = state.damages().iter().cloned();
            state = State::Damaged(found.chain(damages).collect());
        }
        let source = Source(file);
        Ok(Trace { path, source, serial: serial(), meta, state, trailer, chunks, start, size })
    }

    /// A trace whose header is damaged: all chunks that a search finds, with the metadata given.
    pub(crate) fn headless(path: &Path, meta: Meta, what: &str) -> Result<Trace> {
        let path = path.to_owned();
        let failed = |source| Error::Read { path: path.clone(), offset: 0, source };
        let file = File::open(&path).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        let footer = read_footer(&file, size).map_err(failed)?;
        let end = footer.as_ref().map_or(size, |footer| footer.offset);
        let (chunks, state) = scan(&file, 0, end).map_err(failed)?;
        let mut damages = state.damages().to_vec();
        let trailer = footer.is_some() || damages.iter().any(|damage| damage.trailer);
        if let Some(first) = damages.first_mut().filter(|damage| damage.offset == 0) {
            what.clone_into(&mut first.what);
        }
        let state = State::Damaged(damages);
        let source = Source(file);
        Ok(Trace { path, source, serial: serial(), meta, state, trailer, chunks, start: 0, size })
    }

    /// What the trace says of itself.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// How whole it is.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Whether its recorder came to its end, as far as can be told: not so for a trace without
    /// trailer, nor for one that was made from such a trace.
    pub fn is_finished(&self) -> bool {
        let noted = self.meta.notes.iter().any(|(name, _)| name == UNFINISHED);
        self.trailer && !noted
    }

    /// The note that a trace made from this one must have, if it [is not finished](Self::is_finished).
    pub fn unfinished_note(&self) -> Option<(String, String)> {
        (!self.trailer).then(|| (UNFINISHED.to_owned(), "the trace had no trailer".to_owned()))
    }

    /// Its chunks, in the order of the file. A definition stands before the facts that use it.
    pub fn chunks(&self) -> &[ChunkInfo] {
        &self.chunks
    }

    /// A record of the trace's own schema, by name; `None` when one before it has its id, too, whose
    /// rows would be taken for its own.
    pub fn record(&self, name: &str) -> Option<&RecordSchema> {
        let found = self.meta.schema.iter().find(|record| record.name == name)?;
        (self.record_by_id(found.id)?.name == name).then_some(found)
    }

    /// A record of the trace's own schema, by id.
    pub fn record_by_id(&self, id: u16) -> Option<&RecordSchema> {
        self.meta.schema.iter().find(|record| record.id == id)
    }

    /// Bytes of the file when it was opened.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Where the chunks begin.
    pub fn header_len(&self) -> u64 {
        self.start
    }

    /// The file that it was read from; `-` for a stream.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A number that no trace has had before.
fn serial() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn damage(footer: &Footer, what: &str) -> Damage {
    let len = footer.len + index::FOOTER as u64;
    Damage { offset: footer.offset, len, what: what.to_owned(), trailer: true }
}

fn read_header(file: &File, path: &Path, size: u64) -> Result<(Meta, u64)> {
    let damaged = |offset, what: String| Error::Header { path: path.to_owned(), offset, what };
    let mut bytes = vec![0; size.min(header::FIXED as u64) as usize];
    let read = |bytes: &mut [u8], offset| {
        file.read_exact_at(bytes, offset).map_err(|source| Error::Read {
            path: path.to_owned(),
            offset,
            source,
        })
    };
    read(&mut bytes, 0)?;
    let fixed = header::fixed(&bytes).map_err(|refusal| match refusal {
        Refusal::Magic => Error::NotATrace { path: path.to_owned() },
        Refusal::TooNew(major, minor) => Error::TooNew { path: path.to_owned(), major, minor },
        Refusal::Damaged(what) => damaged(0, what),
    })?;
    let at = header::FIXED as u64;
    if fixed.len as u64 > size - at {
        return Err(damaged(at, "metadata is cut off".to_owned()));
    }
    bytes.resize(fixed.len, 0);
    read(&mut bytes, at)?;
    let meta = header::meta(&fixed, &bytes).map_err(|what| damaged(at, what))?;
    Ok((meta, at + fixed.len as u64))
}

fn read_footer(file: &File, size: u64) -> io::Result<Option<Footer>> {
    let Some(offset) = size.checked_sub(index::FOOTER as u64) else { return Ok(None) };
    let mut bytes = [0; index::FOOTER];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(index::footer(&bytes, size))
}

/// The index, or why it is not to be trusted. Its length was checked against the file's.
fn read_index(
    file: &File,
    footer: &Footer,
) -> io::Result<std::result::Result<Vec<ChunkInfo>, String>> {
    if footer.len > MAX_INDEX as u64 {
        return Ok(Err(format!("index of {} bytes is too long", footer.len)));
    }
    let mut bytes = vec![0; footer.len as usize];
    file.read_exact_at(&mut bytes, footer.offset)?;
    Ok(index::decode(footer, &bytes, &mut Unpacker::new()))
}
