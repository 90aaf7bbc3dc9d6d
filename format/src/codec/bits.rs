//! Bit packing: numbers of one width, and streams of numbers of changing width.
//!
//! Bits fill bytes from the lowest up. Every packed part ends with 8 bytes of zeros, so that a
//! reader can load 8 bytes at any value.

use crate::error::Bad;

/// Values per block: each block has its own width, so that an outlier widens 128 values only.
pub(crate) const BLOCK: usize = 128;
/// Zeros after packed bits.
pub(crate) const PAD: usize = 8;
/// Widths above this are stored as 64: a value that begins within a byte would not fit one load.
pub(crate) const WIDEST: u32 = 56;

/// Bits that a value needs.
#[inline(always)]
pub(crate) fn width(value: u64) -> u32 {
    64 - value.leading_zeros()
}

/// The width that a block is stored with.
pub(crate) fn stored_width(bits: u64) -> u32 {
    let width = width(bits);
    if width > WIDEST { 64 } else { width }
}

/// A mask of the low `width` bits.
#[inline(always)]
pub(crate) fn mask(width: u32) -> u64 {
    if width == 0 { 0 } else { u64::MAX >> (64 - width) }
}

/// Writes values of changing width.
pub(crate) struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    word: u64,
    used: u32,
}

impl<'a> BitWriter<'a> {
    /// Appends to `out`.
    pub(crate) fn new(out: &'a mut Vec<u8>) -> BitWriter<'a> {
        BitWriter { out, word: 0, used: 0 }
    }

    /// Appends the low `width` bits of `value`, which has no others.
    #[inline(always)]
    pub(crate) fn put(&mut self, value: u64, width: u32) {
        self.word |= value << self.used;
        let used = self.used + width;
        if used < 64 {
            self.used = used;
            return;
        }
        self.out.extend_from_slice(&self.word.to_le_bytes());
        // What did not fit: `value >> (64 - self.used)`, without a shift by 64.
        self.word = (value >> 1) >> (63 - self.used);
        self.used = used - 64;
    }

    /// Writes what is left, and the padding.
    pub(crate) fn finish(self) {
        let bytes = self.word.to_le_bytes();
        self.out.extend_from_slice(&bytes[..self.used.div_ceil(8) as usize]);
        self.out.extend_from_slice(&[0; PAD]);
    }
}

/// The 8 bytes at `at`; zeros beyond the end.
#[inline(always)]
pub(crate) fn load(bytes: &[u8], at: usize) -> u64 {
    match bytes.get(at..at + 8) {
        Some(bytes) => u64::from_le_bytes(*bytes.first_chunk().unwrap_or(&[0; 8])),
        None => 0,
    }
}

/// The value of `width` bits at bit `at`.
#[inline(always)]
pub(crate) fn wide(bytes: &[u8], at: usize, width: u32) -> u64 {
    let shift = (at & 7) as u32;
    let low = load(bytes, at >> 3) >> shift;
    let high = bytes.get((at >> 3) + 8).copied().map_or(0, u64::from);
    (low | (high << 1) << (63 - shift)) & mask(width)
}

/// Appends `values` of `width` bits each, without padding; ends on a full byte.
pub(crate) fn pack(values: impl Iterator<Item = u64>, width: u32, out: &mut Vec<u8>) {
    let mut word = 0u64;
    let mut used = 0;
    for value in values {
        word |= value << used;
        let next = used + width;
        if next >= 64 {
            out.extend_from_slice(&word.to_le_bytes());
            word = (value >> 1) >> (63 - used);
            used = next - 64;
        } else {
            used = next;
        }
    }
    out.extend_from_slice(&word.to_le_bytes()[..(used as usize).div_ceil(8)]);
}

/// Bytes that [`pack`] makes.
pub(crate) fn packed_len(values: usize, width: u32) -> usize {
    (values * width as usize).div_ceil(8)
}

/// Unpacks `out.len()` values of `width` bits from the front of `bytes`, which must have
/// [`packed_len`] and [`PAD`] bytes.
pub(crate) fn unpack(bytes: &[u8], width: u32, out: &mut [u64; BLOCK]) -> Result<(), Bad> {
    macro_rules! widths {
        ($($width:literal)+) => {
            match width {
                0 => out.fill(0),
                $($width => groups::<$width>(bytes, out),)+
                64 => {
                    for (index, value) in out.iter_mut().enumerate() {
                        *value = load(bytes, index * 8);
                    }
                }
                _ => return Err("impossible bit width".into()),
            }
        };
    }
    widths!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32
        33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56);
    Ok(())
}

/// Eight values of `W` bits fill `W` bytes, so that all shifts in a group are constants.
fn groups<const W: usize>(bytes: &[u8], out: &mut [u64; BLOCK]) {
    let (groups, _) = out.as_chunks_mut::<8>();
    for (group, values) in groups.iter_mut().enumerate() {
        let at = group * W;
        match bytes.get(at..).and_then(|bytes| bytes.first_chunk::<64>()) {
            Some(bytes) => {
                for (index, value) in values.iter_mut().enumerate() {
                    let from = index * W / 8;
                    let word = u64::from_le_bytes([
                        bytes[from],
                        bytes[from + 1],
                        bytes[from + 2],
                        bytes[from + 3],
                        bytes[from + 4],
                        bytes[from + 5],
                        bytes[from + 6],
                        bytes[from + 7],
                    ]);
                    *value = (word >> (index * W % 8)) & mask(W as u32);
                }
            }
            // The last bytes of a column: too few for a whole window.
            None => {
                for (index, value) in values.iter_mut().enumerate() {
                    let bit = index * W;
                    *value = (load(bytes, at + bit / 8) >> (bit % 8)) & mask(W as u32);
                }
            }
        }
    }
}
