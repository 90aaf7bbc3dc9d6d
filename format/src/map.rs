//! Memory maps. The only file that names memmap2.

use std::fs::File;

/// A mapped file; dereferences to its bytes.
pub(crate) type Map = memmap2::Mmap;

/// Maps a finished trace for reading.
#[expect(
    unsafe_code,
    reason = "a file map is unsafe by nature: another process may shrink the file"
)]
pub(crate) fn map(file: &File) -> std::io::Result<Map> {
    // SAFETY: the map is read only and private to this process. A file that shrinks while mapped
    // raises SIGBUS, and one that changes breaks the immutability of `&[u8]`. The recorder does
    // both only before it writes the trailer; the caller maps files with a complete and correct
    // trailer, all others go through read(2). Finished traces are replaced by rename, never rewritten.
    unsafe { memmap2::Mmap::map(file) }
}
