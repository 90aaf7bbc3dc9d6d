//! The Huffman code of HPACK (RFC 7541, appendix B), to read request paths.

/// Bits of the code of each byte. The code is canonical: shorter codes come first, and those of one
/// length in the order of their bytes. All thirty ones is the end of string, which never stands in a
/// text.
#[rustfmt::skip]
const LENGTHS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5,
    6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23,
    23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20,
    22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22,
    22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26,
    27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25,
    25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
];

/// The longest code.
const LONGEST: usize = 30;

/// The code, as decoding wants it.
pub(crate) struct Huffman {
    /// Bytes in the order of their codes.
    bytes: Vec<u8>,
    /// For each length: its first code, and where that stands in `bytes`.
    first: [(u32, usize); LONGEST + 2],
}

impl Default for Huffman {
    fn default() -> Huffman {
        let mut bytes = Vec::with_capacity(LENGTHS.len());
        let mut first = [(0, 0); LONGEST + 2];
        let mut code = 0_u32;
        for (length, first) in first.iter_mut().enumerate() {
            code <<= 1;
            *first = (code, bytes.len());
            let of_length =
                (0..=u8::MAX).filter(|&byte| usize::from(LENGTHS[usize::from(byte)]) == length);
            for byte in of_length {
                bytes.push(byte);
                code += 1;
            }
        }
        Huffman { bytes, first }
    }
}

impl Huffman {
    /// The text that these bytes stand for. One that was cut, or is none, ends where it cannot go on.
    pub(crate) fn decode(&self, coded: &[u8]) -> Vec<u8> {
        let mut text = Vec::with_capacity(coded.len() * 8 / 5);
        let (mut code, mut length) = (0_u32, 0);
        for bit in coded.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)) {
            code = code << 1 | u32::from(bit);
            length += 1;
            let (first, at) = self.first[length];
            let last = self.first[length + 1].1;
            let index = at + code.wrapping_sub(first) as usize;
            if code >= first && index < last {
                text.push(self.bytes[index]);
                (code, length) = (0, 0);
            } else if length == LONGEST {
                break;
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(coded: &[u8], expected: &str) {
        assert_eq!(String::from_utf8_lossy(&Huffman::default().decode(coded)), expected);
    }

    #[test]
    fn as_in_the_appendix_of_the_rfc() {
        // RFC 7541, C.4.1, C.4.3 and C.6.1.
        check(
            &[0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff],
            "www.example.com",
        );
        check(&[0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xb8, 0xe8, 0xb4, 0xbf], "custom-value");
        check(&[0x64, 0x02], "302");
        check(&[0x9a, 0xca, 0xc8, 0xb2, 0x12, 0x34, 0xda, 0x8f], "grpc-status");
    }

    #[test]
    fn what_is_no_text_ends() {
        check(&[], "");
        check(&[0xff; 8], "");
        check(&[0x64, 0x02, 0xff, 0xff, 0xff, 0xff, 0xff], "302");
    }

    #[test]
    fn every_byte_has_a_code() {
        let huffman = Huffman::default();
        assert_eq!(huffman.bytes.len(), 256);
        for byte in 0..=u8::MAX {
            let length = usize::from(LENGTHS[usize::from(byte)]);
            let (first, at) = huffman.first[length];
            let index = huffman.bytes.iter().position(|&known| known == byte).expect("a code");
            let code = u64::from(first) + (index - at) as u64;
            // Filled up with ones, as at the end of a text.
            let coded = (code << (40 - length) | ((1 << (40 - length)) - 1)).to_be_bytes();
            assert_eq!(huffman.decode(&coded[3..])[0], byte);
        }
    }
}
