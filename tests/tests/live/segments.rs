//! Recordings in pieces: one file after another, and the last moments only.

use ktape_format::{State, Trace};
use ktape_tests::facts::{losses, number, report, rows, rows_where};
use ktape_tests::live::{NotRun, say};
use ktape_tests::ran::Ran;
use ktape_tests::recorder::{Folder, Holding, Recorder, record, send};
use ktape_tests::running::Running;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The files that a recording made of this one, the oldest first.
fn pieces(trace: &Path) -> Vec<PathBuf> {
    let name = format!("{}.2", trace.file_name().and_then(|name| name.to_str()).expect("a name"));
    let folder = trace.parent().expect("a folder").read_dir().expect("a folder");
    let mut pieces: Vec<PathBuf> = folder
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with(&name))
        })
        .collect();
    pieces.sort();
    pieces
}

/// Opens a file that must be whole, and define all that it names.
fn whole(path: &Path) -> Trace {
    Ran::on(path, &["verify"]).expect(0);
    Trace::open(path).expect("a trace")
}

/// A flood of switches in several files: none is lost between two of them, none is in two, and what
/// the rings lost is counted in the file in whose time it was.
pub(crate) fn switched() -> Result<(), NotRun> {
    let exact = (0..3).any(|_| switched_exactly());
    assert!(exact, "none of 3 recordings had as many intervals as /proc has switches");
    Ok(())
}

fn switched_exactly() -> bool {
    let folder = Folder::new();
    let trace = folder.file("flood.ktape");
    let mut flood = Running::start("flood", &["switches", "200003"]);
    while flood.line() != ["ready"] {}
    let before = flood.asleep();
    let pid = flood.pid().to_string();
    let args = ["-e", "sched,syscalls", "-m", "4K", "-p", &pid, "--switch-output=170ms"];
    let recorder = Recorder::start(&trace, &args);
    std::thread::sleep(Duration::from_millis(100));
    flood.go_on();
    assert_eq!(flood.line(), ["done"]);
    let after = flood.asleep();
    let stopped = recorder.stop(libc::SIGINT);
    assert_eq!(stopped.code, 0, "{}", stopped.stderr);
    assert!(!trace.exists(), "all files have their times");
    let switches = |tasks: &[(u32, u64)]| tasks.iter().map(|task| task.1).sum::<u64>();
    let expected = switches(&after) - switches(&before);

    let (mut all, mut lost, mut open, mut files) = (0, 0, 0, 0);
    let mut seen = std::collections::BTreeSet::new();
    for path in pieces(&trace) {
        let opened = whole(&path);
        let facts = rows(&opened, "off_cpu", ["tid", "end", "duration", "flags"]);
        let of_file = losses(&opened, "off_cpu");
        assert_eq!(
            facts.len() as u64 + of_file.1,
            of_file.0,
            "{path:?}: recorded + lost = produced"
        );
        let calls: u64 = rows(&opened, "syscall_count", ["count"]).iter().map(|row| row[0]).sum();
        let of_calls = losses(&opened, "syscall_count");
        assert_eq!(calls + of_calls.1, of_calls.0, "{path:?}: calls recorded + lost = produced");
        assert!(
            facts.iter().all(|&[tid, end, ..]| seen.insert((tid, end))),
            "a fact is in two files"
        );
        if facts.len() > 2 {
            let names = report(&path, &["offcpu", "--by", "thread"]);
            let of_flood = rows_where(&names, "threads", "comm", &json!("flood"));
            assert!(!of_flood.is_empty(), "names in {path:?}: {names}");
        }
        all += of_file.0;
        lost += of_file.1;
        open += facts.iter().filter(|fact| fact[3] & 1 != 0).count();
        files += 1;
    }
    say(format!(
        "{files} files: {all} produced, {lost} of them lost; {expected} switches by /proc, {open} still open"
    ));
    assert!(files >= 5, "{files} files");
    assert!(lost > 0, "nothing was lost, so this shows little");
    assert_eq!(open, after.len(), "open waits");
    let expected = expected + open as u64;
    assert!(all <= expected && expected - all <= expected / 10_000 + 1, "{all} of {expected}");
    all == expected
}

/// What the kernel programs send once (stacks, paths) is in each file that uses it.
pub(crate) fn told_again() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("again.ktape");
    let read = folder.file("read-again-and-again");
    std::fs::write(&read, "text").expect("a file");
    let looping = Running::start("loop", &[]);
    let script = format!("while cat {} >/dev/null; do sleep 0.005; done", read.display());
    let mut reading =
        std::process::Command::new("sh").args(["-c", &script]).spawn().expect("sh runs");
    let args = ["-a", "-e", "sched/stacks=all/,io/min=0ns/", "--switch-output"];
    let recorder = Recorder::start(&trace, &args);
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(400));
        send(recorder.pid(), libc::SIGUSR2);
    }
    std::thread::sleep(Duration::from_millis(400));
    let stopped = recorder.stop(libc::SIGINT);
    assert_eq!(stopped.code, 0, "{}", stopped.stderr);
    reading.kill().expect("our child");
    reading.wait().expect("our child");
    drop(looping);
    let files = pieces(&trace);
    assert_eq!(files.len(), 4, "{files:?}");
    for path in &files {
        whole(path);
        let stacks = report(path, &["offcpu", "--by", "stack", "--comm", "loop-one"]).to_string();
        assert!(stacks.contains(";loop;clock_nanosleep;"), "user frames in {path:?}: {stacks}");
        assert!(stacks.contains("schedule_[k]"), "kernel frames in {path:?}: {stacks}");
        let io = report(path, &["io"]).to_string();
        assert!(io.contains("read-again-and-again"), "the path in {path:?}");
    }
    let waits = |path: &Path| rows(&whole(path), "off_cpu", ["end"]).len();
    let merged = folder.file("merged.ktape");
    let names: Vec<&str> = files.iter().chain([&merged]).filter_map(|path| path.to_str()).collect();
    let [parts @ .., merged_name] = &names[..] else { panic!("no names") };
    Ran::ktape(&[&["merge"], parts, &["-o", merged_name]].concat()).expect(0);
    assert_eq!(waits(&merged), files.iter().map(|path| waits(path)).sum::<usize>(), "merged");
    Ok(())
}

/// `--switch-max-files`, and a kill: what was whole is whole, the rest is as after any kill.
pub(crate) fn switched_and_killed() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("killed.ktape");
    let looping = Running::start("loop", &[]);
    let pid = looping.pid().to_string();
    let args = ["-e", "sched", "-p", &pid, "--switch-output=100ms", "--switch-max-files", "3"];
    let recorder = Recorder::start(&trace, &args);
    std::thread::sleep(Duration::from_millis(1500));
    recorder.stop(libc::SIGKILL);
    // One may just have been put aside, and then the oldest is still there.
    let files = pieces(&trace);
    assert!((3..=4).contains(&files.len()), "{files:?}");
    files[..files.len() - 1].iter().for_each(|path| drop(whole(path)));
    let last = Trace::open(&trace).expect("a trace");
    assert!(matches!(last.state(), State::Unfinished(_)), "{:?}", last.state());
    Ok(())
}

/// In a flood the memory is bounded, the oldest goes, and the numbers are about what is there.
pub(crate) fn overwritten() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("flood.ktape");
    let mut flood = Running::start("flood", &["calls", "4000037"]);
    while flood.line() != ["ready"] {}
    let pid = flood.pid().to_string();
    let probes = "syscalls/slow=1ns,stacks=none/";
    let mut holding = Holding::start(&trace, &["-e", probes, "-p", &pid, "--overwrite=1m,2M"]);
    flood.go_on();
    assert_eq!(flood.line()[0], "calls");
    holding.send(libc::SIGUSR2);
    let told = holding.told(|line| line.contains("SIGUSR2") || line.contains("no dump"));
    assert!(told.contains("as much as there was room for"), "{told}");
    assert!(!trace.exists(), "nothing is written before the end but what was asked for");
    flood.go_on();
    holding.send(libc::SIGINT);
    let (code, stderr) = holding.end();
    assert_eq!(code, 0, "{stderr}");
    let dumps = pieces(&trace);
    assert_eq!(dumps.len(), 1, "{stderr}");
    for path in [&dumps[0], &trace] {
        let opened = whole(path);
        let facts = rows(&opened, "syscall_slow", ["tid"]).len() as u64;
        let (produced, lost) = losses(&opened, "syscall_slow");
        let size = opened.size();
        say(format!("{size} bytes with {facts} facts, {lost} lost, of 4000037 calls"));
        assert_eq!(facts + lost, produced, "{path:?}");
        assert!((100_000..4_000_000).contains(&facts), "{facts} facts");
        assert!((1 << 20..=2 << 20).contains(&size), "{size} bytes");
    }
    let memory =
        stderr.lines().find_map(|line| line.strip_suffix(" of memory")?.rsplit(' ').nth(1));
    let memory: Option<f64> = memory.and_then(|number| number.parse().ok());
    let memory = memory.unwrap_or_else(|| panic!("no memory in {stderr}"));
    say(format!("the recorder took {memory} MB of memory at most"));
    assert!(memory < 104.9, "100 MiB: {memory} MB");
    Ok(())
}

/// A dump has the last moments, all of them, and little more.
pub(crate) fn last_moments() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("last.ktape");
    let looping = Running::start("loop", &[]);
    let pid = looping.pid().to_string();
    let mut holding = Holding::start(&trace, &["-e", "sched", "-p", &pid, "--overwrite=1s"]);
    std::thread::sleep(Duration::from_millis(2500));
    holding.send(libc::SIGUSR2);
    let told = holding.told(|line| line.contains("SIGUSR2"));
    assert!(!told.contains("room"), "{told}");
    holding.send(libc::SIGTERM);
    assert_eq!(holding.end().0, 0);
    let dumps = pieces(&trace);
    for path in [&dumps[0], &trace] {
        let opened = whole(path);
        let facts = rows(&opened, "off_cpu", ["end"]);
        let ends = || facts.iter().map(|fact| fact[0]);
        let span =
            Duration::from_nanos(ends().max().expect("facts") - ends().min().expect("facts"));
        say(format!("{} waits in {span:?}", facts.len()));
        assert!(
            span > Duration::from_millis(950) && span < Duration::from_millis(1700),
            "{span:?}"
        );
        let (produced, lost) = losses(&opened, "off_cpu");
        assert_eq!(facts.len() as u64 + lost, produced, "{path:?}");
        let threads = report(path, &["offcpu", "--by", "thread"]).to_string();
        assert!(threads.contains("loop-one"), "{threads}");
        let info = Ran::on(path, &["info", "--format", "json"]).expect(0).json();
        let row = rows_where(&info, "records", "record", &json!("off_cpu"))[0];
        assert_eq!(number(row, "produced"), produced);
    }
    Ok(())
}

/// A command that fails leaves a dump, one that succeeds does not.
pub(crate) fn failures() -> Result<(), NotRun> {
    let check = |args: &[&str], command: &[&str], code: i32, dumped: bool| {
        let folder = Folder::new();
        let trace = folder.file("failed.ktape");
        let ran = record(&trace, &[&["-e", "sched"], args].concat(), command).expect(code);
        assert_eq!(trace.exists(), dumped, "{command:?}: {}", ran.stderr);
        if dumped {
            let opened = whole(&trace);
            assert!(!rows(&opened, "off_cpu", ["tid"]).is_empty(), "{command:?}");
        }
        assert!(pieces(&trace).is_empty());
    };
    check(&["--overwrite"], &["sh", "-c", "sleep 0.01; exit 3"], 3, true);
    check(&["--overwrite"], &["sh", "-c", "sleep 0.01; kill -9 $$"], 137, true);
    check(&["--overwrite"], &["sh", "-c", "sleep 0.01"], 0, false);
    check(&["--overwrite", "--dump-at-end"], &["sh", "-c", "sleep 0.01"], 0, true);
    check(&["--overwrite", "-d", "50ms"], &["sleep", "10"], 0, true);
    Ok(())
}

/// A thread that starves is a stall, and a dump has it; there is one dump for many stalls.
pub(crate) fn stalls() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("stalled.ktape");
    // Four that want one CPU: each waits for a turn of three others.
    let script = "for i in 1 2 3 4; do timeout 2 sh -c 'while :; do :; done' & done; wait; exit 0";
    let args = ["-e", "sched", "--overwrite=10s", "--dump-on-stall", "5ms"];
    let ran = record(&trace, &args, &["taskset", "-c", "0", "sh", "-c", script]).expect(0);
    assert!(ran.stderr.contains("was stalled for 0."), "{}", ran.stderr);
    let dumps = pieces(&trace);
    assert_eq!(dumps.len(), 1, "{}", ran.stderr);
    whole(&dumps[0]);
    let stalls = report(&dumps[0], &["stalls", "--min-duration", "5ms", "--state", "preempted"]);
    let found = stalls.to_string();
    assert!(found.contains("preempted"), "{found}");
    // Sleeps are none: this one is a second long.
    let folder = Folder::new();
    let trace = folder.file("slept.ktape");
    let args = ["-e", "sched", "--overwrite=10s", "--dump-on-stall", "900ms"];
    record(&trace, &args, &["sleep", "1"]).expect(0);
    assert!(pieces(&trace).is_empty());
    Ok(())
}
