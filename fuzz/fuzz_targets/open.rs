//! Any file as a trace: header, index, scan, definitions, `info`, `verify`, `recover`.
#![no_main]

use ktape_analyze::dangling::dangling;
use ktape_analyze::info::{InfoOptions, info};
use ktape_format::{State, Trace, recover, verify};
use ktape_fuzz::{Scratch, mutate_trace};
use ktape_tests::asked::rendered;
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_target!(|data: &[u8]| {
    Scratch::with(data, |path| {
        let opened = Trace::open(path);
        if let Ok(trace) = &opened {
            let size = trace.size();
            for (chunk, next) in trace.chunks().iter().zip(trace.chunks().iter().skip(1)) {
                assert!(chunk.offset + u64::from(chunk.len) <= next.offset, "chunks overlap");
            }
            for damage in trace.state().damages() {
                assert!(damage.offset + damage.len <= size, "damage beyond the end");
            }
            for problem in verify(trace) {
                assert!(problem.to_string().contains("offset"), "{problem}");
            }
            for dangling in dangling(trace) {
                assert!(!dangling.to_string().is_empty());
            }
            rendered("info", &info(trace, InfoOptions::default()));
        }
        let mut saved = Vec::new();
        if let Ok(recovered) = recover(path, &mut saved) {
            let again = Trace::from_stream(&saved[..]).expect("what recover writes can be read");
            assert_eq!(*again.state(), State::Complete);
            assert_eq!(verify(&again), [], "{recovered:?}");
        }
    });
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate_trace(data, size, max_size, seed)
});
