//! The codecs: how the numbers of one column become bytes.
//!
//! Every codec works on `u64`; narrower types are widened, signed ones are zigzagged before. It
//! writes two parts: a soft one, which zstd then tries to shrink, and a hard one of bits that are
//! noise already and would only cost zstd time.

mod bits;
pub(crate) mod constant;
pub(crate) mod delta;
pub(crate) mod delta2;
pub(crate) mod delta_patched;
pub(crate) mod delta_tokens;
pub(crate) mod dictionary;
pub(crate) mod equal;
pub(crate) mod estimate;
#[cfg(any(test, fuzzing))]
pub(crate) mod every;
mod exceptions;
pub(crate) mod keyed;
pub(crate) mod keys;
pub(crate) mod packed;
pub(crate) mod patched;
pub(crate) mod planes;
pub(crate) mod recency;
pub(crate) mod runs;
pub(crate) mod since;
pub(crate) mod step;
#[cfg(test)]
mod tests;
pub(crate) mod text;
pub(crate) mod tokens;

/// How a column is encoded: the one list of codecs. The numbers stand in files and are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Codec {
    /// Byte planes.
    Planes = 0,
    /// One value for all rows.
    Constant = 1,
    /// Values and how often they repeat.
    Runs = 2,
    /// Minimum and offsets per block.
    Packed = 3,
    /// Differences per block.
    Delta = 4,
    /// Differences of differences per block.
    Delta2 = 5,
    /// Distinct values and codes.
    Dictionary = 6,
    /// Magnitudes and the bits below.
    Tokens = 7,
    /// Differences as tokens.
    DeltaTokens = 8,
    /// Determined by another column, with exceptions.
    Keyed = 9,
    /// A duration foretold from the times and threads of the rows before.
    Since = 10,
    /// Equal to another column, or a token.
    Equal = 11,
    /// Differences in patched blocks.
    DeltaPatched = 12,
    /// Texts.
    Text = 32,
}

impl Codec {
    /// All of them.
    pub(crate) const ALL: [Codec; 14] = [
        Codec::Planes,
        Codec::Constant,
        Codec::Runs,
        Codec::Packed,
        Codec::Delta,
        Codec::Delta2,
        Codec::Dictionary,
        Codec::Tokens,
        Codec::DeltaTokens,
        Codec::Keyed,
        Codec::Since,
        Codec::Equal,
        Codec::DeltaPatched,
        Codec::Text,
    ];

    /// The codec with this number in a file.
    pub(crate) fn from_id(id: u8) -> Option<Codec> {
        Codec::ALL.into_iter().find(|codec| *codec as u8 == id)
    }
}

/// Where an encoder writes.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    /// What zstd may shrink.
    pub(crate) soft: Vec<u8>,
    /// What it may not.
    pub(crate) hard: Vec<u8>,
}

impl Parts {
    pub(crate) fn clear(&mut self) {
        self.soft.clear();
        self.hard.clear();
    }
}

/// What a decoder reads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block<'a> {
    pub(crate) soft: &'a [u8],
    pub(crate) hard: &'a [u8],
}

/// A number that columns are decoded into.
pub(crate) trait Int: Copy + Default + 'static {
    /// The low bits of a value; a well-formed column has no others.
    fn from_u64(value: u64) -> Self;
}

/// Empties a vector and makes room for so many values. Growing it would copy what it held.
pub(crate) fn renew<T>(out: &mut Vec<T>, room: usize) {
    out.clear();
    if out.capacity() < room {
        *out = Vec::with_capacity(room.next_power_of_two());
    }
}

macro_rules! ints {
    ($($ty:ty),+) => {
        $(impl Int for $ty {
            #[inline(always)]
            fn from_u64(value: u64) -> $ty {
                value as $ty
            }
        })+
    };
}
ints!(u8, u16, u32, u64, i32, i64);

/// A signed number as an unsigned one that is small when its magnitude is.
#[inline(always)]
pub(crate) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The opposite of [`zigzag`].
#[inline(always)]
pub(crate) fn unzigzag(value: u64) -> i64 {
    ((value >> 1) ^ 0u64.wrapping_sub(value & 1)) as i64
}
