//! Counters of programs that know what the kernel counted for them.

use std::collections::BTreeMap;
use std::process::Command;

use ktape_format::Trace;
use ktape_tests::facts::{losses, number, off_by, report, rows, rows_where};
use ktape_tests::live::{NotRun, needs_program, say};
use ktape_tests::ran::Ran;
use ktape_tests::recorder::{Folder, record};
use ktape_tests::workload::{lines, number as parse, workload};
use serde_json::{Value, json};

/// What wait4(2) and /proc told of the child of `counters`.
struct Child {
    pid: u64,
    touched: u64,
    sleeps: u64,
    moves: u64,
    voluntary: u64,
    involuntary: u64,
    minor: u64,
    major: u64,
    cpu_us: u64,
    /// `None` where /proc/PID/sched does not tell.
    migrations: Option<u64>,
}

impl Child {
    fn of(said: &str) -> Self {
        let words = &lines(said, "child")[0];
        let at = |at: usize| parse(&words[at]);
        Child {
            pid: at(1),
            touched: at(2),
            sleeps: at(3),
            moves: at(4),
            voluntary: at(5),
            involuntary: at(6),
            minor: at(7),
            major: at(8),
            cpu_us: at(9),
            migrations: words[10].parse().ok(),
        }
    }
}

fn row_of(answer: &Value, pid: u64) -> &Value {
    rows_where(answer, "processes", "pid", &json!(pid))[0]
}

pub(crate) fn exact() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("counters.ktape");
    let program = workload("counters");
    let ran = record(&trace, &["-e", "counters"], &[program.to_str().expect("UTF-8")]).expect(0);
    let child = Child::of(&ran.text());
    let answer = report(&trace, &["counters"]);
    let row = row_of(&answer, child.pid);
    assert_eq!(number(row, "voluntary_switches"), child.voluntary, "{row}");
    assert!(child.voluntary >= child.sleeps, "{}", child.voluntary);
    assert_eq!(number(row, "involuntary_switches"), child.involuntary, "{row}");
    assert_eq!(number(row, "page_faults"), child.minor + child.major, "{row}");
    assert_eq!(number(row, "major_faults"), child.major, "{row}");
    assert!(child.minor >= child.touched, "{}", child.minor);
    assert!(number(row, "cpu_migrations") >= child.moves, "{row}");
    if let Some(migrations) = child.migrations {
        assert_eq!(number(row, "cpu_migrations"), migrations, "{row}");
    }
    assert!((number(row, "cpu_time_ns") / 1000).abs_diff(child.cpu_us) <= 1, "{row}");
    say(format!(
        "{} + {} switches, {} faults, {:?} migrations, {} us: as of wait4 and /proc",
        child.voluntary, child.involuntary, child.minor, child.migrations, child.cpu_us
    ));
    let opened = Trace::open(&trace).expect("a trace");
    let facts = rows(&opened, "counter_total", ["tgid"]);
    assert_eq!(losses(&opened, "counter_total"), (facts.len() as u64, 0));
    let samples = rows(&opened, "counter_sample", ["tgid"]);
    assert_eq!(losses(&opened, "counter_sample"), (samples.len() as u64, 0));
    Ok(())
}

pub(crate) fn every_event() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("counters.ktape");
    let program = workload("counters");
    let probe = "counters/events=page-faults+context-switches,period=1/";
    let ran = record(&trace, &["-e", probe], &[program.to_str().expect("UTF-8")]).expect(0);
    let child = Child::of(&ran.text());
    let pid = child.pid.to_string();
    let by_function = ["counters", "--by", "function", "--event", "page-faults", "--pid", &pid];
    let answer = report(&trace, &by_function);
    let row = rows_where(&answer, "functions", "function", &json!("touch_pages"))[0];
    assert_eq!(number(row, "total_count"), child.touched, "{row}");
    let answer = report(&trace, &["counters", "--by", "function", "--pid", &pid]);
    // The C library keeps no frame pointers: its caller is not on the stack, but the next one is.
    let row = rows_where(&answer, "functions", "function", &json!("main"))
        .into_iter()
        .find(|row| row["event"] == json!("context-switches"))
        .expect("switches below main");
    say(format!("{} faults by touch_pages, switches: {row}", child.touched));
    assert!(number(row, "total_count") >= child.sleeps, "{row}");
    assert!(
        answer["notes"]
            .as_array()
            .expect("notes")
            .iter()
            .all(|note| { !note["text"].as_str().expect("text").contains("estimates") })
    );
    Ok(())
}

/// More rows at once than the kernel's buffer has room for.
pub(crate) fn of_many_threads() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("parked.ktape");
    let program = workload("parked");
    let ran = record(&trace, &["-e", "counters"], &[program.to_str().expect("UTF-8")]).expect(0);
    let words = &lines(&ran.text(), "parked")[0];
    let [pid, count, switches] = [1, 2, 3].map(|at| parse(&words[at]));
    let opened = Trace::open(&trace).expect("a trace");
    let columns = ["tgid", "tid", "end", "duration", "voluntary_switches"];
    let mut threads: BTreeMap<u64, Vec<[u64; 3]>> = BTreeMap::new();
    for [tgid, tid, end, duration, voluntary] in rows(&opened, "counter_total", columns) {
        if tgid == pid && tid != pid {
            threads.entry(tid).or_default().push([end, duration, voluntary]);
        }
    }
    assert_eq!(threads.len() as u64, count);
    for (tid, rows) in &mut threads {
        rows.sort_unstable();
        assert!(rows.len() > 1, "{tid} was read before its exit: {rows:?}");
        for pair in rows.windows(2) {
            assert_eq!(pair[0][0], pair[1][0] - pair[1][1], "a gap of {tid}: {rows:?}");
        }
    }
    let told: u64 = threads.values().flatten().map(|row| row[2]).sum();
    say(format!("{count} threads without a gap, {told} switches, {switches} before the exits"));
    assert!(told >= switches, "{told}");
    Ok(())
}

pub(crate) fn perf_stat() -> Result<(), NotRun> {
    needs_program("perf", "linux-perf")?;
    let folder = Folder::new();
    let (trace, stat) = (folder.file("counters.ktape"), folder.file("stat.csv"));
    let program = workload("counters");
    let events = "task-clock,context-switches,cpu-migrations,page-faults";
    let text = |path: &std::path::Path| path.to_str().expect("UTF-8").to_owned();
    let (stat_path, program_path) = (text(&stat), text(&program));
    let command = ["perf", "stat", "-x,", "-e", events, "-o", &stat_path, &program_path];
    let ran = record(&trace, &["-e", "counters"], &command).expect(0);
    let child = Child::of(&ran.text());
    let parent = parse(&lines(&ran.text(), "spin")[0][1]);
    let answer = report(&trace, &["counters"]);
    let ours =
        |key: &str| number(row_of(&answer, child.pid), key) + number(row_of(&answer, parent), key);
    let told = std::fs::read_to_string(&stat).expect("what perf counted");
    let theirs = |event: &str| -> f64 {
        let line = told.lines().find(|line| line.contains(event)).expect("the event");
        line.split(',').next().and_then(|count| count.parse().ok()).expect("a number")
    };
    // perf begins at the exec, and leaves out the last switch of each process.
    let more = |key: &str, event: &str| ours(key) as i64 - theirs(event) as i64;
    let (switches, faults) =
        (more("context_switches", "context-switches"), more("page_faults", "page-faults"));
    let moves = more("cpu_migrations", "cpu-migrations");
    say(format!("more than perf stat: {switches} switches, {faults} faults, {moves} migrations"));
    assert!((2..=20).contains(&switches), "{told}{answer:#}");
    assert!((0..=200).contains(&faults), "{told}{answer:#}");
    assert!((-2..=3).contains(&moves), "{told}{answer:#}");
    let clock = (theirs("task-clock") * 1e6) as u64;
    assert!(off_by(ours("cpu_time_ns"), clock) <= 5.0, "{told}{answer:#}");
    Ok(())
}

/// The path of hardware counters, with the one event of it that every host has.
pub(crate) fn counted_at_switches() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("counters.ktape");
    let program = workload("counters");
    let probe = "counters/events=cpu-clock/";
    let ran = record(&trace, &["-e", probe], &[program.to_str().expect("UTF-8")]).expect(0);
    let words = &lines(&ran.text(), "spin")[0];
    let answer = report(&trace, &["counters"]);
    let row = row_of(&answer, parse(&words[1]));
    let (clock, spun) = (number(row, "cpu_clock_ns"), parse(&words[2]));
    say(format!("{clock} ns counted at switches, {spun} by the process itself"));
    assert!(off_by(clock, spun) <= 5.0, "{row}");
    Ok(())
}

pub(crate) fn hardware() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("counters.ktape");
    let program = workload("counters");
    let ran = record(&trace, &["-e", "counters"], &[program.to_str().expect("UTF-8")]).expect(0);
    let parent = parse(&lines(&ran.text(), "spin")[0][1]);
    let answer = report(&trace, &["counters"]);
    let row = row_of(&answer, parent);
    let opened = Trace::open(&trace).expect("a trace");
    let probe = opened.meta().probes.iter().find(|probe| probe.name == "counters").expect("it");
    if probe.attached.iter().any(|place| place == "perf_event:cycles") {
        // It spins 300 ms: more than 100 MHz, and an instruction or two per cycle.
        assert!(number(row, "cycles") > 30_000_000, "{row}");
        assert!(number(row, "instructions") > 3_000_000, "{row}");
        return Ok(());
    }
    let reason = "no hardware counters (cycles";
    assert_eq!(row["cycles"], Value::Null, "{row}");
    let told = |text: &str| text.contains(reason);
    assert!(told(&probe.reason), "{}", probe.reason);
    let notes = answer["notes"].as_array().expect("notes");
    assert!(notes.iter().any(|note| note["text"].as_str().is_some_and(told)), "{answer:#}");
    assert!(told(&ran.stderr), "the summary");
    let probes = Ran::of(Command::new(ktape_tests::binary::ktape()).arg("probes"), &[]);
    assert!(told(&probes.text()), "ktape probes");
    say(format!("none here, and so it says: {}", probe.reason));
    Ok(())
}
