//! Makes a changed trace right again where a checksum or a length would end the reading: FORMAT.md in
//! code, written a second time on purpose. The fuzz targets take this file, too.

/// First bytes of a chunk, and of the index.
const MARKS: [[u8; 8]; 2] = [*b"\xf7ktCHNK\x1a", *b"\xf7ktINDX\x1a"];
/// Bytes of a header before its metadata, of a head before its lists, of a directory entry, of the
/// footer.
const HEADER: usize = 24;
const HEAD: usize = 40;
const ENTRY: usize = 22;
const FOOTER: usize = 40;

/// Makes all checksums right, and the lengths of chunks the sums of their parts. What begins with no
/// mark is left as it is.
pub(crate) fn repair(bytes: &mut [u8]) {
    let start = header(bytes).unwrap_or(0);
    let mut at = start;
    while let Some(begin) = mark(bytes, at) {
        let end = mark(bytes, begin + 8).unwrap_or(bytes.len());
        if bytes[begin..].starts_with(&MARKS[0]) {
            chunk(&mut bytes[begin..end]);
        } else {
            trailer(bytes, start, begin);
        }
        at = begin + 8;
    }
}

/// The length of a header whose metadata is there; its checksums are made right.
pub(crate) fn header(bytes: &mut [u8]) -> Option<usize> {
    let end = HEADER.checked_add(number(bytes, 12)?)?;
    let crc = crc32c::crc32c(bytes.get(HEADER..end)?);
    put(bytes, 16, crc);
    put(bytes, 20, crc32c::crc32c(&bytes[..20]));
    Some(end)
}

/// The next mark from a place on.
fn mark(bytes: &[u8], from: usize) -> Option<usize> {
    let mut windows = bytes.get(from..)?.windows(8);
    windows.position(|window| MARKS.iter().any(|mark| window == mark)).map(|at| from + at)
}

/// Repairs the chunk that these bytes begin with.
fn chunk(bytes: &mut [u8]) -> Option<()> {
    let (directory, columns) = directory(bytes)?;
    let head = directory + ENTRY * columns;
    let mut block = head + 4;
    bytes.get(..block)?;
    for entry in (directory..head).step_by(ENTRY) {
        let stored = number(bytes, entry + 6)?.saturating_add(number(bytes, entry + 14)?);
        let Some(body) = bytes.get(block..block.saturating_add(stored)) else { break };
        let crc = crc32c::crc32c(body);
        put(bytes, entry + 18, crc);
        block += stored;
    }
    put(bytes, 8, block as u32);
    let crc = crc32c::crc32c(&bytes[..head]);
    put(bytes, head, crc);
    Some(())
}

/// Where the directory of a chunk begins, and how many columns are in it.
fn directory(bytes: &[u8]) -> Option<(usize, usize)> {
    let fixed = bytes.get(..HEAD)?;
    let columns = usize::from(u16::from_le_bytes([fixed[20], fixed[21]]));
    let tgids = if fixed[22] > 8 { 0 } else { usize::from(fixed[22]) };
    Some((HEAD + 4 * tgids, columns))
}

/// Makes the footer say where the index lies, if there is room for one.
fn trailer(bytes: &mut [u8], start: usize, index: usize) {
    let Some(footer) = bytes.len().checked_sub(FOOTER).filter(|footer| *footer >= index + 8) else {
        return;
    };
    let crc = crc32c::crc32c(&bytes[index..footer]);
    for (at, value) in [(0, index), (8, footer - index), (16, start)] {
        bytes[footer + at..footer + at + 8].copy_from_slice(&(value as u64).to_le_bytes());
    }
    put(bytes, footer + 24, crc);
    let crc = crc32c::crc32c(&bytes[footer..footer + 28]);
    put(bytes, footer + 28, crc);
    bytes[footer + 32..].copy_from_slice(b"\xf7ktEND.\x1a");
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?) as usize)
}

fn put(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}
