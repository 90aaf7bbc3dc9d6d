//! The blocks of a chunk: read, checked and decompressed.

use crate::chunk::{ChunkInfo, Entry, ZSTD};
use crate::codec::Block;
use crate::error::Bad;
use crate::frame::Unpacker;
use crate::reader::Trace;

/// Where the bytes of a block lie while it is decoded.
pub(crate) struct Buffers {
    pub(crate) unpacker: Unpacker,
    pub(crate) block: Vec<u8>,
    pub(crate) soft: Vec<u8>,
}

/// The chunk that is being read.
pub(crate) struct Reading<'a> {
    pub(crate) trace: &'a Trace,
    pub(crate) info: &'a ChunkInfo,
    pub(crate) head_len: usize,
}

impl Reading<'_> {
    pub(crate) fn rows(&self) -> usize {
        self.info.rows as usize
    }
}

impl Buffers {
    /// The block of a column, checked and decompressed.
    pub(crate) fn load<'a>(
        &'a mut self,
        reading: &Reading<'a>,
        entries: &[Entry],
        place: usize,
        most: usize,
    ) -> std::result::Result<Block<'a>, Bad> {
        let entry = &entries[place];
        let before: usize = entries[..place].iter().map(Entry::stored).sum();
        let offset = reading.info.offset + (reading.head_len + before) as u64;
        let bytes = reading
            .trace
            .source
            .bytes(offset, entry.stored(), &mut self.block)
            .map_err(|error| Bad(format!("block cannot be read: {error}")))?;
        if crc32c::crc32c(bytes) != entry.crc {
            return Err("checksum is wrong".into());
        }
        let (soft, hard) = bytes.split_at(entry.soft_stored as usize);
        let len = entry.soft as usize;
        if len > most {
            return Err(Bad(format!("claims {len} bytes, more than {most}")));
        }
        match entry.flags {
            0 if len == soft.len() => Ok(Block { soft, hard }),
            ZSTD => {
                self.unpacker.unpack(soft, len, &mut self.soft)?;
                Ok(Block { soft: &self.soft, hard })
            }
            _ => Err("flags and lengths do not fit".into()),
        }
    }
}
