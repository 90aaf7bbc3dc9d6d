//! Texts: maps and kallsyms of /proc, names to be demangled, prologues of Go, escapes.
#![no_main]

use ktape_analyze::render::{escape_folded, escape_text};
use ktape_fuzz::Scratch;
use ktape_tests::harmless::harmless;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [which, text @ ..] = data else { return };
    match which % 6 {
        0 => ktape_capture::fuzzing::maps(text),
        1 => ktape_capture::fuzzing::kallsyms(text),
        2 => harmless(
            "a name",
            escape_text(ktape_capture::fuzzing::demangled(text).as_bytes()).as_bytes(),
        ),
        3 => ktape_capture::fuzzing::code(text),
        4 => Scratch::with(text, ktape_analyze::fuzzing::kallsyms),
        _ => {
            harmless("text", escape_text(text).as_bytes());
            let folded = escape_folded(text);
            harmless("a folded stack", folded.as_bytes());
            assert!(!folded.contains(';'));
        }
    }
});
