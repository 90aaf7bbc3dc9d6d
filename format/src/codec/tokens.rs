//! Tokens: each value as its magnitude (one byte, which zstd's Huffman coder shrinks to what it is
//! worth) and the bits below it (noise, stored as they are).
//!
//! A quarter of an octave is one token: 0 to 15 stand for themselves, above that the token has the
//! position of the highest bit and the two bits after it. For times and durations this comes
//! within 2 % of their entropy, where fixed widths waste 2 to 4 bits on every value.

use super::bits::{BitWriter, PAD, WIDEST, load, wide};
use super::{Block, Int, Parts};
use crate::error::Bad;

/// The token of a value.
#[inline(always)]
pub(crate) fn token(value: u64) -> u8 {
    if value < 16 {
        return value as u8;
    }
    let top = 63 - value.leading_zeros();
    (16 + (top - 4) * 4 + ((value >> (top - 2)) & 3) as u32) as u8
}

/// How many bits of a value follow its token.
pub(crate) const EXTRA: [u8; 256] = {
    let mut table = [0; 256];
    let mut token = 16;
    while token < 256 {
        table[token] = ((token - 16) / 4 + 2) as u8;
        token += 1;
    }
    table
};

/// The smallest value with each token.
const BASE: [u64; 256] = {
    let mut table = [0; 256];
    let mut token = 0;
    while token < 256 {
        table[token] =
            if token < 16 { token as u64 } else { (4 + (token as u64 - 16) % 4) << EXTRA[token] };
        token += 1;
    }
    table
};

/// Writes values.
pub(crate) fn encode(values: impl ExactSizeIterator<Item = u64>, out: &mut Parts) {
    let Parts { soft, hard } = out;
    soft.reserve(values.len());
    hard.reserve(values.len() * 2);
    let mut bits = BitWriter::new(hard);
    for value in values {
        let token = token(value);
        soft.push(token);
        bits.put(value - BASE[usize::from(token)], EXTRA[usize::from(token)].into());
    }
    bits.finish();
}

/// Fills `out` with what `each` makes of the values, one after another; `tokens` has one byte per
/// value, `bits` is exactly their rest.
#[inline(always)]
pub(crate) fn values<T>(
    tokens: &[u8],
    bits: &[u8],
    out: &mut Vec<T>,
    mut each: impl FnMut(u64) -> T,
) -> Result<(), Bad> {
    let mut most = 0;
    let mut total = 0usize;
    for part in tokens.chunks(256) {
        most = part.iter().fold(most, |most, &token| most.max(token));
        // As `EXTRA`, but in a form that takes 16 tokens at a time; 256 times 61 fits.
        let extra = |token: u8| if token < 16 { 0 } else { u16::from((token >> 2) - 2) };
        total += usize::from(part.iter().map(|&token| extra(token)).sum::<u16>());
    }
    if bits.len() != total.div_ceil(8) + PAD {
        return Err("bits do not fit the tokens".into());
    }
    let mut at = 0usize;
    if u32::from(EXTRA[usize::from(most)]) <= WIDEST {
        out.extend(tokens.iter().map(|&token| {
            let width = u32::from(EXTRA[usize::from(token)]);
            let word = load(bits, at >> 3) >> (at & 7);
            at += width as usize;
            each(BASE[usize::from(token)] + (word & !(u64::MAX << width)))
        }));
    } else {
        out.extend(tokens.iter().map(|&token| {
            let width = u32::from(EXTRA[usize::from(token)]);
            let value = BASE[usize::from(token)] + wide(bits, at, width);
            at += width as usize;
            each(value)
        }));
    }
    Ok(())
}

/// Reads values.
pub(crate) fn decode<T: Int>(block: Block<'_>, rows: usize, out: &mut Vec<T>) -> Result<(), Bad> {
    if block.soft.len() != rows {
        return Err("tokens have a wrong length".into());
    }
    out.clear();
    values(block.soft, block.hard, out, T::from_u64)
}
