//! zstd, bounded. The only file that names it.

use zstd::zstd_safe::{CParameter, Strategy};

use crate::error::Bad;

/// What is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Texts, and lists like the index: repetitions of any length.
    Text,
    /// Codes and tokens of rows.
    Codes,
}

/// A reusable zstd compressor.
pub(crate) struct Packer {
    text: zstd::bulk::Compressor<'static>,
    codes: zstd::bulk::Compressor<'static>,
}

/// From this level on, size goes before the time that decompression takes.
pub(crate) const THOROUGH: i32 = 4;

impl Packer {
    /// A compressor of this level.
    ///
    /// In codes, short repetitions are chance: coding them as such takes more bits than their bytes do,
    /// and twice the time to decompress. So only those of 7 bytes and more count, and few are looked for.
    pub(crate) fn new(level: i32) -> std::io::Result<Packer> {
        let mut codes = zstd::bulk::Compressor::new(level)?;
        if level < THOROUGH {
            for parameter in [
                CParameter::Strategy(Strategy::ZSTD_fast),
                CParameter::MinMatch(7),
                CParameter::HashLog(6),
            ] {
                codes.set_parameter(parameter)?;
            }
        }
        Ok(Packer { text: zstd::bulk::Compressor::new(level)?, codes })
    }

    /// Appends `bytes` compressed to `out` and returns how long they became; `None`, with `out`
    /// as it was, when that is not shorter than `limit`.
    pub(crate) fn pack(
        &mut self,
        bytes: &[u8],
        content: Content,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Option<usize> {
        let context = match content {
            Content::Text => &mut self.text,
            Content::Codes => &mut self.codes,
        };
        let start = out.len();
        out.resize(start + limit, 0);
        // A result that does not fit into `limit` bytes is an error, and no gain.
        let len = context.compress_to_buffer(bytes, &mut out[start..]).unwrap_or(limit);
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

    /// Fills the first `len` bytes of `out`, exactly. The caller has bounded `len`.
    pub(crate) fn unpack(
        &mut self,
        bytes: &[u8],
        len: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Bad> {
        // Longer ones are kept: clearing what is overwritten takes time.
        if out.len() < len {
            out.resize(len, 0);
        }
        let got = self
            .context
            .decompress_to_buffer(bytes, &mut out[..len])
            .map_err(|error| Bad(format!("zstd: {error}")))?;
        if got == len {
            Ok(())
        } else {
            Err(Bad(format!("zstd gave {got} bytes instead of {len}")))
        }
    }
}
