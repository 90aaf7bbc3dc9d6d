//! Where the bytes of a trace come from: a map, or positioned reads.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::map::Map;

/// The bytes of a trace.
pub(crate) enum Source {
    /// A finished file.
    Map(Map),
    /// A file that is still being written, or damaged.
    File(File),
}

impl Source {
    /// `len` bytes at `offset`, in place when mapped, else read into `buffer`.
    /// The caller has bounded `len`.
    pub(crate) fn bytes<'a>(
        &'a self,
        offset: u64,
        len: usize,
        buffer: &'a mut Vec<u8>,
    ) -> io::Result<&'a [u8]> {
        match self {
            Source::Map(map) => usize::try_from(offset)
                .ok()
                .and_then(|start| map.get(start..start.checked_add(len)?))
                .ok_or_else(|| io::ErrorKind::UnexpectedEof.into()),
            Source::File(file) => {
                buffer.resize(len, 0);
                file.read_exact_at(buffer, offset)?;
                Ok(buffer)
            }
        }
    }
}
