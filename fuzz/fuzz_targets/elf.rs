//! ELF files as the recorder reads them, with root's rights: sections, symbols, build-id, Go's tables,
//! the procedure linkage table.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| ktape_capture::fuzzing::elf(data));
