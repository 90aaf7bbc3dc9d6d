//! `Secret`: the key that pseudonyms are made under.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::error::{Error, Result};

/// Fewest bytes of a key.
const MIN_KEY: usize = 16;

/// A secret key. The same text under the same key has the same pseudonym in every trace; without the
/// key nobody can tell what a pseudonym stands for, nor try out what it might.
#[derive(Clone)]
pub struct Secret {
    mac: Hmac<Sha256>,
}

impl Secret {
    /// A key of these bytes, white space at their end left out.
    ///
    /// # Errors
    ///
    /// When it is too short to be a secret.
    pub fn new(key: &[u8]) -> Result<Self> {
        let key = key.trim_ascii_end();
        if key.len() < MIN_KEY {
            let what = format!("the key has {} bytes: it takes at least {MIN_KEY}", key.len());
            return Err(Error::Rewrite(what));
        }
        let mac = Hmac::<Sha256>::new_from_slice(key)
            .map_err(|error| Error::Rewrite(format!("the key: {error}")))?;
        Ok(Self { mac })
    }

    /// HMAC-SHA256 of a text of some kind.
    pub(super) fn hash(&self, kind: &str, text: &[u8]) -> [u8; 32] {
        let mut mac = self.mac.clone();
        mac.update(kind.as_bytes());
        mac.update(&[0]);
        mac.update(text);
        mac.finalize().into_bytes().into()
    }

    /// 64 bits of the hash in hexadecimal.
    pub(super) fn word(&self, kind: &str, text: &[u8]) -> String {
        hex(&self.hash(kind, text)[..8])
    }

    /// What tells keys apart, and tells nothing of them.
    pub(super) fn fingerprint(&self) -> String {
        self.word("fingerprint of the key", b"")
    }

    /// One of all orders of the numbers below 2^(2 * half): no two numbers become the same.
    pub(super) fn permute(&self, kind: &str, half: u32, number: u32) -> u32 {
        let mask = (1u32 << half) - 1;
        let (mut left, mut right) = (number >> half & mask, number & mask);
        // A Feistel network; four rounds are enough to look random, eight leave no doubt.
        for round in 0u8..8 {
            let bytes = [&[round][..], &right.to_le_bytes()].concat();
            let hash = self.hash(kind, &bytes);
            let mixed = left ^ (u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]]) & mask);
            (left, right) = (right, mixed);
        }
        left << half | right
    }
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::{Secret, hex};

    #[test]
    fn hashes_are_those_of_hmac_sha256() {
        // RFC 4231, test case 2 has key "Jefe"; ours are longer, so this is by another program:
        // printf 'comm\0bash' | openssl dgst -sha256 -hmac 0123456789abcdef
        let secret = Secret::new(b"0123456789abcdef\n").expect("a key");
        assert_eq!(hex(&secret.hash("comm", b"bash")), EXPECTED);
        assert!(Secret::new(b"short").is_err());
    }

    const EXPECTED: &str = "0b471934ead39fca24a628974f167f73ecbbbe820eb1d47c4f822df13f469219";

    #[test]
    fn a_permutation_has_no_two_of_a_kind() {
        let secret = Secret::new(b"0123456789abcdef").expect("a key");
        let mut seen = vec![false; 1 << 16];
        for number in 0..1 << 16 {
            let place = &mut seen[secret.permute("port", 8, number) as usize];
            assert!(!*place, "{number}");
            *place = true;
        }
    }
}
