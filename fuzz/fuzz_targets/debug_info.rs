//! ELF files as `ktape symbolize` reads them: build-id, segments, symbols, DWARF.
#![no_main]

use ktape_fuzz::Scratch;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| Scratch::with(data, ktape_analyze::fuzzing::debug_information));
