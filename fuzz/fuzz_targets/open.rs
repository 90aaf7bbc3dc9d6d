//! Any file as a trace: header, index, scan, definitions, `info`, `verify`, `recover`.
#![no_main]

use ktape_analyze::info::{InfoOptions, info};
use ktape_format::Trace;
use ktape_fuzz::{Scratch, mutate_trace};
use ktape_tests::asked::{checked, recovered, rendered};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_target!(|data: &[u8]| {
    Scratch::with(data, |path| {
        if let Ok(trace) = Trace::open(path) {
            for (chunk, next) in trace.chunks().iter().zip(trace.chunks().iter().skip(1)) {
                assert!(chunk.offset + u64::from(chunk.len) <= next.offset, "chunks overlap");
            }
            for damage in trace.state().damages() {
                assert!(damage.offset + damage.len <= trace.size(), "damage beyond the end");
            }
            checked(&trace);
            rendered("info", &info(&trace, InfoOptions::default()));
        }
        recovered(path);
    });
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate_trace(data, size, max_size, seed)
});
