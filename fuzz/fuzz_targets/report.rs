//! Traces with right checksums: every report in every form, flame graphs, script, Parquet.
#![no_main]

use std::sync::OnceLock;

use ktape_format::Trace;
use ktape_fuzz::mutate_trace;
use ktape_tests::asked::{reported, scripted, tabulated};
use ktape_tests::recorder::Folder;
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_target!(|data: &[u8]| {
    static FOLDER: OnceLock<Folder> = OnceLock::new();
    let Ok(trace) = Trace::from_stream(data) else { return };
    // One of the ways to group, the same for the same input; and not always what takes long.
    let choice = crc32c::crc32c(data) as usize;
    reported(&trace, 1, Some(choice >> 2));
    match choice % 4 {
        0 => tabulated(&trace, &FOLDER.get_or_init(Folder::new).file("parquet")),
        1 => scripted(&trace),
        _ => {}
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate_trace(data, size, max_size, seed)
});
