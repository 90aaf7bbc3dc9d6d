//! What perf recorded, imported, against what ktape recorded at the same time.

use std::path::Path;
use std::process::Command;

use ktape_format::Trace;
use ktape_tests::binary::ktape;
use ktape_tests::facts::{losses, number, off_by, report, rows, rows_where};
use ktape_tests::live::{NotRun, needs_program, say};
use ktape_tests::ran::Ran;
use ktape_tests::recorder::Folder;
use ktape_tests::workload::workload;
use serde_json::{Value, json};

use crate::waits::{Thread, threads};

const EVENTS: &str = "sched:sched_switch,sched:sched_waking,sched:sched_wakeup_new,cpu-clock";

/// What a trace says of a thread between its first look at the clock and its last.
fn of_thread(trace: &Path, thread: &Thread) -> Value {
    let start = Trace::open(trace).expect("a trace").meta().start.mono;
    let time = format!("{}ns,{}ns", thread.from - start, thread.to - start);
    let answer = report(trace, &["offcpu", "--by", "thread", "--time", &time]);
    let rows = rows_where(&answer, "threads", "tid", &json!(thread.tid));
    assert_eq!(rows.len(), 1, "{} once in {answer}", thread.name);
    rows[0].clone()
}

pub(crate) fn import() -> Result<(), NotRun> {
    needs_program("perf", "linux-perf")?;
    needs_program("taskset", "util-linux")?;
    let folder = Folder::new();
    let (data, own) = (folder.file("perf.data"), folder.file("own.ktape"));
    let program = workload("waits");
    // One runs in the other, so both see the whole of the workload. It is kept on one CPU: of
    // switches from the idle task of another, perf misses some on the machines of this project.
    let mut run = Command::new("perf");
    run.args([
        "record",
        "-k",
        "CLOCK_MONOTONIC",
        "-a",
        "-g",
        "--buildid-all",
        "-m",
        "2048",
        "-e",
        EVENTS,
        "-o",
    ]);
    run.arg(&data).arg("--").arg(ktape()).args(["record", "-e", "sched", "-o"]).arg(&own);
    run.args(["--", "taskset", "-c", "0"]).arg(&program);
    let ran = Ran::of(&mut run, &[]);
    if ran.code() != 0 {
        return Err(NotRun(format!("perf record: {}", ran.stderr.trim())));
    }
    let threads = threads(&ran.text());

    let (imported, named) = (folder.file("imported.ktape"), folder.file("named.ktape"));
    let kallsyms = folder.file("kallsyms");
    std::fs::write(&kallsyms, std::fs::read("/proc/kallsyms").expect("root")).expect("written");
    let mut import = Command::new(ktape());
    import.args(["import", "perf", "--format", "json", "--kallsyms"]).arg(&kallsyms);
    import.arg("-i").arg(&data).arg("-o").arg(&imported);
    let answer = Ran::of(&mut import, &[]).expect(0).json();
    assert_eq!(number(&answer, "lost"), 0, "{answer}");
    Ran::on(&imported, &["verify"]).expect(0);

    for thread in &threads {
        let (theirs, ours) = (of_thread(&imported, thread), of_thread(&own, thread));
        let totals = [&theirs, &ours].map(|row| number(row, "total_time_ns"));
        let counts = [&theirs, &ours].map(|row| number(row, "count"));
        let runq = [&theirs, &ours].map(|row| number(row, "runq_ns"));
        say(format!(
            "{}: perf {} waits, {} ns, {} ns runnable; ktape {} waits, {} ns ({:.3} %), {} ns \
             runnable; kernel {} switches",
            thread.name,
            counts[0],
            totals[0],
            runq[0],
            counts[1],
            totals[1],
            off_by(totals[0], totals[1]),
            runq[1],
            thread.voluntary + thread.involuntary
        ));
        // Switches away from the agents of some virtual machines are seen by nobody: ktape reckons
        // the end of such a wait, perf leaves no trace of it.
        let switches = thread.voluntary + thread.involuntary;
        assert!(counts[0] <= switches && counts[0] + 2 >= switches, "{}: waits", thread.name);
        assert!(off_by(totals[0], totals[1]) <= 4.0, "{}: off-CPU time", thread.name);
    }

    Ran::on(&imported, &["symbolize", "-o", named.to_str().expect("UTF-8")]).expect(0);
    let folded = Ran::on(&named, &["export", "folded", "--of", "offcpu"]).expect(0).text();
    let path = ["start", "sleeper", "sleep_once", "do_nanosleep_[k]", "schedule_[k]"];
    let found = folded.lines().any(|line| {
        let mut frames = line.split(';').map(|frame| frame.split('@').next().unwrap_or(frame));
        path.iter().all(|function| frames.any(|frame| frame == *function))
    });
    assert!(found, "no stack of {path:?} in\n{folded}");
    let samples = report(&named, &["cpu"]);
    let count = number(&samples["summary"], "samples");
    say(format!("{count} samples of cpu-clock"));
    assert!(count > 0);
    Ok(())
}

/// Losses are those that perf counted of each event.
pub(crate) fn lost() -> Result<(), NotRun> {
    needs_program("perf", "linux-perf")?;
    let folder = Folder::new();
    let data = folder.file("perf.data");
    let mut run = Command::new("perf");
    run.args(["record", "-a", "-g", "-m", "1", "-F", "20000", "-k", "CLOCK_MONOTONIC"]);
    run.args(["-e", "sched:sched_switch,cpu-clock", "-o"]).arg(&data);
    run.args(["--", "timeout", "1", "sh", "-c", "while :; do /bin/true; done"]);
    // The status is that of timeout(1).
    let ran = Ran::of(&mut run, &[]);
    let mut stats = Command::new("perf");
    stats.args(["report", "--stats", "-i"]).arg(&data);
    let stats = Ran::of(&mut stats, &[]);
    if stats.code() != 0 {
        return Err(NotRun(format!("perf: {}{}", ran.stderr.trim(), stats.stderr.trim())));
    }
    let stats = stats.text();
    let of_event = |event: &str| {
        let lines = stats.lines().skip_while(|line| !line.starts_with(event)).skip(1);
        let mut lines = lines.take_while(|line| !line.ends_with("stats:"));
        let lost = lines.find_map(|line| line.trim().strip_prefix("LOST_SAMPLES events:"));
        lost.map_or(0, |lost| lost.trim().parse::<u64>().expect("a number"))
    };
    let expected = [of_event("sched:sched_switch"), of_event("cpu-clock")];
    if expected == [0, 0] {
        return Err(NotRun("this perf counts no lost samples".into()));
    }
    let imported = folder.file("imported.ktape");
    let mut import = Command::new(ktape());
    import.args(["import", "perf", "-i"]).arg(&data).arg("-o").arg(&imported);
    Ran::of(&mut import, &[]).expect(0);
    let opened = Trace::open(&imported).expect("a trace");
    for (record, expected) in ["off_cpu", "cpu_sample"].into_iter().zip(expected) {
        let (produced, lost) = losses(&opened, record);
        say(format!("{record}: {lost} of {produced} lost, perf says {expected}"));
        assert_eq!(lost, expected, "{record}");
        assert_eq!(rows(&opened, record, ["tid"]).len() as u64 + lost, produced, "{record}");
    }
    Ok(())
}
