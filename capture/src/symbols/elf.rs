//! An ELF file, read piece by piece.

use crate::symbols::abi;
use crate::symbols::choice::{Choice, Choices};
use crate::symbols::source::{Fields, Source, bytes, fill};
use crate::symbols::{Error, Result, go, plt, symtab};

/// Files above this are left alone.
const MAX_FILE: u64 = 2 << 30;
/// Headers that are read at most, of either kind.
const MAX_HEADERS: u64 = 1 << 16;
/// Bytes of section names and of notes that are read at most.
const MAX_BYTES: usize = 1 << 20;

/// A function at an offset of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its name as the file has it, mangled.
    pub name: Vec<u8>,
    /// Offset in the function.
    pub offset: u64,
}

/// An ELF file's headers, and the source to read more from. Little-endian, 32 or 64 bit.
///
/// What the headers claim is not believed: each read is bounded, and what makes no sense reads as
/// absent. Only a file without an ELF header is an error.
#[derive(Debug)]
pub(crate) struct Elf<S> {
    pub(super) source: S,
    /// 64 bit.
    pub(super) wide: bool,
    pub(super) machine: u16,
    pub(super) sections: Vec<Section>,
    segments: Vec<Segment>,
    /// Sections of code, sorted by address: (first, after the last).
    code: Vec<(u64, u64)>,
    names: Vec<u8>,
}

/// A section's header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Section {
    name: u32,
    pub(super) kind: u32,
    pub(super) flags: u64,
    pub(super) address: u64,
    pub(super) offset: u64,
    pub(super) size: u64,
    pub(super) link: u32,
    pub(super) align: u64,
    pub(super) entry_size: u64,
}

/// A program header: a part of the file that is mapped, or notes.
#[derive(Clone, Copy, Debug)]
struct Segment {
    kind: u32,
    flags: u32,
    offset: u64,
    address: u64,
    file_size: u64,
    align: u64,
}

impl<S: Source> Elf<S> {
    /// Reads the headers: a few reads of a few KiB.
    pub(crate) fn open(source: S) -> Result<Elf<S>> {
        let bad = |what, offset| Err(Error::Elf { what, offset });
        if source.size() > MAX_FILE {
            return bad("larger than 2 GiB", 0);
        }
        let mut head = [0; 64];
        let len = usize::try_from(source.size()).unwrap_or(64).min(64);
        fill(&source, 0, &mut head[..len])?;
        if !head.starts_with(&abi::MAGIC) {
            return bad("no ELF header", 0);
        }
        let wide = match head[4] {
            abi::CLASS_64 => true,
            abi::CLASS_32 => false,
            _ => return bad("unknown class", 4),
        };
        if head[5] != abi::LITTLE_ENDIAN {
            return bad("not little-endian", 5);
        }
        let head = Fields(&head);
        let mut elf = Elf {
            wide,
            machine: head.u16(18),
            sections: Vec::new(),
            segments: Vec::new(),
            code: Vec::new(),
            names: Vec::new(),
            source,
        };
        // The class moves what follows the addresses in the header.
        let at = |narrow: usize, at_wide: usize| if wide { at_wide } else { narrow };
        let count = u64::from(head.u16(at(44, 56)));
        elf.read_segments(head.word(at(28, 32), wide), count);
        let count = u64::from(head.u16(at(48, 60)));
        let names = u32::from(head.u16(at(50, 62)));
        elf.read_sections(head.word(at(32, 40), wide), count, names);
        Ok(elf)
    }

    fn read_segments(&mut self, offset: u64, count: u64) {
        let size = if self.wide { 56 } else { 32 };
        let Some(table) = self.table(offset, count, size) else { return };
        for entry in table.chunks_exact(size) {
            let (entry, wide) = (Fields(entry), self.wide);
            let segment = Segment {
                kind: entry.u32(0),
                flags: entry.u32(if wide { 4 } else { 24 }),
                offset: entry.word(if wide { 8 } else { 4 }, wide),
                address: entry.word(if wide { 16 } else { 8 }, wide),
                file_size: entry.word(if wide { 32 } else { 16 }, wide),
                align: entry.word(if wide { 48 } else { 28 }, wide),
            };
            if matches!(segment.kind, abi::PT_LOAD | abi::PT_NOTE) && self.segments.len() < 256 {
                self.segments.push(segment);
            }
        }
    }

    fn read_sections(&mut self, offset: u64, mut count: u64, mut names: u32) {
        let size = if self.wide { 64 } else { 40 };
        if offset == 0 {
            return;
        }
        if count == 0 || names == u32::from(abi::SHN_XINDEX) {
            // Too many for the file's header: the first section's header has the numbers.
            let Some(first) = self.table(offset, 1, size) else { return };
            let first = section(Fields(&first), self.wide);
            if count == 0 {
                count = first.size;
            }
            if names == u32::from(abi::SHN_XINDEX) {
                names = first.link;
            }
        }
        let Some(table) = self.table(offset, count, size) else { return };
        self.sections =
            table.chunks_exact(size).map(|entry| section(Fields(entry), self.wide)).collect();
        if let Some(section) = self.sections.get(names as usize) {
            self.names =
                bytes(&self.source, section.offset, section.size, MAX_BYTES).unwrap_or_default();
        }
        let code = abi::SHF_ALLOC | abi::SHF_EXECINSTR;
        self.code = self
            .sections
            .iter()
            .filter(|section| section.flags & code == code && section.size > 0)
            .map(|section| (section.address, section.address.saturating_add(section.size)))
            .collect();
        self.code.sort_unstable();
    }

    fn table(&self, offset: u64, count: u64, size: usize) -> Option<Vec<u8>> {
        if count == 0 || count > MAX_HEADERS {
            return None;
        }
        let len = count * size as u64;
        bytes(&self.source, offset, len, usize::try_from(len).ok()?).ok()
    }

    /// The section with this name, the first of several.
    pub(super) fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| {
            self.names
                .get(section.name as usize..)
                .and_then(|rest| rest.strip_prefix(name.as_bytes()))
                .is_some_and(|rest| rest.first() == Some(&0))
        })
    }

    /// The GNU build-id in lower-case hexadecimal.
    pub(crate) fn build_id(&self) -> Option<String> {
        let segments = self
            .segments
            .iter()
            .filter(|segment| segment.kind == abi::PT_NOTE)
            .map(|segment| (segment.offset, segment.file_size, segment.align));
        let sections = self
            .sections
            .iter()
            .filter(|section| section.kind == abi::SHT_NOTE)
            .map(|section| (section.offset, section.size, section.align));
        segments.chain(sections).take(64).find_map(|(offset, size, align)| {
            let notes = bytes(&self.source, offset, size, MAX_BYTES / 16).ok()?;
            build_id(&notes, if align == 8 { 8 } else { 4 })
        })
    }

    /// The address that the file gives to its byte at `offset`: what symbols count in.
    pub(crate) fn address_of(&self, offset: u64) -> Option<u64> {
        let holds = |segment: &&Segment| {
            segment.kind == abi::PT_LOAD
                && offset.checked_sub(segment.offset).is_some_and(|at| at < segment.file_size)
        };
        let segment = self
            .segments
            .iter()
            .filter(holds)
            .max_by_key(|segment| segment.flags & abi::PF_X != 0)?;
        segment.address.checked_add(offset - segment.offset)
    }

    /// The offset of the byte at an address of code.
    pub(super) fn offset_of(&self, address: u64) -> Option<u64> {
        let segment = self.segments.iter().find(|segment| {
            segment.kind == abi::PT_LOAD
                && segment.flags & abi::PF_X != 0
                && address.checked_sub(segment.address).is_some_and(|at| at < segment.file_size)
        })?;
        segment.offset.checked_add(address - segment.address)
    }

    /// Where the section (or the segment) that an address of code lies in starts.
    fn floor(&self, address: u64) -> u64 {
        let after = self.code.partition_point(|&(first, _)| first <= address);
        match self.code[..after].last() {
            Some(&(first, end)) if address < end => first,
            _ => self
                .segments
                .iter()
                .filter(|segment| segment.kind == abi::PT_LOAD && segment.address <= address)
                .map(|segment| segment.address)
                .max()
                .unwrap_or(0),
        }
    }

    /// Whether a section of this number holds code; true when the file has no sections.
    pub(super) fn is_code(&self, section: u16) -> bool {
        self.sections.is_empty()
            || self
                .sections
                .get(usize::from(section))
                .is_some_and(|section| section.flags & abi::SHF_EXECINSTR != 0)
    }

    /// Whether an address lies in a section of code.
    pub(super) fn in_code(&self, address: u64) -> bool {
        let after = self.code.partition_point(|&(first, _)| first <= address);
        self.code[..after].last().is_some_and(|&(_, end)| address < end)
    }

    /// The functions at offsets of the file, in any order.
    ///
    /// Asks .symtab, then Go's table, then .dynsym, then the PLT. A symbol with a size stands for
    /// the addresses inside it, one without for those up to the next symbol of its section. The
    /// padding behind a function belongs to it. Code that no symbol stands for has no name: the
    /// nearest one would be wrong more often than not, above all in .dynsym, which lacks every
    /// function that is not exported.
    ///
    /// A return address can be the first byte after its function: ask for the byte before it.
    ///
    /// Costs one pass over each table needed: some 5 ns a symbol and a binary search among the
    /// offsets.
    pub(crate) fn places(&self, offsets: &[u64]) -> Vec<Option<Place>> {
        let mut found = vec![None; offsets.len()];
        let mut open: Vec<Wanted> = offsets
            .iter()
            .enumerate()
            .filter_map(|(slot, &offset)| Some(Wanted { address: self.address_of(offset)?, slot }))
            .collect();
        open.sort_unstable();
        let paddings = self.ask_symbols(abi::SHT_SYMTAB, &mut open, &mut found);
        go::places(self, &mut open, &mut found);
        self.ask_symbols(abi::SHT_DYNSYM, &mut open, &mut found);
        plt::places(self, &mut open, &mut found);
        if let Some(table) = self.sections.iter().find(|table| table.kind == abi::SHT_SYMTAB) {
            for (wanted, choice) in paddings {
                if found[wanted.slot].is_none() {
                    found[wanted.slot] = symtab::place(self, table, &choice, wanted.address);
                }
            }
        }
        found
    }

    /// Looks the open addresses up in a symbol table; those found are no longer open. Returns the
    /// symbols that an address that was not found is the padding behind.
    fn ask_symbols(
        &self,
        kind: u32,
        open: &mut Vec<Wanted>,
        found: &mut [Option<Place>],
    ) -> Vec<(Wanted, Choice)> {
        let Some(table) = self.sections.iter().find(|table| table.kind == kind) else {
            return Vec::new();
        };
        if open.is_empty() {
            return Vec::new();
        }
        let addresses: Vec<u64> = open.iter().map(|wanted| wanted.address).collect();
        let floors: Vec<u64> = addresses.iter().map(|&address| self.floor(address)).collect();
        let mut choices = Choices::new(&addresses, &floors);
        symtab::scan(self, table, &mut choices);
        let mut paddings = Vec::new();
        for (wanted, (sure, padding)) in open.iter().zip(choices.finish()) {
            found[wanted.slot] = symtab::place(self, table, &sure, wanted.address);
            if found[wanted.slot].is_none() && padding.value().is_some() {
                paddings.push((*wanted, padding));
            }
        }
        open.retain(|wanted| found[wanted.slot].is_none());
        paddings
    }
}

/// An address whose function is not known yet, and where the answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wanted {
    pub(super) address: u64,
    pub(super) slot: usize,
}

fn section(entry: Fields<'_>, wide: bool) -> Section {
    let at = |narrow: usize, at_wide: usize| if wide { at_wide } else { narrow };
    Section {
        name: entry.u32(0),
        kind: entry.u32(4),
        flags: entry.word(8, wide),
        address: entry.word(at(12, 16), wide),
        offset: entry.word(at(16, 24), wide),
        size: entry.word(at(20, 32), wide),
        link: entry.u32(at(24, 40)),
        align: entry.word(at(32, 48), wide),
        entry_size: entry.word(at(36, 56), wide),
    }
}

/// The build-id among notes: a name length, a text length, a type, the name, the text, padded.
fn build_id(mut notes: &[u8], align: usize) -> Option<String> {
    const HEAD: usize = 12;
    while notes.len() > HEAD {
        let head = Fields(notes);
        let (name_len, text_len) = (head.u32(0) as usize, head.u32(4) as usize);
        let name = notes.get(HEAD..HEAD.checked_add(name_len)?)?;
        let start = HEAD.checked_add(name_len)?.checked_next_multiple_of(align)?;
        let end = start.checked_add(text_len)?;
        let text = notes.get(start..end)?;
        if name == b"GNU\0" && head.u32(8) == abi::NT_GNU_BUILD_ID && (1..=64).contains(&text_len) {
            return Some(text.iter().map(|byte| format!("{byte:02x}")).collect());
        }
        notes = notes.get(end.checked_next_multiple_of(align)?..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_ids() {
        let note = |kind: u8, name: &[u8], text: &[u8]| {
            let mut note =
                vec![name.len() as u8, 0, 0, 0, text.len() as u8, 0, 0, 0, kind, 0, 0, 0];
            note.extend_from_slice(name);
            note.resize(note.len().next_multiple_of(4), 0);
            note.extend_from_slice(text);
            note.resize(note.len().next_multiple_of(4), 0);
            note
        };
        let check = |notes: &[Vec<u8>], expected: Option<&str>| {
            assert_eq!(build_id(&notes.concat(), 4).as_deref(), expected, "{notes:?}");
        };
        let id = note(3, b"GNU\0", &[0x0a, 0xbc, 0xff]);
        check(std::slice::from_ref(&id), Some("0abcff"));
        check(&[note(1, b"GNU\0", &[1; 16]), note(4, b"Go\0\0", b"x"), id.clone()], Some("0abcff"));
        check(&[note(4, b"Go\0\0", b"xyz")], None);
        check(&[note(3, b"GNU\0", b"")], None);
        check(&[id[..17].to_vec()], None);
        check(&[vec![0xff; 64]], None);
        check(&[], None);
    }

    #[test]
    fn not_elf() {
        let check = |bytes: &[u8], what: &str| {
            let error = Elf::open(bytes.to_vec()).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        };
        check(b"", "no ELF header");
        check(b"#!/bin/sh\n", "no ELF header");
        check(b"\x7fELF\x02\x02\x01", "not little-endian");
        check(b"\x7fELF\x09", "unknown class");
        let bare = Elf::open(b"\x7fELF\x02\x01\x01".to_vec()).unwrap();
        assert_eq!((bare.build_id(), bare.address_of(0)), (None, None));
        assert_eq!(bare.places(&[0, 5]), [None, None]);
    }
}
