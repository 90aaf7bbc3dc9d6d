//! What a power cut costs a recording with `--sync`.

use ktape_format::{State, Trace};
use ktape_tests::binary::ktape;
use ktape_tests::facts::rows;
use ktape_tests::live::{NotRun, needs_program, say};
use ktape_tests::ran::Ran;
use ktape_tests::recorder::Folder;
use ktape_tests::running::Running;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A point up to which the file was on the disk.
struct Synced {
    /// When fdatasync(2) returned, seconds of the wall clock.
    at: f64,
    /// The length of the file when it was called.
    len: u64,
}

/// Reads what strace saw of a trace: bytes that were appended, and when they were synced.
fn synced(log: &str, trace: &Path) -> Vec<Synced> {
    let name = trace.to_str().expect("UTF-8");
    let (mut len, mut points) = (0, Vec::new());
    for line in log.lines().filter(|line| line.contains(name)) {
        let mut words = line.split_whitespace().skip(1);
        let at: f64 = words.next().and_then(|word| word.parse().ok()).expect("a time");
        let returned = || line.rsplit("= ").next()?.split_whitespace().next()?.parse::<u64>().ok();
        if line.contains(" write(") {
            len += returned().unwrap_or_else(|| panic!("a write that failed: {line}"));
        } else if line.contains(" fdatasync(") {
            assert_eq!(returned(), Some(0), "{line}");
            points.push(Synced { at, len });
        }
    }
    points
}

/// Everything that was not synced is dropped, at each moment at which that is most: just before the
/// next sync is done.
pub(crate) fn costs_a_second() -> Result<(), NotRun> {
    needs_program("strace", "strace")?;
    let folder = Folder::new();
    let (trace, log) = (folder.file("cut.ktape"), folder.file("strace"));
    let looping = Running::start("loop", &[]);
    let mut command = Command::new("strace");
    // Whole lines: no other call interrupts them, since one thread makes them all.
    command.args(["-f", "-y", "-ttt", "-e", "trace=write,fdatasync", "-s", "0", "-o"]).arg(&log);
    command.arg(ktape()).args(["record", "-q", "-e", "sched", "--sync", "-d", "6s", "-p"]);
    command.arg(looping.pid().to_string()).arg("-o").arg(&trace);
    Ran::of(&mut command, &[]).expect(0);

    let log = std::fs::read_to_string(&log).expect("what strace saw");
    let points = synced(&log, &trace);
    let whole = std::fs::read(&trace).expect("the trace");
    let last_of = |path: &Path| {
        let opened = Trace::open(path).expect("a trace");
        assert!(matches!(opened.state(), State::Unfinished(_)), "{:?}", opened.state());
        let start = opened.meta().start;
        let ends = rows(&opened, "off_cpu", ["end"]).iter().map(|row| row[0]).max();
        // On the wall clock, as strace has it.
        ends.map(|end| (start.realtime + (end - start.mono)) as f64 / 1e9)
    };
    let (mut worst, mut cuts) = (0.0_f64, 0);
    for pair in points.windows(2) {
        let (kept, next) = (&pair[0], &pair[1]);
        let cut = folder.file("after-the-cut.ktape");
        std::fs::write(&cut, &whole[..kept.len as usize]).expect("a copy");
        Ran::on(&cut, &["report", "offcpu"]).expect(0);
        let Some(last) = last_of(&cut) else { continue };
        worst = worst.max(next.at - last);
        cuts += 1;
    }
    let syncs = points.len();
    say(format!("{syncs} syncs; {cuts} power cuts, the worst of which cost {worst:.3} s"));
    assert!(cuts >= 6, "{cuts} cuts: a sync each 0.6 s");
    assert!(worst < Duration::from_secs(1).as_secs_f64(), "{worst} s are lost");
    Ok(())
}
