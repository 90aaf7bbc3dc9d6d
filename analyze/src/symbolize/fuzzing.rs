//! What the fuzz target of debug information needs.

use std::path::Path;

use super::elf_file::ElfFile;
use super::lookup::look_up;
use super::search::{Found, Place};

/// Reads an ELF file as `ktape symbolize` does when it has the right build-id, and looks up places all
/// over it.
pub fn debug_information(path: &Path) {
    for kernel in [false, true] {
        let Ok(elf) = ElfFile::read(path, kernel) else { return };
        let found = |place| Found {
            file: path.to_owned(),
            has_dwarf: elf.has_dwarf,
            supplement: elf.supplement.is_some().then(|| path.to_owned()),
            place,
        };
        let places = match elf.stext {
            Some(stext) => vec![Place::From(stext)],
            None if kernel => continue,
            None => {
                vec![Place::Segments(elf.segments.clone()), Place::Assumed(elf.assumed_layout())]
            }
        };
        for place in places {
            let offsets: Vec<u64> =
                (0..1 << 14).step_by(61).chain([1 << 32, u64::MAX - 1, u64::MAX]).collect();
            if let Ok(functions) = look_up(&found(place), &offsets) {
                assert_eq!(functions.len(), offsets.len());
            }
        }
    }
}
