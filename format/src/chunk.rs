//! The head and the column directory of a chunk.

use crate::bytes::Cursor;
use crate::codec::Codec;
use crate::error::Bad;
use crate::limits::{MAX_CHUNK, MAX_COLUMNS, MAX_ROWS, MAX_TGIDS, SYNC};

/// Bytes of the fixed part of a head.
pub(crate) const FIXED: usize = 40;
/// Bytes of one directory entry.
pub(crate) const ENTRY: usize = 22;
/// In the count of process ids: more than fit.
const MANY: u8 = 255;
/// In the count of process ids: the record has none.
const NONE: u8 = 254;
/// Fewest bytes of a chunk.
pub(crate) const MIN: usize = FIXED + ENTRY + 4;

/// Which processes have rows in a chunk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Tgids {
    /// The record has no process.
    #[default]
    None,
    /// These and no others, ascending; at most 8.
    Few(Vec<u32>),
    /// More than 8.
    Many,
}

impl Tgids {
    /// Whether rows of this process may be in the chunk.
    pub fn may_have(&self, tgid: u32) -> bool {
        match self {
            Tgids::None | Tgids::Many => true,
            Tgids::Few(list) => list.contains(&tgid),
        }
    }

    pub(crate) fn code(&self) -> u8 {
        match self {
            Tgids::None => NONE,
            Tgids::Many => MANY,
            Tgids::Few(list) => list.len() as u8,
        }
    }

    pub(crate) fn list(&self) -> &[u32] {
        match self {
            Tgids::Few(list) => list,
            _ => &[],
        }
    }

    pub(crate) fn read(code: u8, cursor: &mut Cursor<'_>) -> Option<Tgids> {
        Some(match code {
            NONE => Tgids::None,
            MANY => Tgids::Many,
            count if usize::from(count) <= MAX_TGIDS => {
                Tgids::Few((0..count).map(|_| cursor.u32()).collect::<Option<_>>()?)
            }
            _ => return None,
        })
    }
}

/// What a trace knows of a chunk without decoding it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChunkInfo {
    /// Where it begins in the file.
    pub offset: u64,
    /// Its length in bytes, head included.
    pub len: u32,
    /// The record that its rows are of.
    pub record: u16,
    /// The ring (CPU) that they came from.
    pub ring: u16,
    /// How many there are.
    pub rows: u32,
    /// The earliest time among them; 0 when the record has no time.
    pub first: u64,
    /// The latest time among them; 0 when the record has no time.
    pub last: u64,
    /// Their processes.
    pub tgids: Tgids,
}

/// One column in the directory of a chunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Position of the field in the record's schema.
    pub(crate) field: u16,
    /// How it is encoded.
    pub(crate) codec: u8,
    /// Bit 0: the soft part is compressed with zstd.
    pub(crate) flags: u8,
    /// Directory position of the columns that it is decoded with; [`NO_DEP`] for none.
    pub(crate) deps: [u8; 2],
    /// Bytes of the soft part in the file.
    pub(crate) soft_stored: u32,
    /// Bytes of the soft part after decompression.
    pub(crate) soft: u32,
    /// Bytes of the hard part, which is never compressed and follows the soft one.
    pub(crate) hard: u32,
    /// CRC-32C of both parts as they lie in the file.
    pub(crate) crc: u32,
}

impl Entry {
    /// Its codec, or what to do about an unknown one.
    pub(crate) fn codec(&self) -> Result<Codec, Bad> {
        let unknown = || Bad(format!("codec {} is unknown: use a newer ktape", self.codec));
        Codec::from_id(self.codec).ok_or_else(unknown)
    }

    /// Bytes in the file.
    pub(crate) fn stored(&self) -> usize {
        self.soft_stored as usize + self.hard as usize
    }
}

/// In [`Entry::deps`]: no column.
pub(crate) const NO_DEP: u8 = 255;
/// Flag of [`Entry`]: the soft part is compressed.
pub(crate) const ZSTD: u8 = 1;

/// Appends a head with its directory.
pub(crate) fn encode(info: &ChunkInfo, entries: &[Entry], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&SYNC);
    out.extend_from_slice(&info.len.to_le_bytes());
    out.extend_from_slice(&info.rows.to_le_bytes());
    out.extend_from_slice(&info.record.to_le_bytes());
    out.extend_from_slice(&info.ring.to_le_bytes());
    out.extend_from_slice(&(entries.len() as u16).to_le_bytes());
    out.push(info.tgids.code());
    out.push(0);
    out.extend_from_slice(&info.first.to_le_bytes());
    out.extend_from_slice(&info.last.to_le_bytes());
    for tgid in info.tgids.list() {
        out.extend_from_slice(&tgid.to_le_bytes());
    }
    for entry in entries {
        out.extend_from_slice(&entry.field.to_le_bytes());
        out.push(entry.codec);
        out.push(entry.flags);
        out.extend_from_slice(&entry.deps);
        out.extend_from_slice(&entry.soft_stored.to_le_bytes());
        out.extend_from_slice(&entry.soft.to_le_bytes());
        out.extend_from_slice(&entry.hard.to_le_bytes());
        out.extend_from_slice(&entry.crc.to_le_bytes());
    }
    let crc = crc32c::crc32c(&out[start..]);
    out.extend_from_slice(&crc.to_le_bytes());
}

/// Bytes of the head that begins with `fixed`, directory and checksum included; an error when it
/// cannot be one.
pub(crate) fn head_len(fixed: &[u8]) -> Result<usize, &'static str> {
    let bytes: &[u8; FIXED] = fixed.first_chunk().ok_or("head is cut off")?;
    if bytes[..8] != SYNC {
        return Err("no sync mark");
    }
    let columns = usize::from(u16::from_le_bytes([bytes[20], bytes[21]]));
    let tgids = match bytes[22] {
        NONE | MANY => 0,
        count if usize::from(count) <= MAX_TGIDS => usize::from(count),
        _ => return Err("head has an impossible number of processes"),
    };
    if columns == 0 || columns > MAX_COLUMNS {
        return Err("head has an impossible number of columns");
    }
    Ok(FIXED + tgids * 4 + columns * ENTRY + 4)
}

/// Reads a head of exactly [`head_len`] bytes that lies at `offset`.
pub(crate) fn decode(
    bytes: &[u8],
    offset: u64,
    entries: &mut Vec<Entry>,
) -> Result<ChunkInfo, &'static str> {
    const CUT: &str = "head is cut off";
    if head_len(bytes)? != bytes.len() {
        return Err(CUT);
    }
    let (body, crc) = bytes.split_last_chunk::<4>().ok_or(CUT)?;
    if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
        return Err("checksum of the head is wrong");
    }
    let mut cursor = Cursor(&body[8..]);
    let info = read_info(&mut cursor, offset, entries).ok_or(CUT)?;
    if info.rows == 0 || info.rows as usize > MAX_ROWS {
        return Err("head has an impossible number of rows");
    }
    let blocks: u64 = entries.iter().map(|entry| entry.stored() as u64).sum();
    if info.len as usize > MAX_CHUNK || u64::from(info.len) != bytes.len() as u64 + blocks {
        return Err("length of the chunk is not the sum of its parts");
    }
    Ok(info)
}

fn read_info(cursor: &mut Cursor<'_>, offset: u64, entries: &mut Vec<Entry>) -> Option<ChunkInfo> {
    let len = cursor.u32()?;
    let rows = cursor.u32()?;
    let record = cursor.u16()?;
    let ring = cursor.u16()?;
    let columns = cursor.u16()?;
    let code = cursor.u8()?;
    cursor.u8()?;
    let first = cursor.u64()?;
    let last = cursor.u64()?;
    let tgids = Tgids::read(code, cursor)?;
    entries.clear();
    for _ in 0..columns {
        let field = cursor.u16()?;
        let codec = cursor.u8()?;
        let flags = cursor.u8()?;
        let deps = cursor.array()?;
        let soft_stored = cursor.u32()?;
        let soft = cursor.u32()?;
        let hard = cursor.u32()?;
        let crc = cursor.u32()?;
        entries.push(Entry { field, codec, flags, deps, soft_stored, soft, hard, crc });
    }
    Some(ChunkInfo { offset, len, record, ring, rows, first, last, tgids })
}
