//! What fuzz targets need of the insides: all that reads files of others with the recorder's rights.

use crate::golang::{LONGEST, PROLOGUE, call_of, cheap_instruction};
use crate::proc::executable;
use crate::symbols::{self, Elf, KernelLayout, resolve_kernel};

/// Functions that are looked up by name: those that a probe attaches to, and some of small files.
const NAMES: &[&str] = &["SSL_write", "main", "a", "crypto/tls.(*Conn).Write", "main.g"];

/// Reads all that the recorder wants of an ELF file.
pub fn elf(file: &[u8]) {
    let Ok(elf) = Elf::open(file) else { return };
    if let Some(id) = elf.build_id() {
        assert!(id.len() <= 128, "{id}");
    }
    let step = (file.len() / 200).max(1);
    let offsets: Vec<u64> =
        (0..file.len() as u64).step_by(step).chain([u64::MAX - 1, u64::MAX]).collect();
    let places = elf.places(&offsets);
    assert_eq!(places.len(), offsets.len());
    for place in places.into_iter().flatten() {
        demangled(&place.name);
    }
    assert_eq!(elf.functions(NAMES).len(), NAMES.len());
    let Some(functions) = elf.go_functions(NAMES) else { return };
    for at in functions.into_iter().flatten() {
        let code = elf.code(at, LONGEST).unwrap_or_default();
        cheap_instruction(&code[..code.len().min(PROLOGUE)]);
        call_of(&code, at.offset, at.offset);
    }
}

/// The readable form of a symbol's name.
pub fn demangled(raw: &[u8]) -> String {
    let name = symbols::demangle(raw);
    assert!(name.len() <= 1024, "{} bytes", name.len());
    name
}

/// Reads the text of /proc/PID/maps.
pub fn maps(text: &[u8]) {
    for mapping in executable(text) {
        assert!(mapping.start < mapping.end);
    }
}

/// Reads the text of /proc/kallsyms, and, behind a NUL, of /proc/modules.
pub fn kallsyms(text: &[u8]) {
    let mut parts = text.splitn(2, |byte| *byte == 0);
    let (symbols, modules) = (parts.next().unwrap_or_default(), parts.next());
    let Ok(layout) = KernelLayout::read(symbols, modules) else { return };
    let image = layout.image.iter().flat_map(|range| [range.start, range.end]);
    let modules = layout.modules.iter().flat_map(|module| [module.base, module.end]);
    let mut wanted: Vec<u64> = [0, layout.stext, u64::MAX].into_iter().chain(image).collect();
    wanted.extend(modules.flat_map(|at| [at, at.saturating_add(100)]));
    wanted.sort_unstable();
    if let Ok(found) = resolve_kernel(symbols, &layout, &wanted) {
        assert_eq!(found.len(), wanted.len());
    }
}

/// Looks for the beginning of a Go function, and for a call in it.
pub fn code(bytes: &[u8]) {
    cheap_instruction(bytes);
    let Some((callee, code)) = bytes.split_first_chunk() else { return };
    call_of(&code[..code.len().min(LONGEST)], 0x1000, u64::from_le_bytes(*callee));
}
