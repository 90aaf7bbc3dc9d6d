//! Off-CPU time of threads that know how long they waited.

use ktape_format::Trace;
use ktape_format::schema::{fact_flag, off_cpu_state};
use ktape_tests::facts::{number, off_by, report, rows, rows_where};
use ktape_tests::live::{NotRun, say};
use ktape_tests::ran::Ran;
use ktape_tests::recorder::{Folder, Recorder, record};
use ktape_tests::running::Running;
use ktape_tests::workload::{lines, number as parse, workload};
use serde_json::json;
use std::path::Path;

use crate::launch::Launch;

/// What a thread of `waits` says of itself.
pub(crate) struct Thread {
    pub(crate) name: String,
    pub(crate) tid: u64,
    pub(crate) planned: u64,
    pub(crate) voluntary: u64,
    pub(crate) involuntary: u64,
    pub(crate) waited: u64,
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) cpu: u64,
}

pub(crate) fn threads(output: &str) -> Vec<Thread> {
    let names = ["reader", "locker", "sleeper", "writer", "holder"];
    let threads: Vec<Thread> = names
        .iter()
        .flat_map(|name| lines(output, name))
        .map(|words| Thread {
            name: words[0].clone(),
            tid: parse(&words[1]),
            planned: parse(&words[2]),
            voluntary: parse(&words[3]),
            involuntary: parse(&words[4]),
            waited: parse(&words[5]),
            from: parse(&words[6]),
            to: parse(&words[7]),
            cpu: parse(&words[8]),
        })
        .collect();
    assert_eq!(threads.len(), names.len(), "{output}");
    threads
}

fn recorded(folder: &Folder, args: &[&str]) -> (std::path::PathBuf, Vec<Thread>) {
    let trace = folder.file("waits.ktape");
    let program = workload("waits");
    let ran = record(&trace, args, &[program.to_str().expect("UTF-8")]).expect(0);
    (trace, threads(&ran.text()))
}

/// `--time` from one moment of the monotonic clock to another.
fn window(trace: &Path, from: u64, to: u64) -> String {
    let start = Trace::open(trace).expect("a trace").meta().start.mono;
    format!("{}ns,{}ns", from - start, to - start)
}

pub(crate) fn totals_and_counts() -> Result<(), NotRun> {
    let folder = Folder::new();
    let (trace, threads) = recorded(&folder, &["-e", "sched"]);
    let whole = report(&trace, &["offcpu", "--by", "thread"]);
    let facts = rows(&Trace::open(&trace).expect("a trace"), "off_cpu", ["tid", "end", "state"]);
    for thread in &threads {
        let Thread { name, tid, voluntary, involuntary, waited, from, to, .. } = thread;
        // Between the thread's first look at the clock and its last.
        let time = window(&trace, *from, *to);
        let answer = report(&trace, &["offcpu", "--by", "thread", "--time", &time]);
        let found = rows_where(&answer, "threads", "tid", &json!(tid));
        assert_eq!(found.len(), 1, "{name} once in {answer}");
        let (count, total) = (number(found[0], "count"), number(found[0], "total_time_ns"));
        let off_cpu = to - from - thread.cpu;
        say(format!(
            "{name}: {count} waits ({} planned, kernel {voluntary} + {involuntary}), {total} ns; \
             its own clock {waited} ns ({:.2} %), wall - CPU time {off_cpu} ns ({:.2} %)",
            thread.planned,
            off_by(total, *waited),
            off_by(total, off_cpu)
        ));
        assert_eq!(count, voluntary + involuntary, "{name}: waits of the whole");
        assert!(off_by(total, off_cpu) <= 2.0, "{name}: total against wall - CPU time");
        assert!(off_by(total, *waited) <= 2.0, "{name}: total against its own clock");

        // Without a window: its creation, and what came after its last look, are waits as well.
        let all = rows_where(&whole, "threads", "tid", &json!(tid));
        let of_thread = || facts.iter().filter(|row| row[0] == *tid);
        let outside = of_thread().filter(|row| row[1] <= *from || row[1] > *to).count() as u64;
        assert_eq!(number(all[0], "count"), count + outside, "{name}: waits without a window");

        // A wait that the thread chose is one in which it was not runnable.
        let runnable = [0, 7, 8];
        let slept = of_thread()
            .filter(|row| row[1] > *from && row[1] <= *to && !runnable.contains(&row[2]))
            .count() as u64;
        assert_eq!(slept, *voluntary, "{name}: waits that it chose");
        if ["sleeper", "writer"].contains(&name.as_str()) {
            assert_eq!(slept, thread.planned, "{name}: each sleep is one wait");
        }

        let (class, least) = match name.as_str() {
            "reader" => ("io_ns", 0.98),
            "locker" => ("lock_ns", 0.70),
            _ => ("sleep_ns", 0.98),
        };
        let blocked = total - number(found[0], "runq_ns");
        let share = number(found[0], class) as f64 / blocked as f64;
        assert!(share >= least, "{name}: {class} is {share:.3} of the blocked time");
    }
    Ok(())
}

pub(crate) fn names() -> Result<(), NotRun> {
    let folder = Folder::new();
    let (trace, threads) = recorded(&folder, &["-e", "sched"]);
    let waited = |name: &str| {
        let thread = threads.iter().find(|thread| thread.name == name);
        thread.expect("a thread of the program").waited
    };
    let folded = Ran::on(&trace, &["export", "folded", "--of", "offcpu"]).expect(0).text();
    // Program, C library, kernel, in this order. The frame of the caller of a library function
    // without frame pointer is not on the stack: sleep_us, read_once, lock_once do not show.
    let paths: &[(&str, &[&str])] = &[
        (
            "sleeper",
            &[
                "start",
                "sleeper",
                "sleep_once",
                "clock_nanosleep",
                "do_nanosleep_[k]",
                "schedule_[k]",
            ],
        ),
        ("writer", &["start", "writer", "sleep_once", "clock_nanosleep", "do_nanosleep_[k]"]),
        ("reader", &["start", "reader", "read", "vfs_read_[k]", "schedule_[k]"]),
        ("locker", &["start", "locker", "do_futex_[k]", "schedule_[k]"]),
    ];
    for (name, path) in paths {
        let micros: u64 = folded
            .lines()
            .filter_map(|line| line.rsplit_once(' '))
            .filter(|(stack, _)| {
                let mut frames = stack.split(';');
                path.iter().all(|function| {
                    frames.any(|frame| {
                        frame == *function || frame.starts_with(&format!("{function}@"))
                    })
                })
            })
            .map(|(_, weight)| parse(weight))
            .sum();
        let of_lock = if *name == "locker" { 0.6 } else { 0.95 };
        let share = micros as f64 * 1000.0 / waited(name) as f64;
        say(format!("{name}: {:.1} % of its waiting below {}", share * 100.0, path.join(";")));
        assert!(share >= of_lock, "{name} below {path:?}, in:\n{folded}");
    }
    Ok(())
}

/// A long wait has its stacks, or at least that of the kernel when it was not foreseen.
pub(crate) fn stacks() -> Result<(), NotRun> {
    for (which, long) in [("long", 1_000_000), ("all", 0), ("none", u64::MAX)] {
        let folder = Folder::new();
        let (trace, threads) = recorded(&folder, &["-e", &format!("sched/stacks={which}/")]);
        let columns = ["tid", "duration", "kstack", "ustack", "state", "flags"];
        let facts = rows(&Trace::open(&trace).expect("a trace"), "off_cpu", columns);
        // A new thread has no stack yet.
        let new = u64::from(off_cpu_state::NEW);
        let of_threads = facts
            .iter()
            .filter(|row| row[4] != new && threads.iter().any(|thread| thread.tid == row[0]));
        let (mut total, mut both) = (0, 0);
        for row in of_threads {
            let [_, duration, kstack, ustack, _, flags] = *row;
            let late = flags & u64::from(fact_flag::LATE_STACK) != 0;
            let unseen = flags & u64::from(fact_flag::END_ESTIMATED) != 0;
            assert!(kstack != 0 || duration < long || unseen, "{which}: {row:?}");
            // One that was not foreseen has its user stack if its return to user mode was seen.
            assert!(late || (ustack != 0) == (kstack != 0), "{which}: {row:?}");
            assert!(!late || which == "long", "{which}: {row:?}");
            if duration >= long {
                total += duration;
                both += if ustack == 0 { 0 } else { duration };
            } else {
                assert!(which != "none" || kstack == 0, "{which}: {row:?}");
            }
        }
        say(format!("{which}: {both} ns of {total} ns with both stacks"));
        assert_eq!(total == 0, which == "none", "{which}: nothing to look at");
        assert!(both as f64 >= total as f64 * 0.95, "{which}: {both} of {total}");
    }
    Ok(())
}

pub(crate) fn hang() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("hang.ktape");
    let mut hang = Running::start("hang", &["500"]);
    let recorder = Recorder::start(&trace, &["-p", &hang.pid().to_string()]);
    let line = hang.line();
    std::thread::sleep(std::time::Duration::from_millis(700));
    assert_eq!(recorder.stop(libc::SIGINT).code, 0);
    open_wait(&trace, parse(&line[2]), false, 600_000_000);
    Ok(())
}

pub(crate) fn hung_before() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("hang.ktape");
    let mut hang = Running::start("hang", &[]);
    let line = hang.line();
    let recorder = Recorder::start(&trace, &["-p", &hang.pid().to_string()]);
    std::thread::sleep(std::time::Duration::from_millis(700));
    assert_eq!(recorder.stop(libc::SIGINT).code, 0);
    open_wait(&trace, parse(&line[2]), true, 600_000_000);
    Ok(())
}

/// The recorder ends the command only after it has seen what it waits for.
pub(crate) fn hung_command() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("hang.ktape");
    let program = workload("hang");
    let mut launch = Launch::start(&trace, &["-e", "sched"], &[program.to_str().expect("UTF-8")]);
    let line = launch.line();
    let ids: Vec<u64> = line.split_whitespace().skip(1).map(parse).collect();
    let status = format!("/proc/{}/task/{}/status", ids[0], ids[1]);
    while !std::fs::read_to_string(&status).expect("it hangs").contains("State:\tS") {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    std::thread::sleep(std::time::Duration::from_millis(700));
    launch.signal(libc::SIGINT);
    let (code, said) = launch.end_of_both();
    assert_eq!(code, 0, "{said}");
    open_wait(&trace, ids[1], false, 600_000_000);
    Ok(())
}

/// The hung thread's one wait, in `stalls` and in `offcpu`.
fn open_wait(trace: &Path, tid: u64, before: bool, least: u64) {
    let stalls = report(trace, &["stalls"]);
    let found = rows_where(&stalls, "stalls", "tid", &json!(tid));
    assert_eq!(found.len(), 1, "{stalls}");
    let row = found[0];
    assert_eq!(row["open"], json!(true), "{row}");
    assert_eq!(row["began_before"], json!(before), "{row}");
    assert_eq!(row["comm"], json!("hung-thread"), "{row}");
    assert_eq!(row["syscall"], json!("read"), "{row}");
    assert!(number(row, "duration_ns") >= least, "{row}");
    let text = Ran::on(trace, &["report", "stalls"]).expect(0).text();
    assert!(text.contains("hung-thread"), "{text}");
    if !before {
        assert!(text.contains("hang_here") || text.contains("hang"), "its stack, in:\n{text}");
    }
    // Who waited during the whole recording is left out unless asked for.
    let offcpu = report(trace, &["offcpu", "--by", "thread", "--idle"]);
    let row = rows_where(&offcpu, "threads", "tid", &json!(tid))[0];
    assert!(number(row, "max_time_ns") >= least, "{row}");
}

/// Every report and format: with one thread, with two, and through a pipe.
pub(crate) fn same_bytes() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("all.ktape");
    let program = workload("waits");
    record(&trace, &["-a", "-e", "all", "-F", "997"], &[program.to_str().expect("UTF-8")])
        .expect(0);
    let bytes = std::fs::read(&trace).expect("the trace");
    let mut questions: Vec<Vec<&str>> = vec![
        vec!["info"],
        vec!["export", "folded"],
        vec!["export", "folded", "--of", "offcpu"],
        vec!["export", "flamegraph"],
        vec!["script"],
    ];
    for report in ktape_analyze::reports::REPORTS {
        let name =
            if report.name == "overview" { vec!["report"] } else { vec!["report", report.name] };
        for format in ["text", "json", "csv"] {
            questions.push([&name[..], &["--format", format]].concat());
        }
    }
    for question in &questions {
        let whole = Ran::on(&trace, question).expect(0).stdout;
        assert!(!whole.is_empty(), "{question:?}");
        if !["info", "script"].contains(&question[0]) {
            for threads in ["1", "2"] {
                let again = Ran::on(&trace, &[question, &["-j", threads][..]].concat()).expect(0);
                assert!(again.stdout == whole, "{question:?} with -j {threads}");
            }
        }
        let mut piped = std::process::Command::new(ktape_tests::binary::ktape());
        let piped = Ran::of(piped.args(question).args(["-i", "-"]), &bytes).expect(0);
        assert!(piped.stdout == whole, "{question:?} through a pipe");
    }
    say(format!("{} questions, each in four ways, on {} bytes", questions.len(), bytes.len()));
    Ok(())
}

/// A long wait that nothing foresees has its user stack all the same.
pub(crate) fn rare() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("rare.ktape");
    let program = workload("rare");
    let ran = record(&trace, &["-e", "sched"], &[program.to_str().expect("UTF-8")]).expect(0);
    let opened = Trace::open(&trace).expect("a trace");
    let probe = opened.meta().probes.iter().find(|probe| probe.name == "sched").expect("sched");
    if !probe.attached.iter().any(|place| place.contains("rseq_update")) {
        return Err(NotRun(format!("returns to user mode are not seen here: {}", probe.reason)));
    }
    let said = &lines(&ran.text(), "rare")[0];
    let (tid, expected) = (parse(&said[1]), parse(&said[2]));
    let facts = rows(&opened, "off_cpu", ["tid", "duration", "ustack", "kstack", "flags"]);
    let long: Vec<_> =
        facts.iter().filter(|fact| fact[0] == tid && fact[1] >= 25_000_000).collect();
    assert_eq!(long.len() as u64, expected, "{long:?}");
    assert!(long.iter().all(|fact| fact[2] > 0 && fact[3] > 0), "{long:?}");
    let late = |fact: &&&[u64; 5]| fact[4] & u64::from(fact_flag::LATE_STACK) != 0;
    let late = long.iter().filter(late).count();
    say(format!("{expected} rare waits, {late} of them not foreseen, all with both stacks"));
    assert!(late > 0, "{long:?}");
    let stacks = Ran::on(&trace, &["export", "folded", "--of", "offcpu"]).expect(0).text();
    // The C library keeps no frame pointers, so `wait_here`, which calls it, is passed over.
    let mut waiting = stacks.lines().filter(|line| line.contains(";waiter;read;")).peekable();
    assert!(waiting.peek().is_some(), "{stacks}");
    // What the kernel leaves out of a stack taken later is known from one taken before.
    assert!(waiting.all(|line| line.contains(";schedule_[k]")), "{stacks}");
    Ok(())
}
