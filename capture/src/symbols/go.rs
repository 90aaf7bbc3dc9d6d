//! Functions of Go programs, which keep a table of them when they are stripped.

use crate::symbols::elf::{Elf, Place, Section, Wanted};
use crate::symbols::gopclntab::Table;
use crate::symbols::moduledata;
use crate::symbols::source::{Source, fill};

/// Bytes of a section that are searched for the table at most.
const MAX_SEARCH: u64 = 64 << 20;

/// Names the open addresses that are in Go's code.
pub(super) fn places<S: Source>(elf: &Elf<S>, open: &mut Vec<Wanted>, found: &mut [Option<Place>]) {
    if open.is_empty() {
        return;
    }
    let Some(table) = complete_table(elf) else { return };
    let addresses: Vec<u64> = open.iter().map(|wanted| wanted.address).collect();
    for (wanted, place) in open.iter().zip(table.places(&elf.source, &addresses)) {
        found[wanted.slot] = place;
    }
    open.retain(|wanted| found[wanted.slot].is_none());
}

/// Addresses and lengths of the functions with these names; `None` when this is no Go program.
pub(super) fn addresses<S: Source>(
    elf: &Elf<S>,
    names: &[&str],
) -> Option<Vec<Option<(u64, u64)>>> {
    Some(complete_table(elf)?.addresses(&elf.source, names))
}

/// The table, with where code starts.
fn complete_table<S: Source>(elf: &Elf<S>) -> Option<Table> {
    let (address, mut table) = table(elf)?;
    if table.needs_text_start() {
        let span = table.span(&elf.source);
        let text = span
            .and_then(|span| moduledata::text_start(elf, address, span))
            .or_else(|| elf.section(".text").map(|text| text.address));
        table.set_text_start(text.unwrap_or(0));
    }
    Some(table)
}

/// The table and its address.
fn table<S: Source>(elf: &Elf<S>) -> Option<(u64, Table)> {
    let at = |section: &Section, skipped: u64| {
        let offset = section.offset.checked_add(skipped)?;
        let table = Table::open(&elf.source, offset, section.size.checked_sub(skipped)?)?;
        Some((section.address.checked_add(skipped)?, table))
    };
    let own = [".gopclntab", ".data.rel.ro.gopclntab"];
    if let Some(section) = own.iter().find_map(|name| elf.section(name)) {
        return at(section, 0);
    }
    // A C linker that makes a position-independent program puts the table in with other data
    // (up to Go 1.25). It starts with its magic number; the rest of its head must make sense too.
    elf.section(".go.buildinfo")?;
    let section = elf.section(".data.rel.ro")?;
    let mut block = vec![0; 256 << 10];
    let size = section.size.min(MAX_SEARCH);
    let mut start = 0;
    while start < size {
        let len = usize::try_from(size - start).unwrap_or(block.len()).min(block.len());
        let part = &mut block[..len];
        fill(&elf.source, section.offset.checked_add(start)?, part).ok()?;
        let heads = part.chunks_exact(8).zip((start..).step_by(8));
        let mut tables = heads
            .filter(|(head, _)| head[1..6] == [0xff, 0xff, 0xff, 0, 0] && head[7] == 8)
            .filter_map(|(_, skipped)| at(section, skipped));
        if let Some(found) = tables.next() {
            return Some(found);
        }
        start += len as u64;
    }
    None
}
