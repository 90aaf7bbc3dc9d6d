//! Where Go's code starts, when its table does not say.
//!
//! The runtime knows from its `moduledata`, which points to the table and, among other things,
//! tells the first and last address of functions and of code (src/runtime/symtab.go). With cgo
//! that is not where .text starts: C start-up code comes first.

use std::collections::BTreeMap;

use crate::symbols::abi;
use crate::symbols::elf::Elf;
use crate::symbols::source::{Fields, Source, fill};

/// Bytes of data and of relocations that are searched at most.
const MAX_SEARCH: u64 = 64 << 20;
/// Where `minpc`, `maxpc`, `text` and `etext` are looked for, from the start of moduledata. They
/// are at 160 in 1.18.
const FIELDS: std::ops::Range<u64> = 120..320;
/// Candidates that are looked at.
const MAX_CANDIDATES: usize = 64;

/// The address of Go's first code, in a 64-bit file whose table is at address `table` and spans
/// the functions from `span.0` to `span.1` (from there).
pub(super) fn text_start<S: Source>(elf: &Elf<S>, table: u64, span: (u64, u64)) -> Option<u64> {
    if !elf.wide {
        return None;
    }
    in_data(elf, table, span).or_else(|| in_relocations(elf, table, span))
}

/// Looks for `minpc`, `maxpc` and `text` in a row: they belong together when they fit the table.
fn fitting<S: Source>(
    elf: &Elf<S>,
    span: (u64, u64),
    word: impl Fn(u64) -> Option<u64>,
) -> Option<u64> {
    FIELDS.step_by(8).find_map(|at| {
        let (min, max, text) = (word(at)?, word(at + 8)?, word(at + 16)?);
        let fits = text.checked_add(span.0) == Some(min) && text.checked_add(span.1) == Some(max);
        (fits && elf.in_code(text)).then_some(text)
    })
}

/// The file's own bytes hold the addresses, unless it can be loaded anywhere.
fn in_data<S: Source>(elf: &Elf<S>, table: u64, span: (u64, u64)) -> Option<u64> {
    const OVERLAP: usize = FIELDS.end as usize + 24;
    let mut left = MAX_SEARCH;
    let data = elf.sections.iter().filter(|section| {
        section.kind == abi::SHT_PROGBITS
            && section.flags & abi::SHF_WRITE != 0
            && section.flags & abi::SHF_EXECINSTR == 0
    });
    let mut block = Vec::new();
    for section in data {
        let mut at = 0;
        while at < section.size && left > 0 {
            // Blocks overlap by what is looked at behind the pointer.
            let step = (256u64 << 10).min(section.size - at).min(left);
            let len = (step + OVERLAP as u64).min(section.size - at);
            block.resize(usize::try_from(len).ok()?, 0);
            if fill(&elf.source, section.offset.checked_add(at)?, &mut block).is_err() {
                break;
            }
            let found = (0..usize::try_from(step).ok()?)
                .step_by(8)
                .filter(|&at| Fields(&block).u64(at) == table)
                .take(MAX_CANDIDATES)
                .find_map(|start| {
                    fitting(elf, span, |at| {
                        let at = start.checked_add(usize::try_from(at).ok()?)?;
                        Some(Fields(block.get(at..at + 8)?).u64(0))
                    })
                });
            if found.is_some() {
                return found;
            }
            at += step;
            left -= step;
        }
    }
    None
}

/// A file that can be loaded anywhere has the addresses in its relocations.
fn in_relocations<S: Source>(elf: &Elf<S>, table: u64, span: (u64, u64)) -> Option<u64> {
    let mut candidates = Vec::new();
    relocations(elf, |place, value| {
        if value == table && candidates.len() < MAX_CANDIDATES {
            candidates.push(place);
        }
    });
    candidates.into_iter().find_map(|start| {
        let end = start.checked_add(FIELDS.end + 24)?;
        let mut words = BTreeMap::new();
        relocations(elf, |place, value| {
            if (start..end).contains(&place) {
                words.insert(place - start, value);
            }
        });
        fitting(elf, span, |at| words.get(&at).copied())
    })
}

/// Calls `see` with the address and the value of each relative relocation.
fn relocations<S: Source>(elf: &Elf<S>, mut see: impl FnMut(u64, u64)) {
    const SIZE: usize = 24;
    let relative = match elf.machine {
        abi::EM_X86_64 => abi::R_X86_64_RELATIVE,
        abi::EM_AARCH64 => abi::R_AARCH64_RELATIVE,
        _ => return,
    };
    let mut left = MAX_SEARCH / 4;
    let mut block = Vec::new();
    for section in elf.sections.iter().filter(|section| section.kind == abi::SHT_RELA) {
        let size = section.size.min(left);
        left -= size;
        let mut at = 0;
        while at < size {
            let step = (SIZE as u64 * 8192).min(size - at);
            block.resize(usize::try_from(step).unwrap_or(0), 0);
            let Some(offset) = section.offset.checked_add(at) else { return };
            if fill(&elf.source, offset, &mut block).is_err() {
                break;
            }
            for entry in block.chunks_exact(SIZE).map(Fields) {
                if entry.u64(8) & 0xffff_ffff == relative {
                    see(entry.u64(0), entry.u64(16));
                }
            }
            at += step;
        }
    }
}
