//! The blocks of a chunk: read, checked and decompressed.

use crate::chunk::{self, ChunkInfo, Entry, ZSTD};
use crate::codec::Block;
use crate::error::Bad;
use crate::frame::Unpacker;
use crate::reader::Trace;

/// Chunks of up to so many bytes are read at once: further calls would take longer than the bytes.
const SMALL: usize = 16 << 10;
/// Of others this much is read first, which contains the head of most ..
const FIRST: usize = 1 << 10;
/// .. and up to so much where blocks right behind the head were asked for in the chunk before.
const AHEAD: usize = 64 << 10;

/// Where the bytes of a chunk lie while it is decoded.
pub(crate) struct Buffers {
    unpacker: Unpacker,
    /// The beginning of the chunk, or all of it: so many bytes.
    chunk: Vec<u8>,
    chunk_len: usize,
    /// Where the blocks end that were asked for one after the other from the head on.
    asked: usize,
    block: Vec<u8>,
    soft: Vec<u8>,
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
    pub(crate) fn new() -> Buffers {
        Buffers {
            unpacker: Unpacker::new(),
            chunk: Vec::new(),
            chunk_len: 0,
            asked: 0,
            block: Vec::new(),
            soft: Vec::new(),
        }
    }

    /// The head of a chunk, directory included, unchecked.
    pub(crate) fn head(&mut self, trace: &Trace, info: &ChunkInfo) -> Result<&[u8], Bad> {
        let read = |error: std::io::Error| Bad(format!("head cannot be read: {error}"));
        let whole = info.len as usize;
        // Chunks of one kind are about as large as each other.
        let ahead = self.asked + self.asked / 8;
        let first = if whole <= SMALL { whole } else { ahead.clamp(FIRST, AHEAD).min(whole) };
        trace.source.bytes(info.offset, first, &mut self.chunk).map_err(read)?;
        self.chunk_len = first;
        let len = chunk::head_len(&self.chunk[..first])?;
        if len > first {
            trace.source.bytes(info.offset, len, &mut self.chunk).map_err(read)?;
            self.chunk_len = len;
        }
        self.asked = len;
        Ok(&self.chunk[..len])
    }

    /// The block of a column, checked and decompressed.
    pub(crate) fn load<'a>(
        &'a mut self,
        reading: &Reading<'_>,
        entries: &[Entry],
        place: usize,
        most: usize,
    ) -> Result<Block<'a>, Bad> {
        let entry = &entries[place];
        let before: usize = entries[..place].iter().map(Entry::stored).sum();
        let at = reading.head_len + before;
        if at == self.asked {
            self.asked += entry.stored();
        }
        let bytes = match self.chunk[..self.chunk_len].get(at..at + entry.stored()) {
            Some(bytes) => bytes,
            None => reading
                .trace
                .source
                .bytes(reading.info.offset + at as u64, entry.stored(), &mut self.block)
                .map_err(|error| Bad(format!("block cannot be read: {error}")))?,
        };
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
                Ok(Block { soft: &self.soft[..len], hard })
            }
            _ => Err("flags and lengths do not fit".into()),
        }
    }
}
