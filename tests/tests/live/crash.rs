//! Recordings that end badly.

use ktape_format::{State, Trace};
use ktape_tests::facts::{number, report, rows, rows_where};
use ktape_tests::live::{NotRun, needs_program, say};
use ktape_tests::ran::Ran;
use ktape_tests::recorder::{Folder, Holding, Recorder};
use ktape_tests::running::Running;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Nanoseconds of the monotonic clock, as the first word of /proc/uptime has them to 10 ms: that
/// clock and this one differ by the time suspended, which is none here.
fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    #[expect(
        unsafe_code,
        reason = "clock_gettime(2): std has no monotonic clock that can be read out"
    )]
    // SAFETY: the pointer is to a timespec of this frame.
    unsafe {
        libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time);
    }
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

pub(crate) fn killed() -> Result<(), NotRun> {
    // Moments that are spread over the time from one write to the next, 600 ms.
    [0, 140, 290, 430, 570].into_iter().for_each(killed_after);
    Ok(())
}

/// Kills a recorder so many milliseconds after a second and a half.
fn killed_after(after: u64) {
    let folder = Folder::new();
    let trace = folder.file("killed.ktape");
    let looping = Running::start("loop", &[]);
    let recorder = Recorder::start(&trace, &["-e", "all", "-p", &looping.pid().to_string()]);
    // Not at once after it has written: what a crash costs depends on the moment.
    std::thread::sleep(Duration::from_millis(1500 + after));
    let killed_at = now();
    assert_eq!(recorder.stop(libc::SIGKILL).code, 128 + 9);

    let verify = Ran::on(&trace, &["verify"]).expect(1);
    assert!(verify.text().contains("unfinished"), "{}", verify.text());
    let info = Ran::on(&trace, &["info"]).expect(0).text();
    assert!(info.contains("unfinished"), "{info}");
    let opened = Trace::open(&trace).expect("a trace");
    assert!(matches!(opened.state(), State::Unfinished(_)), "{:?}", opened.state());
    let last = rows(&opened, "off_cpu", ["end"]).iter().map(|row| row[0]).max().expect("facts");
    let missing = Duration::from_nanos(killed_at.saturating_sub(last));
    say(format!("the last fact is {missing:?} older than the kill"));
    assert!(missing < Duration::from_secs(1), "a crash costs {missing:?}");
    let threads = report(&trace, &["offcpu", "--by", "thread"]);
    assert!(threads.to_string().contains("loop-one"), "names: {threads}");
    // Only this kernel could tell the names of its functions.
    let stacks = report(&trace, &["offcpu", "--by", "stack"]).to_string();
    assert!(stacks.contains("schedule_[k]"), "names of the kernel: {stacks}");
    let records = Ran::on(&trace, &["info", "--format", "json"]).expect(0).json();
    let of_waits = rows_where(&records, "records", "record", &"off_cpu".into());
    let [recorded, produced, lost] =
        ["rows", "produced", "lost"].map(|key| number(of_waits[0], key));
    say(format!("of the waits until then {recorded} recorded, {lost} lost, {produced} produced"));
    assert!(recorded + lost <= produced, "counters are older than facts: {records}");
    every_report_works(&trace);

    let recovered = folder.file("recovered.ktape");
    Ran::on(&trace, &["recover", "-o", recovered.to_str().expect("UTF-8")]);
    Ran::on(&recovered, &["verify"]).expect(0);
    let rows_of = |path: &Path| {
        rows(&Trace::open(path).expect("a trace"), "off_cpu", ["tid", "end", "duration"])
    };
    assert_eq!(rows_of(&recovered), rows_of(&trace));
    // What is made of it does not pass for a finished one.
    every_report_works(&recovered);
    let symbolized = folder.file("symbolized.ktape");
    Ran::on(&trace, &["symbolize", "-o", symbolized.to_str().expect("UTF-8")]).expect(0);
    every_report_works(&symbolized);
}

/// Every report gives an answer, and says what became of the trace.
fn every_report_works(trace: &Path) {
    for entry in ktape_analyze::reports::REPORTS {
        let name: &[&str] =
            if entry.name == "overview" { &["report"] } else { &["report", entry.name] };
        let text = Ran::on(trace, name).expect(0).text();
        assert!(
            text.contains("was not finished"),
            "in report {}:
{text}",
            entry.name
        );
    }
}

/// A file system of 1 MiB, unmounted when dropped.
struct Small(PathBuf);

impl Small {
    fn mount(at: PathBuf) -> Result<Self, NotRun> {
        std::fs::create_dir(&at).expect("a folder");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m", "ktape-test"]).arg(&at);
        let ran = Ran::of(&mut mount, &[]);
        match ran.code() {
            0 => Ok(Self(at)),
            _ => Err(NotRun(format!("cannot mount a tmpfs: {}", ran.stderr.trim()))),
        }
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

pub(crate) fn full() -> Result<(), NotRun> {
    needs_program("mount", "mount")?;
    let folder = Folder::new();
    let small = Small::mount(folder.file("small"))?;
    let trace = small.0.join("full.ktape");
    let mut flood = Running::start("flood", &["switches", "100000000"]);
    while flood.line() != ["ready"] {}
    // A slow call is a fact of 5 to 10 bytes: enough of them in a moment.
    let recorder = Recorder::start(
        &trace,
        &["-e", "sched,syscalls/slow=1ns/", "-p", &flood.pid().to_string(), "-d", "60s"],
    );
    flood.go_on();
    let stopped = recorder.wait();
    say(format!("after {:?}: {}", stopped.took, stopped.stderr.trim()));
    assert_eq!(stopped.code, 1, "{}", stopped.stderr);
    assert!(stopped.took < Duration::from_secs(55), "it ended by itself");
    assert!(
        stopped.stderr.contains(trace.to_str().expect("UTF-8")),
        "the path: {}",
        stopped.stderr
    );
    assert!(
        stopped.stderr.contains("No space left") || stopped.stderr.contains("no space left"),
        "{}",
        stopped.stderr
    );
    // What to do next.
    assert!(stopped.stderr.contains("free some space"), "what to do: {}", stopped.stderr);

    let verify = Ran::on(&trace, &["verify"]).expect(1);
    let opened = Trace::open(&trace).expect("a trace");
    assert!(matches!(opened.state(), State::Unfinished(_)), "{}", verify.text());
    let facts = rows(&opened, "off_cpu", ["tid"]).len();
    say(format!("{facts} waits in a file of {} bytes; {}", opened.size(), verify.text().trim()));
    assert!(facts > 1000, "{facts} facts");
    every_report_works(&trace);
    let recovered = folder.file("recovered.ktape");
    Ran::on(&trace, &["recover", "-o", recovered.to_str().expect("UTF-8")]);
    Ran::on(&recovered, &["verify"]).expect(0);
    Ok(())
}

/// A dump that finds the disk full costs that dump only.
pub(crate) fn full_for_a_dump() -> Result<(), NotRun> {
    needs_program("mount", "mount")?;
    let folder = Folder::new();
    let small = Small::mount(folder.file("small"))?;
    let (trace, filler) = (small.0.join("held.ktape"), small.0.join("filler"));
    let looping = Running::start("loop", &[]);
    let pid = looping.pid().to_string();
    let mut holding = Holding::start(&trace, &["-e", "sched", "-p", &pid, "--overwrite"]);
    std::thread::sleep(Duration::from_millis(300));
    std::fs::write(&filler, vec![0; (1 << 20) - (16 << 10)]).expect("room for most of it");
    holding.send(libc::SIGUSR2);
    let told = holding.told(|line| line.contains("dump was made"));
    assert!(told.to_lowercase().contains("no space left"), "{told}");
    std::fs::remove_file(&filler).expect("ours");
    holding.send(libc::SIGINT);
    let (code, stderr) = holding.end();
    assert_eq!(code, 0, "{stderr}");
    Ran::on(&trace, &["verify"]).expect(0);
    let opened = Trace::open(&trace).expect("a trace");
    assert!(rows(&opened, "off_cpu", ["tid"]).len() > 50, "{stderr}");
    Ok(())
}
