//! Traces with right checksums: what is made of them (trim, merge, redact) is a whole trace again; diff.
#![no_main]

use ktape_format::Trace;
use ktape_fuzz::{Scratch, mutate_trace};
use ktape_tests::asked::{compared, rewritten};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_target!(|data: &[u8]| {
    Scratch::with(data, |path| {
        let Ok(trace) = Trace::open(path) else { return };
        compared(&trace, 1);
        rewritten(path, &trace);
    });
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate_trace(data, size, max_size, seed)
});
