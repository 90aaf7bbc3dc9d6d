//! Where the bytes of an ELF file come from.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::symbols::{Error, Result};

/// Longest name that is read from a string table, in bytes.
pub(super) const MAX_RAW_NAME: usize = 8192;

/// Bytes that can be read piece by piece at any offset.
pub(crate) trait Source {
    /// How many there are.
    fn size(&self) -> u64;

    /// Fills `buffer` from `offset` on; an error when the source ends before.
    fn fill(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

/// An open file. Its size is taken once: reads beyond it fail even if the file grows.
#[derive(Debug)]
pub(crate) struct FileSource {
    file: File,
    size: u64,
}

impl FileSource {
    /// Takes the file's size.
    pub(crate) fn new(file: File) -> io::Result<FileSource> {
        let size = file.metadata()?.len();
        Ok(FileSource { file, size })
    }

    /// The file itself.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }
}

impl Source for FileSource {
    fn size(&self) -> u64 {
        self.size
    }

    fn fill(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }
}

impl Source for [u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn fill(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let bytes = usize::try_from(offset)
            .ok()
            .and_then(|at| self.get(at..at.checked_add(buffer.len())?))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }
}

impl Source for Vec<u8> {
    fn size(&self) -> u64 {
        self.as_slice().size()
    }

    fn fill(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.as_slice().fill(offset, buffer)
    }
}

impl<S: Source + ?Sized> Source for &S {
    fn size(&self) -> u64 {
        (**self).size()
    }

    fn fill(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        (**self).fill(offset, buffer)
    }
}

/// Fills a buffer or says where that failed.
pub(super) fn fill<S: Source + ?Sized>(source: &S, offset: u64, buffer: &mut [u8]) -> Result<()> {
    let len = buffer.len();
    source.fill(offset, buffer).map_err(|source| Error::Read { offset, len, source })
}

/// Reads up to `len` bytes: fewer where the source ends, never more than `limit`.
pub(super) fn bytes<S: Source + ?Sized>(
    source: &S,
    offset: u64,
    len: u64,
    limit: usize,
) -> Result<Vec<u8>> {
    let there = source.size().saturating_sub(offset);
    let len = usize::try_from(len.min(there)).unwrap_or(limit).min(limit);
    let mut buffer = vec![0; len];
    fill(source, offset, &mut buffer)?;
    Ok(buffer)
}

/// Reads the NUL-terminated text at `offset`, which must end before `end`.
///
/// `None` when it is empty, has no end, or cannot be read. One longer than 8 KiB is cut.
pub(super) fn name<S: Source + ?Sized>(source: &S, offset: u64, end: u64) -> Option<Vec<u8>> {
    let end = end.min(source.size());
    // Most names are short; the second try is for those of C++ and Rust.
    for limit in [128, MAX_RAW_NAME] {
        let mut text = bytes(source, offset, end.checked_sub(offset)?, limit).ok()?;
        if let Some(len) = text.iter().position(|&b| b == 0) {
            text.truncate(len);
            return (len > 0).then_some(text);
        }
        if text.len() < limit {
            return None;
        }
        if limit == MAX_RAW_NAME {
            return Some(text);
        }
    }
    None
}

/// The little-endian numbers in a piece of a file; 0 beyond its end.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl Fields<'_> {
    pub(super) fn u16(self, at: usize) -> u16 {
        u16::from_le_bytes(self.array(at))
    }

    pub(super) fn u32(self, at: usize) -> u32 {
        u32::from_le_bytes(self.array(at))
    }

    pub(super) fn u64(self, at: usize) -> u64 {
        u64::from_le_bytes(self.array(at))
    }

    /// A number as wide as an address.
    pub(super) fn word(self, at: usize, wide: bool) -> u64 {
        if wide { self.u64(at) } else { u64::from(self.u32(at)) }
    }

    fn array<const N: usize>(self, at: usize) -> [u8; N] {
        at.checked_add(N).and_then(|end| self.0.get(at..end)?.try_into().ok()).unwrap_or([0; N])
    }
}
