//! A trace with right checksums and everything that can be asked of it: reports in every form, diff,
//! exports, script, trim, merge, redact.
#![no_main]

use ktape_fuzz::{Scratch, mutate_trace};
use ktape_tests::asked::ask_all;
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_target!(|data: &[u8]| {
    Scratch::with(data, |path| ask_all(path, 1));
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate_trace(data, size, max_size, seed)
});
