//! The header of a trace: magic, version, metadata.

use crate::bytes::Cursor;
use crate::limits::{MAGIC, MAJOR, MAX_META, MINOR};
use crate::meta::{self, Meta};

/// Bytes before the metadata.
pub(crate) const FIXED: usize = 24;

/// What the fixed part of a header says.
pub(crate) struct Fixed {
    /// Bytes of metadata.
    pub(crate) len: usize,
    crc: u32,
}

/// Why a header cannot be read.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Something else than a trace.
    Magic,
    /// A later major version.
    TooNew(u16, u16),
    /// Damage.
    Damaged(String),
}

/// The header with this metadata.
pub(crate) fn encode(meta: &Meta) -> Result<Vec<u8>, String> {
    let body = meta::encode(meta)?;
    let mut out = Vec::with_capacity(FIXED + body.len());
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&MAJOR.to_le_bytes());
    out.extend_from_slice(&MINOR.to_le_bytes());
    out.extend_from_slice(&(body.len() as u32).to_le_bytes());
    out.extend_from_slice(&crc32c::crc32c(&body).to_le_bytes());
    out.extend_from_slice(&crc32c::crc32c(&out).to_le_bytes());
    out.extend_from_slice(&body);
    Ok(out)
}

/// Reads the fixed part. The version is judged before the CRC, since a later one may have moved it.
pub(crate) fn fixed(bytes: &[u8]) -> Result<Fixed, Refusal> {
    let mut cursor = Cursor(bytes);
    let magic: [u8; 8] = cursor.array().ok_or(Refusal::Magic)?;
    if magic != MAGIC {
        return Err(Refusal::Magic);
    }
    let short = || Refusal::Damaged("cut off".to_owned());
    let major = cursor.u16().ok_or_else(short)?;
    let minor = cursor.u16().ok_or_else(short)?;
    let len = cursor.u32().ok_or_else(short)? as usize;
    let crc = cursor.u32().ok_or_else(short)?;
    let own = cursor.u32().ok_or_else(short)?;
    let whole = crc32c::crc32c(&bytes[..FIXED - 4]) == own;
    if major > MAJOR && whole {
        return Err(Refusal::TooNew(major, minor));
    }
    if !whole {
        return Err(Refusal::Damaged("checksum is wrong".to_owned()));
    }
    if len > MAX_META {
        return Err(Refusal::Damaged(format!("{len} bytes of metadata are more than {MAX_META}")));
    }
    Ok(Fixed { len, crc })
}

/// Reads the metadata, `fixed.len` bytes.
pub(crate) fn meta(fixed: &Fixed, bytes: &[u8]) -> Result<Meta, String> {
    if crc32c::crc32c(bytes) != fixed.crc {
        return Err("checksum of the metadata is wrong".to_owned());
    }
    meta::decode(bytes)
}
