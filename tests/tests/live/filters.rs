//! Filters: facts of these and of no others.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use ktape_format::Trace;
use ktape_tests::facts::{report, rows};
use ktape_tests::live::NotRun;
use ktape_tests::recorder::{Folder, Recorder, record};
use ktape_tests::running::Running;
use ktape_tests::workload::{number, workload};

/// A running `loop` and what it printed.
struct Loop {
    _running: Running,
    pid: u64,
    one: u64,
    two: u64,
    child: u64,
}

impl Loop {
    fn start(args: &[&str]) -> Self {
        let mut running = Running::start("loop", args);
        let line = running.line();
        let id = |at: usize| number(&line[at]);
        Self { pid: id(1), one: id(2), two: id(3), child: id(4), _running: running }
    }

    fn threads(&self) -> BTreeSet<u64> {
        [self.pid, self.one, self.two].into()
    }
}

/// Records for a while; gives the threads with waits or samples, those that wait every 5 ms in
/// `busy` must be there.
#[track_caller]
fn recorded(args: &[&str], busy: &[u64]) -> BTreeSet<u64> {
    let folder = Folder::new();
    let trace = folder.file("filter.ktape");
    let recorder = Recorder::start(&trace, &[&["-e", "all"], args].concat());
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(recorder.stop(libc::SIGINT).code, 0);
    let found = threads(&trace);
    for tid in busy {
        assert!(found.contains(tid), "{tid} in {found:?} of {args:?}");
    }
    found
}

fn threads(trace: &Path) -> BTreeSet<u64> {
    let trace = Trace::open(trace).expect("a trace");
    ["off_cpu", "cpu_sample", "syscall_slow"]
        .iter()
        .flat_map(|record| rows(&trace, record, ["tid"]))
        .map(|row| row[0])
        .collect()
}

/// The processes with counted system calls.
fn callers(trace: &Path) -> BTreeSet<u64> {
    let trace = Trace::open(trace).expect("a trace");
    rows(&trace, "syscall_count", ["tgid"]).iter().map(|row| row[0]).collect()
}

pub(crate) fn process() -> Result<(), NotRun> {
    let (one, other) = (Loop::start(&["child"]), Loop::start(&[]));
    let found = recorded(&["-p", &one.pid.to_string()], &[one.one, one.two]);
    assert!(found.is_subset(&one.threads()), "{found:?}, not only {:?}", one.threads());
    let both = format!("{},{}", one.pid, other.pid);
    let found = recorded(&["-p", &both], &[one.one, one.two, other.one, other.two]);
    let wanted = &one.threads() | &other.threads();
    assert!(found.is_subset(&wanted), "{found:?}, not only {wanted:?}");
    Ok(())
}

pub(crate) fn children() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("filter.ktape");
    // Its child is forked while it is recorded: `sh` waits for the line.
    let mut shell = std::process::Command::new("sh")
        .args(["-c", "read line; sleep 0.1 & sleep 0.2; wait"])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .expect("sh runs");
    let pid = u64::from(shell.id());
    let recorder = Recorder::start(&trace, &["-e", "all", "-p", &pid.to_string(), "--children"]);
    drop(shell.stdin.take());
    shell.wait().expect("our child");
    assert_eq!(recorder.stop(libc::SIGINT).code, 0);
    let found = threads(&trace);
    assert!(found.contains(&pid) && found.len() == 3, "{pid} and two children, not {found:?}");
    let tree = report(&trace, &["tree"]);
    let processes = tree["processes"].as_array().expect("a table");
    for command in ["sleep 0.1", "sleep 0.2"] {
        let row = processes.iter().find(|row| row["command_line"] == command);
        let row = row.unwrap_or_else(|| panic!("{command} in {tree}"));
        assert_eq!(row["parent_pid"], pid, "{row}");
        assert_eq!(row["exit_code"], 0, "its end was seen: {row}");
    }
    Ok(())
}

pub(crate) fn thread() -> Result<(), NotRun> {
    let one = Loop::start(&[]);
    let found = recorded(&["-t", &one.two.to_string()], &[one.two]);
    assert_eq!(found, [one.two].into());
    Ok(())
}

pub(crate) fn comm() -> Result<(), NotRun> {
    let one = Loop::start(&["child"]);
    let found = recorded(&["--comm", "loop-*"], &[one.one, one.two, one.child]);
    assert_eq!(found, [one.one, one.two, one.child].into());
    let found = recorded(&["--comm", "loop-*", "--not-comm", "*-one"], &[one.two, one.child]);
    assert_eq!(found, [one.two, one.child].into());
    let found = recorded(&["--comm", "loop-t?o"], &[one.two]);
    assert_eq!(found, [one.two].into());
    let found = recorded(&["--not-comm", "loop-one"], &[one.two, one.child]);
    assert!(!found.contains(&one.one), "{found:?}");
    Ok(())
}

/// What iterators read of threads that are not the current one.
pub(crate) fn iterators() -> Result<(), NotRun> {
    let one = Loop::start(&["child"]);
    let found = |args: &[&str], record: &str, column: &str| -> BTreeSet<u64> {
        let folder = Folder::new();
        let trace = folder.file("filter.ktape");
        let probes = "mem/every=100ms/,counters/every=100ms/";
        let recorder = Recorder::start(&trace, &[&["-e", probes], args].concat());
        std::thread::sleep(Duration::from_millis(500));
        let stopped = recorder.stop(libc::SIGINT);
        assert_eq!(stopped.code, 0);
        let opened = Trace::open(&trace).expect("a trace");
        let reasons = opened.meta().probes.iter().map(|probe| probe.reason.contains("with -C"));
        let told = reasons.filter(|told| *told).count();
        assert_eq!(told, if args.contains(&"-C") { 2 } else { 0 }, "{args:?}");
        rows(&opened, record, [column]).into_iter().map(|row| row[0]).collect()
    };
    let threads = BTreeSet::from([one.one, one.two, one.child]);
    assert_eq!(found(&["--comm", "loop-*"], "counter_total", "tid"), threads);
    assert_eq!(found(&["--comm", "loop"], "memory_use", "tgid"), [one.pid].into());
    let pid = one.pid.to_string();
    assert_eq!(found(&["-p", &pid], "memory_use", "tgid"), [one.pid].into());
    assert_eq!(found(&["-C", "0"], "memory_use", "tgid"), [].into());
    assert_eq!(found(&["-C", "0"], "counter_total", "tid"), [].into());
    Ok(())
}

pub(crate) fn user() -> Result<(), NotRun> {
    use std::os::unix::process::CommandExt;
    let folder = Folder::new();
    let trace = folder.file("filter.ktape");
    let uid = 64_321;
    // Root's, and the other user's: a program that anybody may run, from a folder that anybody may
    // enter.
    let root = Loop::start(&[]);
    let mut other = std::process::Command::new("/bin/sh")
        .args(["-c", "while :; do /bin/sleep 0.01; done"])
        .current_dir("/")
        .uid(uid)
        .spawn()
        .expect("sh runs");
    let recorder = Recorder::start(&trace, &["-e", "all", "-u", &uid.to_string()]);
    std::thread::sleep(Duration::from_millis(400));
    let stopped = recorder.stop(libc::SIGINT);
    other.kill().expect("our child");
    other.wait().expect("our child");
    assert_eq!(stopped.code, 0, "{}", stopped.stderr);
    let (found, calling) = (threads(&trace), callers(&trace));
    assert!(found.contains(&u64::from(other.id())), "{found:?}");
    assert!(found.is_disjoint(&root.threads()), "{found:?}");
    // All of that user: the shell and its children.
    let tree = report(&trace, &["tree"]);
    let processes = tree["processes"].as_array().expect("a table");
    for pid in found.iter().chain(&calling) {
        let row = processes.iter().find(|row| row["pid"] == *pid);
        assert_eq!(
            row.map(|row| row["uid"].as_u64()),
            Some(Some(u64::from(uid))),
            "{pid}: {row:?}"
        );
    }
    Ok(())
}

pub(crate) fn cpu() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("filter.ktape");
    let _busy = Loop::start(&[]);
    let recorder = Recorder::start(&trace, &["-e", "sched,cpu", "-F", "997", "-C", "0"]);
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(recorder.stop(libc::SIGINT).code, 0);
    let opened = Trace::open(&trace).expect("a trace");
    let samples = rows(&opened, "cpu_sample", ["cpu"]);
    assert!(samples.iter().all(|row| row[0] == 0), "samples of other CPUs");
    let waits = rows(&opened, "off_cpu", ["cpu", "prev_cpu"]);
    assert!(!waits.is_empty());
    let strangers: Vec<_> = waits.iter().filter(|row| row[0] != 0 && row[1] != 0).collect();
    assert!(strangers.is_empty(), "waits of other CPUs: {strangers:?}");
    Ok(())
}

pub(crate) fn duration() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("filter.ktape");
    let one = Loop::start(&[]);
    let args = ["-e", "sched", "-p", &one.pid.to_string(), "--min-duration", "sched=6ms"];
    let recorder = Recorder::start(&trace, &args);
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(recorder.stop(libc::SIGINT).code, 0);
    let waits = rows(&Trace::open(&trace).expect("a trace"), "off_cpu", ["duration", "flags"]);
    let short = waits.iter().filter(|row| row[0] < 6_000_000 && row[1] & 1 == 0).count();
    assert_eq!(short, 0, "waits below 6 ms in {waits:?}");
    // Its main thread waits for the other two all the time.
    assert!(!waits.is_empty(), "the open waits are longer than that");
    Ok(())
}

pub(crate) fn command() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("filter.ktape");
    let other = Loop::start(&[]);
    let program = workload("loop");
    let ran = record(&trace, &["-e", "all"], &[program.to_str().expect("UTF-8"), "child", "300"]);
    let text = ran.expect(0).text();
    let line = &ktape_tests::workload::lines(&text, "loop")[0];
    let id = |at: usize| number(&line[at]);
    let (found, calling) = (threads(&trace), callers(&trace));
    assert_eq!(found, (1..=4).map(id).collect(), "the command, its threads, its child");
    assert_eq!(calling, [id(1), id(4)].into());

    // With -a everybody.
    record(&trace, &["-a", "-e", "all"], &["sleep", "0.3"]).expect(0);
    let found = threads(&trace);
    assert!(found.contains(&other.one) && found.contains(&other.two), "{found:?}");
    Ok(())
}
