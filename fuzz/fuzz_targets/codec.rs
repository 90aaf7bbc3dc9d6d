//! Every codec: any bytes decode to as many rows as asked or not at all, any column comes back.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [mode, shape, rows @ ..] = data else { return };
    if mode % 2 == 0 {
        ktape_format::fuzzing::any_bytes(*shape, rows);
    } else {
        ktape_format::fuzzing::round_trip(*shape, rows);
    }
});
