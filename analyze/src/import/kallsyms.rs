//! The functions of the recorded kernel, by a copy of /proc/kallsyms.

use std::path::Path;

use super::file::{PerfFile, Section};
use crate::error::Result;

/// Most bytes of such a file; those of today's kernels have 10 to 30 MB.
const MAX_BYTES: u64 = 128 << 20;

/// Names by address.
#[derive(Debug, Default)]
pub(super) struct Kallsyms {
    /// Sorted.
    functions: Vec<(u64, Box<[u8]>)>,
    text: Option<u64>,
    stext: Option<u64>,
}

impl Kallsyms {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let file = PerfFile::open(path)?;
        let bytes = file.section("list", Section { offset: 0, size: file.len() }, MAX_BYTES)?;
        let found = Self::parse(&bytes);
        if found.functions.is_empty() {
            return Err(file.fail("it names no function: it is no copy of the kernel's kallsyms"));
        }
        if found.functions.last().is_some_and(|last| last.0 == 0) {
            return Err(file.fail("all its addresses are 0: copy kallsyms as root"));
        }
        Ok(found)
    }

    fn parse(bytes: &[u8]) -> Self {
        let mut found = Self::default();
        for line in bytes.split(|&byte| byte == b'\n') {
            let mut words =
                line.split(|byte| b" \t".contains(byte)).filter(|word| !word.is_empty());
            let (Some(address), Some(kind), Some(name)) =
                (words.next(), words.next(), words.next())
            else {
                continue;
            };
            let address = std::str::from_utf8(address).ok();
            let Some(address) = address.and_then(|hex| u64::from_str_radix(hex, 16).ok()) else {
                continue;
            };
            match name {
                b"_text" => found.text = Some(address),
                b"_stext" => found.stext = Some(address),
                _ if matches!(kind, b"t" | b"T" | b"w" | b"W") => {
                    found.functions.push((address, name.into()));
                }
                _ => {}
            }
        }
        found.functions.sort_unstable();
        found
    }

    /// Where the kernel's code begins, when the symbol `name` (`_text`, `_stext`) is where the
    /// recorded kernel had it: else these are the symbols of another boot.
    pub(super) fn base(&self, name: &[u8], address: u64) -> Option<u64> {
        let known = if name == b"_stext" { self.stext } else { self.text };
        self.stext.filter(|_| known == Some(address))
    }

    /// The function at an address, and how far into it.
    pub(super) fn look_up(&self, address: u64) -> Option<(&[u8], u64)> {
        let after = self.functions.partition_point(|function| function.0 <= address);
        let (start, _) = self.functions.get(after.checked_sub(1)?)?;
        // Of several names the first in the alphabet.
        let first = self.functions.partition_point(|function| function.0 < *start);
        self.functions.get(first).map(|(start, name)| (&**name, address - start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_and_other_boots_refused() {
        let list = Kallsyms::parse(
            b"ffff10 T _text\nffff20 T _stext\nffff20 T one\nffff40 t zwei\nffff40 T two [mod]\n\
              ffff48 d data\nnonsense\nffff50 T\n",
        );
        assert_eq!(list.look_up(0xffff1f), None);
        assert_eq!(list.look_up(0xffff2f), Some((&b"one"[..], 15)));
        assert_eq!(list.look_up(0xffff4f), Some((&b"two"[..], 15)));
        assert_eq!(list.base(b"_text", 0xffff10), Some(0xffff20));
        assert_eq!(list.base(b"_text", 0xffff00), None);
        assert_eq!(list.base(b"_stext", 0xffff20), Some(0xffff20));
    }
}
