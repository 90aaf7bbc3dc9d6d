//! .gopclntab: the table of functions that every Go program keeps, stripped or not.
//!
//! The layouts are those of src/runtime/symtab.go (`pcHeader`) and src/debug/gosym/pclntab.go.

use crate::symbols::elf::Place;
use crate::symbols::source::{Fields, Source, bytes, fill, name};
use rustc_hash::FxHashMap;

/// Functions that are read at most.
const MAX_FUNCTIONS: u64 = 4 << 20;
/// Bytes of names that are searched at most.
const MAX_NAMES: u64 = 64 << 20;
/// Places of wanted names that are remembered at most: a name stands there once, vendored copies apart.
const MAX_PLACES: usize = 1024;
/// Bytes that are read at a time where functions are looked up by name.
const PIECE: u64 = 256 << 10;
/// Longest name that is looked for.
const MAX_NAME: usize = 1024;
/// Functions read at a time.
const BLOCK: u64 = 8192;

/// Where the parts of the table are, as offsets in the file.
#[derive(Debug)]
pub(super) struct Table {
    /// First byte after the table.
    end: u64,
    /// (entry, offset of the function's data) for each function, then the end of the last one.
    functions: u64,
    count: u64,
    /// What offsets of data count from.
    data: u64,
    /// What offsets of names count from.
    names: u64,
    /// Bytes of an address.
    pointer: usize,
    /// Entries are 32-bit offsets from `text` (1.18 and later), not addresses.
    relative: bool,
    text: u64,
}

/// A piece of a file that is read from front to back, more or less.
#[derive(Default)]
struct Window {
    start: u64,
    bytes: Vec<u8>,
    /// How often another piece was read.
    moved: u32,
}

/// So often a window moves at most: through 4 GiB from front to back.
const MAX_MOVES: u32 = 1 << 14;
/// What is read where the next number lies elsewhere.
const SMALL_PIECE: u64 = 4 << 10;

impl Window {
    /// The number at an offset, which must lie before `end`.
    fn u32<S: Source>(&mut self, source: &S, at: u64, end: u64) -> Option<u32> {
        let inside = |window: &Window| {
            let at = usize::try_from(at.checked_sub(window.start)?).ok()?;
            Some(u32::from_le_bytes(window.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
        };
        if let Some(number) = inside(self) {
            return Some(number);
        }
        self.moved += 1;
        if self.moved > MAX_MOVES {
            return None;
        }
        let near = (self.start..=self.start.saturating_add(2 * PIECE)).contains(&at);
        let piece = if near { PIECE } else { SMALL_PIECE };
        self.start = at;
        self.bytes = bytes(source, at, piece.min(end.checked_sub(at)?), PIECE as usize).ok()?;
        inside(self)
    }
}

impl Table {
    /// Reads the head of the table at `start`; `None` when it is none of those known.
    pub(super) fn open<S: Source>(source: &S, start: u64, len: u64) -> Option<Table> {
        let head = bytes(source, start, len, 8 + 8 * 8).ok()?;
        let head = Fields(&head);
        let quantum_and_pointer = (*head.0.get(6)?, *head.0.get(7)?);
        let (1 | 2 | 4, pointer @ (4 | 8)) = quantum_and_pointer else { return None };
        if head.u16(4) != 0 {
            return None;
        }
        let pointer = usize::from(pointer);
        let word = |at: usize| head.word(8 + at * pointer, pointer == 8);
        let at = |at: usize| start.checked_add(word(at));
        let table = match head.u32(0) {
            // 1.18, 1.20: functions, files, text, then the offsets of five parts.
            0xffff_fff0 | 0xffff_fff1 => Table {
                end: start.checked_add(len)?,
                functions: at(7)?,
                count: word(0),
                data: at(7)?,
                names: at(3)?,
                pointer,
                relative: true,
                text: word(2),
            },
            // 1.16: the same without text.
            0xffff_fffa => Table {
                end: start.checked_add(len)?,
                functions: at(6)?,
                count: word(0),
                data: at(6)?,
                names: at(2)?,
                pointer,
                relative: false,
                text: 0,
            },
            // 1.2: one part, right here.
            0xffff_fffb => Table {
                end: start.checked_add(len)?,
                functions: start.checked_add(8 + pointer as u64)?,
                count: word(0),
                data: start,
                names: start,
                pointer,
                relative: false,
                text: 0,
            },
            _ => return None,
        };
        let there = table.end.checked_sub(table.functions)? / table.entry_size();
        let believed = table.count > 0 && table.count <= MAX_FUNCTIONS && table.count <= there;
        (believed && table.names < table.end).then_some(table)
    }

    /// Whether the table leaves out where code starts: linkers since 1.26 do, and those of
    /// position-independent programs let the loader fill it in.
    pub(super) fn needs_text_start(&self) -> bool {
        self.relative && self.text == 0
    }

    /// Says where code starts.
    pub(super) fn set_text_start(&mut self, text: u64) {
        self.text = text;
    }

    /// The first function's entry and the last one's end, from the start of code.
    pub(super) fn span<S: Source>(&self, source: &S) -> Option<(u64, u64)> {
        let entry = |index: u64| {
            let at = self.functions.checked_add(index.checked_mul(self.entry_size())?)?;
            Some(u64::from(Fields(&bytes(source, at, 4, 4).ok()?).u32(0)))
        };
        Some((entry(0)?, entry(self.count)?))
    }

    /// The functions at sorted addresses.
    pub(super) fn places<S: Source>(&self, source: &S, wanted: &[u64]) -> Vec<Option<Place>> {
        let mut found = vec![None; wanted.len()];
        let mut next = 0;
        let mut last: Option<(u64, u64)> = None;
        let size = self.entry_size();
        let mut read = 0;
        // The end of the last function stands after it like one more, of half a size.
        while read <= self.count && next < wanted.len() {
            let count = (self.count + 1 - read).min(BLOCK);
            let at = self.functions + read * size;
            let len = (count * size).min(self.end.saturating_sub(at));
            let mut block = vec![0; usize::try_from(len).unwrap_or(0)];
            if fill(source, at, &mut block).is_err() {
                break;
            }
            for entry in block.chunks(usize::try_from(size).unwrap_or(8)) {
                let (entry, half) = (Fields(entry), size as usize / 2);
                let address = self.text.saturating_add(entry.word(0, half == 8));
                while next < wanted.len() && wanted[next] < address {
                    found[next] = last
                        .filter(|&(start, _)| start <= wanted[next])
                        .and_then(|(start, data)| self.place(source, wanted[next], start, data));
                    next += 1;
                }
                last = Some((address, entry.word(half, half == 8)));
            }
            read += count;
        }
        found
    }

    /// Addresses and lengths of the functions with these names, or of vendored copies of them.
    ///
    /// One pass over the names, and one over the functions and their data, in pieces.
    pub(super) fn addresses<S: Source>(
        &self,
        source: &S,
        names: &[&str],
    ) -> Vec<Option<(u64, u64)>> {
        let mut found = vec![None; names.len()];
        let wanted = self.name_offsets(source, names);
        if wanted.is_empty() {
            return found;
        }
        let size = self.entry_size();
        let half = size as usize / 2;
        let mut window = Window::default();
        let mut last = None;
        let mut read = 0;
        while read < self.count {
            let count = (self.count - read).min(BLOCK);
            let Ok(block) =
                bytes(source, self.functions + read * size, count * size, (BLOCK * 16) as usize)
            else {
                break;
            };
            for entry in block.chunks_exact(size as usize).map(Fields) {
                let address = self.text.saturating_add(entry.word(0, half == 8));
                if let Some((at, start)) = last.take() {
                    found[at] = Some((start, address.saturating_sub(start)));
                }
                let width = if self.relative { 4 } else { self.pointer as u64 };
                let name = entry
                    .word(half, half == 8)
                    .checked_add(width)
                    .and_then(|at| self.data.checked_add(at))
                    .and_then(|at| window.u32(source, at, self.end));
                let which = name.and_then(|name| wanted.get(&name).copied());
                last = which.filter(|&at| found[at].is_none()).map(|at| (at, address));
            }
            read += count;
        }
        // The end of the last function stands after it like one more, of half a size.
        if let Some((at, start)) = last
            && let Ok(end) = bytes(source, self.functions + self.count * size, half as u64, 8)
        {
            let end = self.text.saturating_add(Fields(&end).word(0, half == 8));
            found[at] = Some((start, end.saturating_sub(start)));
        }
        found
    }

    /// Where among the names these stand, and which of them that is.
    fn name_offsets<S: Source>(&self, source: &S, names: &[&str]) -> FxHashMap<u32, usize> {
        let mut wanted = FxHashMap::default();
        let mut at = self.names;
        let end = self.end.min(self.names.saturating_add(MAX_NAMES));
        while at < end && wanted.len() < MAX_PLACES {
            let step = PIECE.min(end - at);
            let len = (step + MAX_NAME as u64).min(self.end - at);
            let Ok(piece) = bytes(source, at, len, (PIECE as usize) + MAX_NAME) else { break };
            let mut start = 0;
            while start < piece.len().min(step as usize) && wanted.len() < MAX_PLACES {
                let Some(len) = piece[start..].iter().position(|&byte| byte == 0) else {
                    // Too long to be wanted.
                    start = start.max(step as usize);
                    break;
                };
                let text = &piece[start..start + len];
                let is = |name: &&str| {
                    text.strip_suffix(name.as_bytes())
                        .is_some_and(|before| before.is_empty() || before.ends_with(b"/vendor/"))
                };
                if let (Some(which), Ok(offset)) =
                    (names.iter().position(is), u32::try_from(at - self.names + start as u64))
                {
                    wanted.insert(offset, which);
                }
                start += len + 1;
            }
            at += (start as u64).max(1);
        }
        wanted
    }

    /// A function's data starts with its entry and the offset of its name.
    fn place<S: Source>(&self, source: &S, address: u64, start: u64, data: u64) -> Option<Place> {
        let at = self.data.checked_add(data)?;
        let width = if self.relative { 4 } else { self.pointer };
        let data = bytes(source, at, (width + 4) as u64, 12).ok()?;
        let offset = u64::try_from(Fields(&data).u32(width).cast_signed()).ok()?;
        let name = name(source, self.names.checked_add(offset)?, self.end)?;
        Some(Place { name, offset: address - start })
    }

    fn entry_size(&self) -> u64 {
        if self.relative { 8 } else { 2 * self.pointer as u64 }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A table of three functions: f at 0x00, g at 0x20, h at 0x30 to 0x48, from 0x1000 on.
    pub(in crate::symbols) fn table(magic: u32, text: u64) -> Vec<u8> {
        const ENTRIES: [u64; 4] = [0x00, 0x20, 0x30, 0x48];
        let names = b"\0main.f\0main.g\0main.(*T).h\0";
        let name_offsets = [1u32, 8, 15];
        let relative = magic == 0xffff_fff0 || magic == 0xffff_fff1;
        let words = match magic {
            0xffff_fffb => 1,
            0xffff_fffa => 7,
            _ => 8,
        };
        let mut table = magic.to_le_bytes().to_vec();
        table.extend([0, 0, 1, 8]);
        table.resize(8 + words * 8, 0);
        let single = words == 1;
        let names_at = table.len();
        if !single {
            table.extend(names);
        }
        let functions_at = table.len();
        let base = if single { 0 } else { functions_at };
        let width: usize = if relative { 4 } else { 8 };
        let functions_len = (3 * 2 + 1) * width;
        let data_len = width + 4;
        let put = |table: &mut Vec<u8>, value: u64| {
            table.extend(&value.to_le_bytes()[..width]);
        };
        let start = if relative { 0 } else { 0x1000 };
        for (index, entry) in ENTRIES.iter().enumerate() {
            put(&mut table, start + entry);
            if index < 3 {
                put(&mut table, (functions_at + functions_len + index * data_len - base) as u64);
            }
        }
        let inline_names = (functions_at + functions_len + 3 * data_len) as u32;
        for index in 0..3 {
            put(&mut table, start + ENTRIES[index]);
            let first = if single { inline_names } else { 0 };
            table.extend((first + name_offsets[index]).to_le_bytes());
        }
        if single {
            table.extend(names);
        }
        let mut set = |at: usize, value: usize| {
            table[8 + at * 8..16 + at * 8].copy_from_slice(&(value as u64).to_le_bytes());
        };
        set(0, 3);
        match magic {
            0xffff_fffb => {}
            0xffff_fffa => {
                set(2, names_at);
                set(6, functions_at);
            }
            _ => {
                set(2, text as usize);
                set(3, names_at);
                set(7, functions_at);
            }
        }
        table
    }

    fn check(magic: u32) {
        let source = table(magic, 0x1000);
        // Behind other bytes of a file.
        let mut file = vec![0xee; 24];
        file.extend(&source);
        file.extend([0xee; 100]);
        let table = Table::open(&file, 24, source.len() as u64).unwrap();
        assert!(!table.needs_text_start());
        let wanted = [0xfff, 0x1000, 0x101f, 0x1020, 0x1030, 0x1047, 0x1048];
        let found: Vec<_> = table
            .places(&file, &wanted)
            .into_iter()
            .map(|place| place.map(|place| (String::from_utf8(place.name).unwrap(), place.offset)))
            .collect();
        let some = |name: &str, offset| Some((name.to_owned(), offset));
        assert_eq!(
            found,
            [
                None,
                some("main.f", 0),
                some("main.f", 0x1f),
                some("main.g", 0),
                some("main.(*T).h", 0),
                some("main.(*T).h", 0x17),
                None
            ],
            "{magic:#x}"
        );
    }

    #[test]
    fn versions() {
        for magic in [0xffff_fff0, 0xffff_fff1, 0xffff_fffa, 0xffff_fffb] {
            check(magic);
        }
    }

    #[test]
    fn functions_by_name() {
        let wanted = ["main.g", "main", "main.(*T).h", "g"];
        for magic in [0xffff_fff0, 0xffff_fff1, 0xffff_fffa, 0xffff_fffb] {
            let source = table(magic, 0x1000);
            let table = Table::open(&source, 0, source.len() as u64).unwrap();
            let found = table.addresses(&source, &wanted);
            let expected = [Some((0x1020, 0x10)), None, Some((0x1030, 0x18)), None];
            assert_eq!(found, expected, "{magic:#x}");
        }
    }

    #[test]
    fn text_start_from_elsewhere() {
        let source = table(0xffff_fff1, 0);
        let mut table = Table::open(&source, 0, source.len() as u64).unwrap();
        assert!(table.needs_text_start());
        assert_eq!(table.span(&source), Some((0, 0x48)));
        table.set_text_start(0x7000);
        assert_eq!(table.places(&source, &[0x7021])[0].as_ref().unwrap().name, b"main.g");
    }

    #[test]
    fn broken() {
        let good = table(0xffff_fff1, 0x1000);
        for at in 0..good.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bad = good.clone();
                bad[at] = value;
                if let Some(table) = Table::open(&bad, 0, bad.len() as u64) {
                    table.places(&bad, &[0, 0x1000, 0x1025, u64::MAX]);
                    table.addresses(&bad, &["main.g", "main.(*T).h"]);
                    table.span(&bad);
                }
                bad.truncate(at);
                if let Some(table) = Table::open(&bad, 0, good.len() as u64) {
                    table.places(&bad, &[0, 0x1000, 0x1025, u64::MAX]);
                    table.addresses(&bad, &["main.g", "main.(*T).h"]);
                }
            }
        }
        assert!(Table::open(&good, u64::MAX, 9).is_none());
        assert!(Table::open(&good, 0, u64::MAX).is_some());
    }
}
