//! perf.data: refused, or made into a whole trace whose ids are all defined.
#![no_main]

use ktape_analyze::dangling::dangling;
use ktape_analyze::import::{ImportPerf, import_perf};
use ktape_format::{State, Trace, verify};
use ktape_fuzz::Scratch;
use ktape_tests::asked::rendered;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut out = Vec::new();
    let imported = Scratch::with(data, |path| import_perf(path, &ImportPerf::default(), &mut out));
    let Ok(answer) = imported else { return };
    rendered("import", &answer);
    let trace = Trace::from_stream(&out[..]).expect("what import writes can be read");
    assert_eq!(*trace.state(), State::Complete);
    assert_eq!(verify(&trace), []);
    assert_eq!(dangling(&trace), []);
});
