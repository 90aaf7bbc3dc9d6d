//! Dictionary: the distinct values, then one code per row.

use std::cmp::Reverse;

use super::bits::{BLOCK, PAD, pack, packed_len, unpack, width};
use super::estimate::sample;
use super::keys::Keys;
use super::{Block, Int, Parts, patched, recency, renew};
use crate::bytes::{Cursor, put_varint};
use crate::error::Bad;
use crate::limits::{MAX_KEYS, MAX_RANKED};

/// Codes as bytes (two planes when there are more than 256 values), for zstd.
const BYTES: u8 = 0;
/// Codes packed to the width of the largest, in the hard part.
const PACKED: u8 = 1;
/// Recency ranks of codes as bytes.
const RECENT: u8 = 2;
/// Codes by frequency in patched blocks.
const PATCHED: u8 = 3;
/// What no value has: it has a bit that no code has.
const NO_CODE: u16 = u16::MAX;
/// More codes than most dictionaries have.
const FEW: usize = 256;

/// Writes values with codes as bytes.
pub(crate) fn encode(keys: &Keys, out: &mut Parts) {
    put(BYTES, keys, &keys.codes, out);
}

/// Writes values with the recency ranks of the codes as bytes.
pub(crate) fn encode_recent(keys: &Keys, ranks: &[u16], out: &mut Parts) {
    put(RECENT, keys, ranks, out);
}

fn put(mode: u8, keys: &Keys, codes: &[u16], out: &mut Parts) {
    out.soft.push(mode);
    put_values(&keys.values, &mut out.soft);
    put_codes(codes, keys.values.len(), &mut out.soft);
}

/// Writes values with packed codes.
pub(crate) fn encode_packed(keys: &Keys, out: &mut Parts) {
    out.soft.push(PACKED);
    put_values(&keys.values, &mut out.soft);
    let width = width(keys.values.len() as u64 - 1);
    pack(keys.codes.iter().map(|&code| code.into()), width, &mut out.hard);
    out.hard.extend_from_slice(&[0; PAD]);
}

/// About how many bytes [`encode_packed`] makes.
pub(crate) fn packed_size(keys: &Keys) -> usize {
    packed_len(keys.codes.len(), width(keys.values.len() as u64 - 1)) + PAD + keys.values.len() * 3
}

/// Writes values with codes by frequency, the most frequent being 0, in patched blocks.
pub(crate) fn encode_patched(keys: &Keys, scratch: &mut Vec<u64>, out: &mut Parts) {
    let order = by_frequency(keys);
    out.soft.push(PATCHED);
    put_values(&keys.values, &mut out.soft);
    put_codes(&order, order.len(), &mut out.soft);
    scratch.clear();
    scratch.extend(ranked(keys, &order));
    patched::encode(scratch, out);
}

/// About how many bits the codes take in [`encode_patched`].
pub(crate) fn patched_bits(keys: &Keys) -> u64 {
    let codes: Vec<u64> = ranked(keys, &by_frequency(keys)).collect();
    let (mut bits, mut seen) = (0, 0);
    for range in sample(codes.len()) {
        seen += range.len() as u64;
        bits += patched::cost(&codes[range]);
    }
    bits * codes.len() as u64 / seen.max(1)
}

/// The codes, the most frequent first.
fn by_frequency(keys: &Keys) -> Vec<u16> {
    let mut counts = vec![0u32; keys.values.len()];
    keys.codes.iter().for_each(|&code| counts[usize::from(code)] += 1);
    let mut order: Vec<u16> = (0..keys.values.len() as u16).collect();
    order.sort_by_key(|&code| (Reverse(counts[usize::from(code)]), code));
    order
}

/// Per row the place of its code in the order.
fn ranked(keys: &Keys, order: &[u16]) -> impl Iterator<Item = u64> {
    let mut ranks = vec![0u64; order.len()];
    for (rank, &code) in (0u64..).zip(order) {
        ranks[usize::from(code)] = rank;
    }
    keys.codes.iter().map(move |&code| ranks[usize::from(code)])
}

/// Reads what [`encode_patched`] wrote after the values.
fn decode_patched(
    mut cursor: Cursor<'_>,
    block: Block<'_>,
    rows: usize,
    keys: &mut Keys,
) -> Result<(), Bad> {
    let count = keys.values.len();
    let planes = if count > 256 { 2 } else { 1 };
    let mut order = Vec::new();
    let bytes = cursor.take(count * planes).ok_or("order of codes is cut off")?;
    take_codes(bytes, count, count, &mut order)?;
    renew(&mut keys.codes, rows);
    // Most dictionaries are small, and so is the table that has to be filled for them.
    match count {
        ..FEW => codes_of_ranks::<FEW>(&order, cursor, block, rows, &mut keys.codes),
        _ => codes_of_ranks::<{ 2 * MAX_KEYS }>(&order, cursor, block, rows, &mut keys.codes),
    }
}

/// Appends the codes that have the ranks in patched blocks; `SIZE` is a power of two above the number
/// of codes.
fn codes_of_ranks<const SIZE: usize>(
    order: &[u16],
    cursor: Cursor<'_>,
    block: Block<'_>,
    rows: usize,
    out: &mut Vec<u16>,
) -> Result<(), Bad> {
    // As large as a rank that was looked at in the end, so that none need be checked on its way.
    let mut table = [NO_CODE; SIZE];
    table[..order.len()].copy_from_slice(order);
    let (mut all_ranks, mut all_codes) = (0, 0);
    patched::blocks(cursor, block, rows, |ranks| {
        let mut codes = [0u16; BLOCK];
        let (mut ranks_here, mut codes_here) = (0, 0);
        for (code, &rank) in codes.iter_mut().zip(ranks) {
            *code = table[rank as usize % SIZE];
            ranks_here |= rank;
            codes_here |= *code;
        }
        all_ranks |= ranks_here;
        all_codes |= codes_here;
        out.extend_from_slice(&codes[..ranks.len()]);
    })?;
    if all_ranks >= SIZE as u64 || all_codes >= MAX_KEYS as u16 {
        return Err("a code is not in the dictionary".into());
    }
    Ok(())
}

/// Appends distinct values, which ascend: how many, the first, and how many lie between neighbours.
pub(crate) fn put_values(values: &[u64], out: &mut Vec<u8>) {
    put_varint(out, values.len() as u64);
    let mut next = 0;
    for &value in values {
        put_varint(out, value - next);
        next = value.wrapping_add(1);
    }
}

/// Reads distinct values.
pub(crate) fn take_values(cursor: &mut Cursor<'_>, out: &mut Vec<u64>) -> Result<(), Bad> {
    let count = cursor.varint().ok_or("dictionary is cut off")?;
    if count == 0 || count > MAX_KEYS as u64 {
        return Err("dictionary has an impossible size".into());
    }
    out.clear();
    let mut next = Some(0u64);
    for _ in 0..count {
        let gap = cursor.varint().ok_or("dictionary is cut off")?;
        let value = next.and_then(|next| next.checked_add(gap)).ok_or("dictionary wraps around")?;
        out.push(value);
        next = value.checked_add(1);
    }
    Ok(())
}

/// Appends codes below `count`: a plane of low bytes, and one of high bytes when there are any.
pub(crate) fn put_codes(codes: &[u16], count: usize, out: &mut Vec<u8>) {
    out.extend(codes.iter().map(|&code| code as u8));
    if count > 256 {
        out.extend(codes.iter().map(|&code| (code >> 8) as u8));
    }
}

/// Reads `rows` codes below `count` from exactly these bytes.
pub(crate) fn take_codes(
    bytes: &[u8],
    rows: usize,
    count: usize,
    out: &mut Vec<u16>,
) -> Result<(), Bad> {
    let planes = if count > 256 { 2 } else { 1 };
    if bytes.len() != rows * planes {
        return Err("codes have a wrong length".into());
    }
    renew(out, rows);
    let (low, high) = bytes.split_at(rows);
    if planes == 1 {
        out.extend(low.iter().map(|&low| u16::from(low)));
    } else {
        out.extend(low.iter().zip(high).map(|(&low, &high)| u16::from_le_bytes([low, high])));
    }
    let most = out.iter().fold(0, |most, &code| most.max(code));
    if usize::from(most) >= count && rows > 0 {
        return Err("a code is not in the dictionary".into());
    }
    Ok(())
}

/// Reads codes and values; every code is below the number of values.
pub(crate) fn decode(block: Block<'_>, rows: usize, keys: &mut Keys) -> Result<(), Bad> {
    let mut cursor = Cursor(block.soft);
    let mode = cursor.u8().ok_or("dictionary is cut off")?;
    take_values(&mut cursor, &mut keys.values)?;
    let count = keys.values.len();
    if mode == BYTES || mode == RECENT {
        take_codes(cursor.0, rows, count, &mut keys.codes)?;
        if mode == RECENT {
            if count > MAX_RANKED {
                return Err("too many values for recency ranks".into());
            }
            recency::recall(&mut keys.codes, count);
        }
        return Ok(());
    }
    if mode == PATCHED {
        return decode_patched(cursor, block, rows, keys);
    }
    let width = width(count as u64 - 1);
    if mode != PACKED || !cursor.0.is_empty() {
        return Err("dictionary has an unknown mode".into());
    }
    if block.hard.len() != packed_len(rows, width) + PAD {
        return Err("packed codes have a wrong length".into());
    }
    renew(&mut keys.codes, rows);
    let mut values = [0; BLOCK];
    let mut most = 0;
    for start in (0..rows).step_by(BLOCK) {
        let len = BLOCK.min(rows - start);
        unpack(&block.hard[packed_len(start, width)..], width, &mut values)?;
        most = values[..len].iter().fold(most, |most, &code| most.max(code));
        keys.codes.extend(values[..len].iter().map(|&code| code as u16));
    }
    if most >= count as u64 {
        return Err("a code is not in the dictionary".into());
    }
    Ok(())
}

/// The values that codes stand for.
pub(crate) fn expand<T: Int>(keys: &Keys, out: &mut Vec<T>) {
    let values: Vec<T> = keys.values.iter().map(|&value| T::from_u64(value)).collect();
    renew(out, keys.codes.len());
    out.extend(keys.codes.iter().map(|&code| values[usize::from(code)]));
}
