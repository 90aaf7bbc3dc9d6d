//! What the fuzz target of the codecs needs of the insides.

use crate::codec::every::{check_all, decode_all};

/// Rows that a column has at most here: two blocks of 128 and some.
const MOST_ROWS: usize = 700;

/// Decodes the bytes with every codec, cut into a soft and a hard part by `shape`.
pub fn any_bytes(shape: u8, bytes: &[u8]) {
    let [rows, cut, bytes @ ..] = bytes else { return };
    let rows = 1 + usize::from(*rows) + 256 * usize::from(shape % 3);
    let cut = (bytes.len() * usize::from(*cut)).div_ceil(255).min(bytes.len());
    let (soft, hard) = bytes.split_at(cut);
    decode_all(soft, hard, rows);
}

/// Encodes the numbers that these bytes stand for with every codec, and checks that they come back.
pub fn round_trip(shape: u8, bytes: &[u8]) {
    let width = [1, 2, 3, 4, 8][usize::from(shape % 5)];
    let number = |bytes: &[u8]| {
        let mut number = [0; 8];
        number[..bytes.len()].copy_from_slice(bytes);
        u64::from_le_bytes(number)
    };
    let mut values: Vec<u64> = bytes.chunks(width).take(MOST_ROWS).map(number).collect();
    if values.is_empty() {
        return;
    }
    // Some as differences, so that sums cover all of the range, and some in steps.
    if shape & 0x20 != 0 {
        let mut sum = 0u64;
        for value in &mut values {
            sum = sum.wrapping_add(*value);
            *value = sum;
        }
    }
    if shape & 0x40 != 0 {
        values.iter_mut().for_each(|value| *value <<= shape & 0x1f);
    }
    let keys: Vec<u64> = values.iter().map(|value| value.wrapping_mul(31) >> 59).collect();
    let times: Vec<u64> = values
        .iter()
        .scan(u64::from(shape) << 40, |time, value| {
            *time = time.wrapping_add(value & 0xfff);
            Some(*time)
        })
        .collect();
    check_all(&values, &times, &keys);
}
