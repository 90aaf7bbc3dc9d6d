//! The trailer: an index of all chunks, and a footer that finds it from the end of the file.

use crate::bytes::{Cursor, put_varint};
use crate::chunk::{self, ChunkInfo, Tgids};
use crate::codec::{unzigzag, zigzag};
use crate::frame::{Content, Packer, Unpacker};
use crate::limits::{END, INDEX, MAX_CHUNK, MAX_CHUNKS, MAX_INDEX_ENTRY};

/// Bytes of the footer.
pub(crate) const FOOTER: usize = 40;
/// Bytes before the entries of the index.
const FIXED: usize = 24;

/// Where the index lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Footer {
    /// Its offset: where the last chunk ends.
    pub(crate) offset: u64,
    /// Its length, without the footer.
    pub(crate) len: u64,
    /// Offset of the first chunk.
    pub(crate) chunks: u64,
    crc: u32,
}

/// The trailer for these chunks, which lie back to back up to `offset`.
pub(crate) fn encode(
    chunks: &[ChunkInfo],
    start: u64,
    offset: u64,
    packer: &mut Packer,
) -> Vec<u8> {
    let mut soft = Vec::with_capacity(chunks.len() * 24);
    let mut before = 0u64;
    for chunk in chunks {
        put_varint(&mut soft, chunk.len.into());
        put_varint(&mut soft, chunk.record.into());
        put_varint(&mut soft, chunk.ring.into());
        put_varint(&mut soft, chunk.rows.into());
        put_varint(&mut soft, zigzag(chunk.first.wrapping_sub(before) as i64));
        put_varint(&mut soft, chunk.last.wrapping_sub(chunk.first));
        before = chunk.first;
        soft.push(chunk.tgids.code());
        for tgid in chunk.tgids.list() {
            soft.extend_from_slice(&tgid.to_le_bytes());
        }
    }
    let mut out = Vec::with_capacity(soft.len() + FIXED + FOOTER);
    out.extend_from_slice(&INDEX);
    out.extend_from_slice(&(chunks.len() as u32).to_le_bytes());
    let flags_at = out.len();
    out.extend_from_slice(&0u32.to_le_bytes());
    out.extend_from_slice(&(soft.len() as u64).to_le_bytes());
    if packer.pack(&soft, Content::Text, soft.len(), &mut out).is_some() {
        out[flags_at] = 1;
    } else {
        out.extend_from_slice(&soft);
    }
    let len = out.len() as u64;
    let crc = crc32c::crc32c(&out);
    let footer = out.len();
    out.extend_from_slice(&offset.to_le_bytes());
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&start.to_le_bytes());
    out.extend_from_slice(&crc.to_le_bytes());
    let crc = crc32c::crc32c(&out[footer..]);
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(&END);
    out
}

/// Reads the last [`FOOTER`] bytes of a file of `size` bytes; `None` when they are no footer.
pub(crate) fn footer(bytes: &[u8], size: u64) -> Option<Footer> {
    let (body, tail) = bytes.split_at_checked(FOOTER - 12)?;
    let mut tail = Cursor(tail);
    let crc = tail.u32()?;
    if tail.array::<8>()? != END || crc32c::crc32c(body) != crc {
        return None;
    }
    let mut cursor = Cursor(body);
    let footer = Footer {
        offset: cursor.u64()?,
        len: cursor.u64()?,
        chunks: cursor.u64()?,
        crc: cursor.u32()?,
    };
    let end = footer.offset.checked_add(footer.len)?.checked_add(FOOTER as u64)?;
    (end == size && footer.chunks <= footer.offset).then_some(footer)
}

/// Reads the index; an error says why it is not to be trusted.
pub(crate) fn decode(
    footer: &Footer,
    bytes: &[u8],
    unpacker: &mut Unpacker,
) -> Result<Vec<ChunkInfo>, String> {
    if crc32c::crc32c(bytes) != footer.crc {
        return Err("checksum of the index is wrong".to_owned());
    }
    let mut cursor = Cursor(bytes);
    let fixed = (|| Some((cursor.array::<8>()?, cursor.u32()?, cursor.u32()?, cursor.u64()?)))();
    let (mark, count, flags, len) = fixed.ok_or("index is cut off")?;
    let count = count as usize;
    if mark != INDEX || flags > 1 {
        return Err("index begins wrongly".to_owned());
    }
    let room = footer.offset / chunk::MIN as u64;
    if count > MAX_CHUNKS || count as u64 > room || len > (count * MAX_INDEX_ENTRY) as u64 {
        return Err(format!("index claims {count} chunks and {len} bytes"));
    }
    let mut soft = Vec::new();
    if flags == 1 {
        unpacker.unpack(cursor.0, len as usize, &mut soft).map_err(|bad| bad.0)?;
    } else {
        soft.extend_from_slice(cursor.0);
    }
    let mut cursor = Cursor(&soft);
    let mut chunks = Vec::with_capacity(count.min(soft.len() / 7));
    let mut offset = footer.chunks;
    let mut before = 0;
    for _ in 0..count {
        let chunk = entry(&mut cursor, offset, before).ok_or("index is cut off")?;
        before = chunk.first;
        offset += u64::from(chunk.len);
        chunks.push(chunk);
    }
    if offset != footer.offset || !cursor.0.is_empty() {
        return Err("index does not cover the file".to_owned());
    }
    Ok(chunks)
}

fn entry(cursor: &mut Cursor<'_>, offset: u64, before: u64) -> Option<ChunkInfo> {
    let len = u32::try_from(cursor.varint()?).ok()?;
    if len as usize > MAX_CHUNK {
        return None;
    }
    let record = u16::try_from(cursor.varint()?).ok()?;
    let ring = u16::try_from(cursor.varint()?).ok()?;
    let rows = u32::try_from(cursor.varint()?).ok()?;
    let first = before.wrapping_add(unzigzag(cursor.varint()?) as u64);
    let last = first.wrapping_add(cursor.varint()?);
    let code = cursor.u8()?;
    let tgids = Tgids::read(code, cursor)?;
    Some(ChunkInfo { offset, len, record, ring, rows, first, last, tgids })
}
