//! The object of all kernel programs, reduced to those of one recording.
//!
//! The loader resolves every CO-RE relocation of an object, of programs that are never loaded, too.
//! Each kernel type that they touch costs it a pass over all types of the kernel, a millisecond, and
//! one that cannot be resolved on some kernel fails the whole load. So the relocations of programs
//! that a recording does not use are taken out beforehand (`.BTF.ext`, see
//! Documentation/bpf/btf.rst of the kernel).

use object::read::elf::ElfFile64;
use object::{
    Endianness, Object, ObjectSection, ObjectSymbol, RelocationTarget, SectionIndex, SectionKind,
    SymbolKind,
};
use rustc_hash::{FxHashMap, FxHashSet};

/// A function of the object.
struct Function<'a> {
    section: SectionIndex,
    /// Bytes from the start of the section.
    start: u64,
    end: u64,
    name: &'a str,
}

/// The object with the relocations of these programs, and of the functions that they call, only. One
/// that cannot be read this way is given back as it is.
pub(crate) fn reduce(object: &[u8], programs: &FxHashSet<&str>) -> Vec<u8> {
    let mut bytes = object.to_vec();
    if let Some(patch) = patch(object, programs) {
        let end = patch.at + patch.bytes.len();
        if let Some(place) = bytes.get_mut(patch.at..end) {
            place.copy_from_slice(&patch.bytes);
        }
    }
    bytes
}

/// New bytes of the section `.BTF.ext`.
struct Patch {
    at: usize,
    bytes: Vec<u8>,
}

fn patch(object: &[u8], programs: &FxHashSet<&str>) -> Option<Patch> {
    let elf: ElfFile64<'_, Endianness> = ElfFile64::parse(object).ok()?;
    let functions: Vec<Function<'_>> = elf
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0)
        .filter_map(|symbol| {
            Some(Function {
                section: symbol.section_index()?,
                start: symbol.address(),
                end: symbol.address() + symbol.size(),
                name: symbol.name().ok()?,
            })
        })
        .collect();
    let used = reached(&elf, &functions, programs)?;
    let ext = elf.section_by_name(".BTF.ext")?;
    let (at, _) = ext.file_range()?;
    let strings = Strings::of(elf.section_by_name(".BTF")?.data().ok()?)?;
    let keep = |section: &str, offset: u64| {
        let Some(section) = elf.section_by_name(section) else { return true };
        let inside = |function: &Function<'_>| {
            function.section == section.index() && (function.start..function.end).contains(&offset)
        };
        functions.iter().position(inside).is_none_or(|at| used.contains(&at))
    };
    let bytes = filter(ext.data().ok()?, &strings, keep)?;
    Some(Patch { at: usize::try_from(at).ok()?, bytes })
}

/// One instruction (include/uapi/linux/bpf.h, `struct bpf_insn`).
const INSN: usize = 8;
/// A call, whose source register says of what.
const CALL: u8 = 0x85;
/// Of a function of this object.
const PSEUDO_CALL: u8 = 1;
/// Loads 64 bits, over two instructions: also the address of a function.
const LOAD_64: u8 = 0x18;

/// The functions that these programs are made of, by position; `None` when a call leads to none.
fn reached(
    elf: &ElfFile64<'_, Endianness>,
    functions: &[Function<'_>],
    programs: &FxHashSet<&str>,
) -> Option<FxHashSet<usize>> {
    let mut used: FxHashSet<usize> = FxHashSet::default();
    let mut next: Vec<usize> =
        (0..functions.len()).filter(|&at| programs.contains(functions[at].name)).collect();
    let code: FxHashSet<SectionIndex> = elf
        .sections()
        .filter(|section| section.kind() == SectionKind::Text)
        .map(|section| section.index())
        .collect();
    let mut relocations: FxHashMap<SectionIndex, FxHashMap<u64, (SectionIndex, u64)>> =
        FxHashMap::default();
    for section in elf.sections().filter(|section| code.contains(&section.index())) {
        let of_section = relocations.entry(section.index()).or_default();
        for (offset, relocation) in section.relocations() {
            let RelocationTarget::Symbol(symbol) = relocation.target() else { continue };
            let symbol = elf.symbol_by_index(symbol).ok()?;
            if let Some(target) = symbol.section_index()
                && code.contains(&target)
            {
                of_section.insert(offset, (target, symbol.address()));
            }
        }
    }
    while let Some(at) = next.pop() {
        if !used.insert(at) {
            continue;
        }
        let function = &functions[at];
        let data = elf.section_by_index(function.section).ok()?.data().ok()?;
        let body = data.get(function.start as usize..function.end as usize)?;
        let relocated = relocations.get(&function.section)?;
        for (index, insn) in body.chunks_exact(INSN).enumerate() {
            let offset = function.start + (index * INSN) as u64;
            let value = i64::from(i32::from_ne_bytes(insn[4..8].try_into().ok()?));
            let called = (value + 1) * INSN as i64;
            let (section, start) = match (insn[0], insn[1] >> 4, relocated.get(&offset)) {
                (CALL, PSEUDO_CALL, Some(&(section, symbol))) => (section, symbol as i64 + called),
                (CALL, PSEUDO_CALL, None) => (function.section, offset as i64 + called),
                (LOAD_64, _, Some(&(section, symbol))) => (section, symbol as i64 + value),
                _ => continue,
            };
            let begins = |function: &Function<'_>| {
                function.section == section && function.start as i64 == start
            };
            next.push(functions.iter().position(begins)?);
        }
    }
    Some(used)
}

/// The string table of a `.BTF` section.
struct Strings<'a>(&'a [u8]);

impl<'a> Strings<'a> {
    /// `struct btf_header`: magic, version, flags, hdr_len, type_off, type_len, str_off, str_len.
    fn of(btf: &'a [u8]) -> Option<Strings<'a>> {
        let start = u64::from(word(btf, 4)?) + u64::from(word(btf, 16)?);
        let end = start + u64::from(word(btf, 20)?);
        Some(Strings(btf.get(start as usize..end as usize)?))
    }

    fn get(&self, at: u32) -> Option<&'a str> {
        let text = self.0.get(at as usize..)?;
        let end = text.iter().position(|&byte| byte == 0)?;
        std::str::from_utf8(&text[..end]).ok()
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

/// A `.BTF.ext` section without the CO-RE relocations that are not kept.
///
/// Its header (`struct btf_ext_header`) has at 4 its length, at 24 and 28 offset and length of the
/// relocations. Those begin with the size of a record; then comes for each section its name, the
/// number of its records, and the records, whose first word is the offset of the instruction.
fn filter(ext: &[u8], strings: &Strings<'_>, keep: impl Fn(&str, u64) -> bool) -> Option<Vec<u8>> {
    let begin = (word(ext, 4)? + word(ext, 24)?) as usize;
    let end = begin + word(ext, 28)? as usize;
    let size = word(ext, begin)? as usize;
    let mut out = ext.to_vec();
    let mut rest = ext.get(begin + 4..end)?;
    let mut at = begin + 4;
    while !rest.is_empty() {
        let name = strings.get(word(rest, 0)?)?;
        let count = word(rest, 4)? as usize;
        let records = rest.get(8..8 + count * size)?;
        let head = at;
        let mut kept = 0_u32;
        for record in records.chunks_exact(size) {
            if keep(name, word(record, 0)?.into()) {
                let to = head + 8 + kept as usize * size;
                out[to..to + size].copy_from_slice(record);
                kept += 1;
            }
        }
        if kept > 0 {
            out[head..head + 4].copy_from_slice(&rest[..4]);
            out[head + 4..head + 8].copy_from_slice(&kept.to_ne_bytes());
            at = head + 8 + kept as usize * size;
        }
        rest = &rest[8 + count * size..];
    }
    out[28..32].copy_from_slice(&((at - begin) as u32).to_ne_bytes());
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Programs and how many relocations they keep.
    fn relocations(object: &[u8]) -> u32 {
        let elf: ElfFile64<'_, Endianness> = ElfFile64::parse(object).unwrap();
        let ext = elf.section_by_name(".BTF.ext").unwrap().data().unwrap();
        (word(ext, 28).unwrap() - 4)
            / word(ext, (word(ext, 4).unwrap() + word(ext, 24).unwrap()) as usize).unwrap()
    }

    #[test]
    fn only_what_is_used_is_relocated() {
        let object = ktape_ebpf::object();
        let elf: ElfFile64<'_, Endianness> = ElfFile64::parse(object).unwrap();
        let all: FxHashSet<&str> = elf
            .symbols()
            .filter(|symbol| symbol.kind() == SymbolKind::Text)
            .map(|symbol| symbol.name().unwrap())
            .collect();
        assert!(all.contains("sched_switch") && all.contains("walk_user"));
        assert_eq!(reduce(object, &all), object);
        let of = |programs: &[&str]| {
            let reduced = reduce(object, &programs.iter().copied().collect());
            assert_eq!(reduced.len(), object.len());
            relocations(&reduced)
        };
        assert_eq!(of(&[]), 0);
        let (sample, fork) = (of(&["cpu_sample"]), of(&["lifecycle_fork"]));
        // The sample's user stack is walked by a function of its own.
        assert!(sample > 1 && fork > 1);
        assert!(of(&["cpu_sample", "lifecycle_fork"]) < relocations(object) / 2);
        assert!(of(&["walk_user"]) >= 1 && of(&["walk_user"]) < sample);
    }
}
