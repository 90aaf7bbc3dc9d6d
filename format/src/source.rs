//! Where the bytes of a trace come from: positioned reads.
//!
//! Not a map: the memory of a reader then does not depend on the size of the file, a file that somebody
//! truncates meanwhile gives an error and not a signal, and small chunks, of which a window of a large
//! trace has to look at hundreds, cost one call each instead of a page fault.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The bytes of a trace.
pub(crate) struct Source(pub(crate) File);

impl Source {
    /// Reads `len` bytes at `offset` into the front of `buffer`, which never gets shorter: clearing what
    /// is overwritten takes time. The caller has bounded `len`.
    pub(crate) fn bytes<'a>(
        &self,
        offset: u64,
        len: usize,
        buffer: &'a mut Vec<u8>,
    ) -> io::Result<&'a [u8]> {
        if buffer.len() < len {
            buffer.resize(len, 0);
        }
        let bytes = &mut buffer[..len];
        self.0.read_exact_at(bytes, offset)?;
        Ok(bytes)
    }
}
