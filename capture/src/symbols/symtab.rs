//! .symtab and .dynsym: functions with their addresses and sizes.

use crate::symbols::abi;
use crate::symbols::choice::{Choice, Choices};
use crate::symbols::elf::{Elf, Place, Section};
use crate::symbols::source::{Fields, Source, bytes, fill, name};

/// Symbols that are read of a table at most: three times what the largest browsers have.
const MAX_SYMBOLS: u64 = 8 << 20;
/// Bytes of names that are read at most where functions are looked up by name.
const MAX_NAMES: usize = 64 << 20;
/// Symbols read at a time.
const BLOCK: usize = 8192;

/// Offers each function of a table to the wanted addresses. Ends early where the file does.
pub(super) fn scan<S: Source>(elf: &Elf<S>, table: &Section, choices: &mut Choices<'_>) {
    each(elf, table, |symbol| choices.offer(symbol.value, symbol.size, symbol.rank, symbol.name));
}

fn each<S: Source>(elf: &Elf<S>, table: &Section, mut see: impl FnMut(&Symbol)) {
    let size = if elf.wide { 24 } else { 16 };
    let mut left = (table.size / size as u64).min(MAX_SYMBOLS);
    let mut offset = table.offset;
    let mut block = vec![0; size * BLOCK.min(usize::try_from(left).unwrap_or(BLOCK))];
    while left > 0 {
        let count = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
        let part = &mut block[..count * size];
        if fill(&elf.source, offset, part).is_err() {
            return;
        }
        for entry in part.chunks_exact(size) {
            if let Some(symbol) = Symbol::parse(elf, Fields(entry)) {
                see(&symbol);
            }
        }
        left -= count as u64;
        offset += part.len() as u64;
    }
}

/// Puts down the addresses of the functions with these names that are not known yet.
pub(super) fn addresses<S: Source>(
    elf: &Elf<S>,
    table: &Section,
    names: &[&str],
    found: &mut [Option<u64>],
) {
    let Some(strings) = elf.sections.get(table.link as usize) else { return };
    let Ok(strings) = bytes(&elf.source, strings.offset, strings.size, MAX_NAMES) else { return };
    each(elf, table, |symbol| {
        let Some(rest) = strings.get(symbol.name as usize..) else { return };
        // One that is asked for twice gets two answers.
        for (name, place) in names.iter().zip(found.iter_mut()) {
            let after = rest.strip_prefix(name.as_bytes());
            if after.is_some_and(|after| matches!(after, [0 | b'@', ..])) {
                place.get_or_insert(symbol.value);
            }
        }
    });
}

/// Reads the names of a choice: the shortest one stands for the address, the first in the order
/// of bytes among those.
pub(super) fn place<S: Source>(
    elf: &Elf<S>,
    table: &Section,
    choice: &Choice,
    address: u64,
) -> Option<Place> {
    let value = choice.value()?;
    let strings = elf.sections.get(table.link as usize)?;
    let end = strings.offset.saturating_add(strings.size);
    let name = choice
        .names()
        .filter_map(|at| name(&elf.source, strings.offset.checked_add(u64::from(at))?, end))
        .min_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)))?;
    Some(Place { name: without_version(name), offset: address - value })
}

/// Cuts the version off a name such as `memcpy@@GLIBC_2.14`.
fn without_version(mut name: Vec<u8>) -> Vec<u8> {
    if let Some(at) = name.iter().position(|&b| b == b'@').filter(|&at| at > 0) {
        name.truncate(at);
    }
    name
}

/// A symbol of code.
struct Symbol {
    value: u64,
    size: u64,
    /// The lower the better: functions before labels; global, weak, local.
    rank: u8,
    name: u32,
}

impl Symbol {
    fn parse<S: Source>(elf: &Elf<S>, entry: Fields<'_>) -> Option<Symbol> {
        let name = entry.u32(0);
        let (value, size, info, section) = if elf.wide {
            (entry.u64(8), entry.u64(16), entry.0[4], entry.u16(6))
        } else {
            (u64::from(entry.u32(4)), u64::from(entry.u32(8)), entry.0[12], entry.u16(14))
        };
        if name == 0 || matches!(section, abi::SHN_UNDEF | abi::SHN_ABS | abi::SHN_COMMON) {
            return None;
        }
        let bind = info >> 4;
        let is_label = match info & 0xf {
            abi::STT_FUNC | abi::STT_GNU_IFUNC => false,
            // Assemblers mark the kinds of bytes with local labels ($x, $d) where they mix.
            abi::STT_NOTYPE => {
                let has_marks = elf.machine != abi::EM_X86_64 && elf.machine != abi::EM_386;
                if bind == abi::STB_LOCAL && has_marks || !elf.is_code(section) {
                    return None;
                }
                true
            }
            _ => return None,
        };
        let bind = match bind {
            abi::STB_GLOBAL | abi::STB_GNU_UNIQUE => 0,
            abi::STB_WEAK => 1,
            _ => 2,
        };
        Some(Symbol { value, size, rank: if is_label { bind + 3 } else { bind }, name })
    }
}
