//! The procedure linkage table: stubs that call functions of other files.

use crate::symbols::abi;
use crate::symbols::elf::{Elf, Place, Section, Wanted};
use crate::symbols::source::{Fields, Source, bytes, name};

/// Bytes of relocations that are read at most.
const MAX_RELOCATIONS: usize = 4 << 20;

/// Names stubs `function@plt` where .rela.plt tells. 64-bit x86 and Arm only.
pub(super) fn places<S: Source>(elf: &Elf<S>, open: &mut Vec<Wanted>, found: &mut [Option<Place>]) {
    if !elf.wide || !matches!(elf.machine, abi::EM_X86_64 | abi::EM_AARCH64) {
        return;
    }
    let sections: Vec<&Section> =
        [".plt", ".plt.sec"].iter().filter_map(|name| elf.section(name)).collect();
    let holding = |address: u64| {
        let holds = |section: &&&Section| {
            address.checked_sub(section.address).is_some_and(|at| at < section.size)
        };
        sections.iter().find(holds).copied()
    };
    if !open.iter().any(|wanted| holding(wanted.address).is_some()) {
        return;
    }
    let Some(relocations) = Relocations::read(elf) else { return };
    for wanted in open.iter() {
        let Some(section) = holding(wanted.address) else { continue };
        let at = wanted.address - section.address;
        let stub = if elf.machine == abi::EM_X86_64 {
            let start = at / 16 * 16;
            relocations.of_x86_stub(elf, section, start).map(|index| (index, at - start))
        } else {
            // A head of 32 bytes, then stubs of one size: 16, or 24 with branch targets.
            let size = if section.entry_size == 24 { 24 } else { 16 };
            at.checked_sub(32).map(|at| (at / size, at % size))
        };
        found[wanted.slot] = stub.and_then(|(index, offset)| {
            let mut name = relocations.name(elf, index)?;
            name.extend_from_slice(b"@plt");
            Some(Place { name, offset })
        });
    }
    open.retain(|wanted| found[wanted.slot].is_none());
}

/// .rela.plt: which slot of the global offset table holds which function's address.
struct Relocations {
    table: Vec<u8>,
    /// (slot, index), sorted.
    slots: Vec<(u64, u64)>,
    /// The section number of its symbol table.
    symbols: u32,
}

impl Relocations {
    const SIZE: usize = 24;

    fn read<S: Source>(elf: &Elf<S>) -> Option<Relocations> {
        let section = elf.section(".rela.plt")?;
        let table = bytes(&elf.source, section.offset, section.size, MAX_RELOCATIONS).ok()?;
        let mut slots: Vec<(u64, u64)> = table
            .chunks_exact(Relocations::SIZE)
            .zip(0..)
            .map(|(entry, index)| (Fields(entry).u64(0), index))
            .collect();
        slots.sort_unstable();
        Some(Relocations { table, slots, symbols: section.link })
    }

    /// The relocation of the 16 bytes of code at `start`: they jump through a slot (`ff 25`), or
    /// push the relocation's number and jump to the head (`68`).
    fn of_x86_stub<S: Source>(&self, elf: &Elf<S>, plt: &Section, start: u64) -> Option<u64> {
        let code = bytes(&elf.source, plt.offset.checked_add(start)?, 16, 16).ok()?;
        if let Some(jump) = code.windows(6).position(|code| code.starts_with(&[0xff, 0x25])) {
            let next = plt.address.checked_add(start)?.checked_add(jump as u64 + 6)?;
            let distance = i64::from(Fields(&code).u32(jump + 2).cast_signed());
            let slot = next.wrapping_add_signed(distance);
            let at = self.slots.partition_point(|&(known, _)| known < slot);
            return self.slots.get(at).filter(|&&(known, _)| known == slot).map(|&(_, at)| at);
        }
        let endbr64 = [0xf3, 0x0f, 0x1e, 0xfa];
        let push = if code.starts_with(&endbr64) { 4 } else { 0 };
        (code.get(push) == Some(&0x68)).then(|| u64::from(Fields(&code).u32(push + 1)))
    }

    fn name<S: Source>(&self, elf: &Elf<S>, index: u64) -> Option<Vec<u8>> {
        let at = usize::try_from(index).ok()?.checked_mul(Relocations::SIZE)?;
        let symbol = Fields(self.table.get(at..at + Relocations::SIZE)?).u64(8) >> 32;
        let symbols = elf.sections.get(self.symbols as usize)?;
        let strings = elf.sections.get(symbols.link as usize)?;
        let entry = bytes(&elf.source, symbols.offset.checked_add(symbol * 24)?, 24, 24).ok()?;
        let at = match Fields(&entry).u32(0) {
            0 => return None,
            at => strings.offset.checked_add(u64::from(at))?,
        };
        name(&elf.source, at, strings.offset.saturating_add(strings.size))
    }
}
