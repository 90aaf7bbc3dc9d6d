//! Allocations of a program that knows what it allocates.

use ktape_format::Trace;
use ktape_tests::facts::{losses, number, report, rows, rows_where};
use ktape_tests::live::{NotRun, say};
use ktape_tests::recorder::{Folder, record};
use ktape_tests::workload::{lines, number as parse, workload};
use serde_json::json;

/// The functions of `heap`, each on its own stack.
const FUNCTIONS: [&str; 5] = ["leak_some", "churn_calloc", "grow", "align", "work"];

pub(crate) fn exact() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("heap.ktape");
    let program = workload("heap");
    let ran = record(&trace, &["-e", "mem/heap=all/"], &[program.to_str().expect("UTF-8")]);
    let said = ran.expect(0).text();
    let opened = Trace::open(&trace).expect("a trace");
    let probe = opened.meta().probes.iter().find(|probe| probe.name == "mem").expect("mem");
    if !probe.attached.iter().any(|place| place.contains("uprobe:libc")) {
        return Err(NotRun(probe.reason.clone()));
    }
    let answer = report(&trace, &["mem", "--by", "heap"]);
    let stacks = answer["stacks"].as_array().expect("stacks");
    for function in FUNCTIONS {
        let words = &lines(&said, function)[0];
        let told = |at: usize| parse(&words[at]);
        let sum = |key: &str| -> u64 {
            let below = stacks.iter().filter(|row| {
                row["stack"].as_str().is_some_and(|stack| stack.ends_with(&format!(";{function}")))
            });
            below.map(|row| number(row, key)).sum()
        };
        for (at, key) in
            [(1, "allocations"), (2, "allocated_bytes"), (3, "frees"), (4, "freed_bytes")]
        {
            assert_eq!(sum(key), told(at), "{function}: {key}");
        }
        assert_eq!(sum("live_blocks"), told(1) - told(3), "{function}");
        assert_eq!(sum("live_bytes"), told(2) - told(4), "{function}");
        say(format!("{function}: {} allocations, {} bytes live", told(1), told(2) - told(4)));
    }
    let pid = parse(&lines(&said, "heap")[0][1]);
    assert_eq!(rows_where(&answer, "heap_processes", "pid", &json!(pid)).len(), 1, "{answer:#}");
    let facts = rows(&opened, "heap_total", ["count", "frees", "unknown_frees"]);
    let calls: u64 = facts.iter().flatten().sum();
    assert_eq!(losses(&opened, "heap_total"), (calls, 0));
    Ok(())
}
