//! Page faults and memory of a program that knows both.

use ktape_format::Trace;
use ktape_tests::facts::{losses, number, report, rows, rows_where};
use ktape_tests::live::{NotRun, say};
use ktape_tests::recorder::{Folder, record};
use ktape_tests::workload::{lines, number as parse, workload};
use serde_json::{Value, json};

/// Records `faults`; gives the trace and what it said.
fn recorded(folder: &Folder, probe: &str) -> (std::path::PathBuf, String) {
    let trace = folder.file("faults.ktape");
    // Not in memory: a file of tmpfs is never read in.
    let file = workload("faults").with_extension("dat");
    let program = workload("faults");
    let command = [program.to_str().expect("UTF-8"), file.to_str().expect("UTF-8")];
    let ran = record(&trace, &["-e", probe], &command).expect(0);
    std::fs::remove_file(&file).expect("its file");
    (trace, ran.text())
}

/// The row of a stack below this function.
fn below<'a>(answer: &'a Value, function: &str) -> &'a Value {
    let rows = answer["stacks"].as_array().expect("stacks");
    let found = rows.iter().find(|row| {
        row["stack"].as_str().is_some_and(|stack| stack.ends_with(&format!(";{function}")))
    });
    found.unwrap_or_else(|| panic!("no {function} in {answer:#}"))
}

pub(crate) fn faults() -> Result<(), NotRun> {
    let folder = Folder::new();
    let (trace, said) = recorded(&folder, "mem");
    let all = &lines(&said, "all")[0];
    let (pid, minor, major) = (parse(&all[1]), parse(&all[2]), parse(&all[3]));
    let answer = report(&trace, &["mem", "--pid", &all[1]]);
    let row = rows_where(&answer, "processes", "pid", &json!(pid))[0];
    let found = number(row, "minor_faults");
    let by_stack = report(&trace, &["mem", "--by", "stack", "--pid", &all[1]]);
    for (part, touches, key) in
        [("minor", "touch_memory", "minor_faults"), ("major", "touch_file", "major_faults")]
    {
        let words = &lines(&said, part)[0];
        let touched = parse(&words[2]);
        assert_eq!(parse(&words[if part == "minor" { 3 } else { 4 }]), touched, "{said}");
        assert_eq!(number(below(&by_stack, touches), key), touched, "{part}");
        say(format!("{part}: {touched} pages touched, as many faults below {touches}"));
    }
    assert_eq!(number(row, "major_faults"), major, "{row}");
    // getrusage(2) also counts what the kernel provides while exec builds the new image, before the
    // process is released and in the recorder's fork, and misses what comes after the last look.
    say(format!("in all {found} minor faults, of getrusage {minor}; {major} major ones"));
    assert!(found.abs_diff(minor) <= 150, "{found} minor faults, {minor} of getrusage");

    let opened = Trace::open(&trace).expect("a trace");
    let facts = rows(&opened, "page_fault", ["tgid", "duration", "flags", "ustack"]);
    assert_eq!(losses(&opened, "page_fault"), (facts.len() as u64, 0));
    assert!(facts.iter().all(|fact| fact[3] != 0), "{facts:?}");
    let probe = opened.meta().probes.iter().find(|probe| probe.name == "mem").expect("mem");
    if probe.attached.iter().any(|place| place.contains("page_fault_user")) {
        assert!(facts.iter().all(|fact| fact[2] & 2 != 0 && fact[1] > 0), "{facts:?}");
        assert!(number(row, "major_ns") > 0, "{row}");
    }
    Ok(())
}

/// Where faults come from more places than there is room for, they lose their place and not their count.
pub(crate) fn places() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("places.ktape");
    let program = workload("places");
    let ran = record(&trace, &["-e", "mem"], &[program.to_str().expect("UTF-8")]).expect(0).text();
    let opened = Trace::open(&trace).expect("a trace");
    let facts = rows(&opened, "fault_total", ["tgid", "count", "ustack"]);
    let all: u64 = facts.iter().map(|fact| fact[1]).sum();
    assert_eq!(losses(&opened, "fault_total"), (all, 0));
    let without: u64 = facts.iter().filter(|fact| fact[2] == 0).map(|fact| fact[1]).sum();
    assert!(without > 0 && without < all, "{without} of {all} without a place");
    let answer = report(&trace, &["mem", "--top", "0"]);
    for words in lines(&ran, "places") {
        let [pid, touched, minor] = [1, 2, 3].map(|at| parse(&words[at]));
        let found = number(rows_where(&answer, "processes", "pid", &json!(pid))[0], "minor_faults");
        assert!(found >= touched, "{found} faults of {touched} pages");
        // Some come after the last look.
        assert!(found.abs_diff(minor) <= 50, "{found} minor faults, {minor} of getrusage");
    }
    say(format!("{all} faults, {without} of them without a place"));
    Ok(())
}

pub(crate) fn memory() -> Result<(), NotRun> {
    let folder = Folder::new();
    let (trace, said) = recorded(&folder, "mem/every=100ms/");
    let words = &lines(&said, "memory")[0];
    let (pid, anonymous) = (parse(&words[1]), parse(&words[2]) * 1024);
    let opened = Trace::open(&trace).expect("a trace");
    let page = u64::from(opened.meta().host.page_size);
    let samples = rows(&opened, "memory_use", ["tgid", "anon_pages", "flags"]);
    let last = samples.iter().rfind(|sample| sample[0] == pid).expect("a sample");
    say(format!("{} bytes anonymous, in /proc {anonymous}", last[1] * page));
    let answer = report(&trace, &["mem", "--pid", &words[1]]);
    let row = rows_where(&answer, "processes", "pid", &json!(pid))[0];
    assert_eq!(number(row, "anon_bytes"), last[1] * page, "{row}");
    // What /proc itself said was exact only since 6.16; the few pages are those of its own reading.
    let slack = if last[2] == 0 { 8 * page } else { 128 * page };
    assert!(number(row, "anon_bytes").abs_diff(anonymous) <= slack, "{row}: {anonymous}");
    Ok(())
}

pub(crate) fn kernel() -> Result<(), NotRun> {
    let folder = Folder::new();
    let (trace, said) = recorded(&folder, "mem/kernel=all/");
    let minor = parse(&lines(&said, "minor")[0][2]);
    let answer = report(&trace, &["mem", "--by", "site"]);
    let row = rows_where(&answer, "kernel", "what", &json!("page_alloc"))[0];
    // Each touch of fresh memory takes a page.
    let (count, bytes) = (number(row, "count"), number(row, "total_bytes"));
    say(format!("{count} allocations of pages, {bytes} bytes, for {minor} fresh pages and a file"));
    assert!(bytes >= minor * 4096, "{row}");
    let named = |row: &&Value| {
        let site = row["site"].as_str().unwrap_or_default();
        row["what"] == json!("kmalloc") && !site.is_empty() && !site.starts_with('[')
    };
    let sites = answer["sites"].as_array().expect("sites");
    assert!(sites.iter().any(|row| named(&row) && number(row, "total_bytes") > 0), "{answer:#}");
    assert!(!rows_where(&answer, "kernel", "what", &json!("cache_free")).is_empty(), "{answer:#}");
    Ok(())
}
