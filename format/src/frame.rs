//! zstd, bounded. The only file that names it.

use crate::error::Bad;

/// A reusable zstd compressor.
pub(crate) struct Packer {
    context: zstd::bulk::Compressor<'static>,
}

impl Packer {
    /// A compressor of this level.
    pub(crate) fn new(level: i32) -> std::io::Result<Packer> {
        Ok(Packer { context: zstd::bulk::Compressor::new(level)? })
    }

    /// Appends `bytes` compressed to `out` and returns how long they became; `None`, with `out`
    /// as it was, when that is not shorter than `limit`.
    pub(crate) fn pack(&mut self, bytes: &[u8], limit: usize, out: &mut Vec<u8>) -> Option<usize> {
        let start = out.len();
        out.resize(start + limit, 0);
        // A result that does not fit into `limit` bytes is an error, and no gain.
        let len = self.context.compress_to_buffer(bytes, &mut out[start..]).unwrap_or(limit);
        let gained = len < limit;
        out.truncate(if gained { start + len } else { start });
        gained.then_some(len)
    }
}

/// A reusable zstd decompressor.
pub(crate) struct Unpacker {
    context: zstd::bulk::Decompressor<'static>,
}

impl Unpacker {
    /// A decompressor.
    pub(crate) fn new() -> Unpacker {
        Unpacker { context: zstd::bulk::Decompressor::default() }
    }

    /// Fills `out` with exactly `len` bytes. The caller has bounded `len`.
    pub(crate) fn unpack(
        &mut self,
        bytes: &[u8],
        len: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Bad> {
        out.resize(len, 0);
        let got = self
            .context
            .decompress_to_buffer(bytes, &mut out[..])
            .map_err(|error| Bad(format!("zstd: {error}")))?;
        if got == len {
            Ok(())
        } else {
            Err(Bad(format!("zstd gave {got} bytes instead of {len}")))
        }
    }
}
