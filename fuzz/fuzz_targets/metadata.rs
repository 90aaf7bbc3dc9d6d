//! The metadata of the header: any bytes behind right checksums; what is read can be written again.
#![no_main]

use ktape_analyze::info::{InfoOptions, info};
use ktape_analyze::reports::REPORTS;
use ktape_analyze::run::Query;
use ktape_format::{Options, Trace, Writer};
use ktape_fuzz::with_header;
use ktape_tests::asked::{asked_for, rendered};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(trace) = Trace::from_stream(&with_header(data)[..]) else { return };
    rendered("info", &info(&trace, InfoOptions::default()));
    let overview = REPORTS.iter().find(|report| report.name == "overview");
    let overview = overview.expect("the report overview");
    if let Ok(answer) = overview.run(&asked_for(overview, None), &trace, &Query::default()) {
        rendered("overview", &answer);
    }
    // A trace without a schema takes the program's own.
    if trace.meta().schema.is_empty() {
        return;
    }
    let writer = Writer::new(Vec::new(), trace.meta().clone(), Options::default());
    let (bytes, _) = writer.expect("what was read").finish().expect("written to memory");
    let again = Trace::from_stream(&bytes[..]).expect("what was written");
    assert_eq!(again.meta(), trace.meta());
});
