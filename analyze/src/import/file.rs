//! `PerfFile`: the file, of which no more is read than it has.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A file to be imported.
pub(super) struct PerfFile {
    path: PathBuf,
    file: File,
    len: u64,
}

/// A part of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) offset: u64,
    pub(super) size: u64,
}

impl PerfFile {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let read = |source| Error::Read { path: path.to_owned(), source };
        let meta = std::fs::metadata(path).map_err(read)?;
        let fail = |what: &str| Error::Import { path: path.to_owned(), what: what.to_owned() };
        if meta.is_dir() {
            return Err(fail(
                "it is a folder, as perf record --threads writes: record without --threads",
            ));
        }
        if !meta.is_file() {
            return Err(fail("it is no regular file: save it to a file first"));
        }
        let file = File::open(path).map_err(read)?;
        Ok(Self { path: path.to_owned(), file, len: meta.len() })
    }

    /// Bytes that it has.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The error that says what is wrong with it.
    pub(super) fn fail(&self, what: impl Into<String>) -> Error {
        Error::Import { path: self.path.clone(), what: what.into() }
    }

    /// The bytes of a section named `what`, which has at most `most`.
    pub(super) fn section(&self, what: &str, section: Section, most: u64) -> Result<Vec<u8>> {
        let end = section.offset.checked_add(section.size);
        if end.is_none_or(|end| end > self.len) {
            return Err(self.fail(format!("damaged: its {what} ends beyond the end of the file")));
        }
        if section.size > most {
            let size = section.size;
            return Err(self.fail(format!("damaged: its {what} has {size} bytes, at most {most}")));
        }
        let mut bytes = Vec::with_capacity(section.size as usize);
        self.reader(section)?.read_to_end(&mut bytes).map_err(|source| self.unread(source))?;
        Ok(bytes)
    }

    /// Reads a section from its beginning, as far as the file goes.
    pub(super) fn reader(&self, section: Section) -> Result<impl Read + use<'_>> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(section.offset)).map_err(|source| self.unread(source))?;
        Ok(BufReader::with_capacity(1 << 16, file).take(section.size))
    }

    pub(super) fn unread(&self, source: std::io::Error) -> Error {
        Error::Read { path: self.path.clone(), source }
    }
}
