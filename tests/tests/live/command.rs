//! The recorder as a command: what it launches, writes, and returns.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;
use std::time::Duration;

use ktape_format::{State, Trace};
use ktape_tests::binary::ktape;
use ktape_tests::facts::{report, rows};
use ktape_tests::live::{NotRun, say};
use ktape_tests::ran::Ran;
use ktape_tests::recorder::{Folder, Recorder, record};

pub(crate) fn status() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("t.ktape");
    let sh = |script: &str| record(&trace, &[], &["sh", "-c", script]).code();
    for code in [0, 1, 2, 42, 255] {
        assert_eq!(sh(&format!("exit {code}")), code);
    }
    assert_eq!(sh("kill -TERM $$"), 128 + 15, "ended by SIGTERM");
    assert_eq!(sh("kill -SEGV $$"), 128 + 11, "ended by SIGSEGV");
    assert!(matches!(Trace::open(&trace).expect("a trace").state(), State::Complete));
    // As a shell, env, timeout and strace have it.
    let ran = record(&folder.file("n.ktape"), &[], &["/nonexistent/program"]);
    assert!(ran.stderr.contains("/nonexistent/program"), "{}", ran.stderr);
    assert_eq!(ran.code(), 127, "a command that is not there: {}", ran.stderr);
    let ran = record(&folder.file("n.ktape"), &[], &["/etc/passwd"]);
    assert_eq!(ran.code(), 126, "a command that cannot be run: {}", ran.stderr);
    Ok(())
}

pub(crate) fn old() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("t.ktape");
    record(&trace, &["-e", "sched"], &["sleep", "0.01"]).expect(0);
    let first = std::fs::read(&trace).expect("the first trace");
    record(&trace, &["-e", "sched"], &["sleep", "0.01"]).expect(0);
    let kept = std::fs::read(folder.file("t.ktape.old")).expect("the first trace, kept");
    assert!(kept == first);
    assert!(std::fs::read(&trace).expect("the second trace") != first);
    // Nor is anything else taken for a trace.
    let other = folder.file("program.c");
    std::fs::write(&other, "int main").expect("a file");
    let ran = record(&other, &["-e", "sched"], &["true"]).expect(2);
    assert!(ran.stderr.contains("no ktape trace"), "{}", ran.stderr);
    assert_eq!(std::fs::read(&other).expect("the file"), b"int main");
    // What cannot start does not cost the previous trace.
    let second = std::fs::read(&trace).expect("the second trace");
    record(&trace, &["-e", "nonsense"], &["true"]).expect(2);
    assert!(std::fs::read(&trace).expect("the second trace") == second);
    Ok(())
}

pub(crate) fn mode() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("t.ktape");
    let run = |uid: Option<&str>| {
        let mut run = Command::new(ktape());
        run.args(["record", "-e", "sched", "-q", "-o"]).arg(&trace).args(["--", "true"]);
        run.env_remove("SUDO_UID").env_remove("SUDO_GID");
        if let Some(uid) = uid {
            run.env("SUDO_UID", uid).env("SUDO_GID", "64322");
        }
        Ran::of(&mut run, &[]).expect(0);
        trace.metadata().expect("the trace")
    };
    let own = run(None);
    assert_eq!(own.permissions().mode() & 0o777, 0o600);
    assert_eq!(own.uid(), 0);
    let sudo = run(Some("64321"));
    assert_eq!(sudo.permissions().mode() & 0o777, 0o600);
    assert_eq!((sudo.uid(), sudo.gid()), (64_321, 64_322));
    Ok(())
}

pub(crate) fn ctrl_c() -> Result<(), NotRun> {
    let folder = Folder::new();
    for (signal, name) in [(libc::SIGINT, "SIGINT"), (libc::SIGTERM, "SIGTERM")] {
        let trace = folder.file("t.ktape");
        let recorder = Recorder::start(&trace, &["-a", "-e", "all"]);
        std::thread::sleep(Duration::from_secs(1));
        let stopped = recorder.stop(signal);
        say(format!("{name}: a finished file after {:?}", stopped.took));
        assert_eq!(stopped.code, 0, "{}", stopped.stderr);
        assert!(stopped.stderr.contains("recorded"), "a summary: {}", stopped.stderr);
        Ran::on(&trace, &["verify"]).expect(0);
    }
    Ok(())
}

pub(crate) fn pipe() -> Result<(), NotRun> {
    let mut run = Command::new(ktape());
    run.args(["record", "-a", "-e", "all", "-o", "-", "-d", "500ms"]);
    let piped = Ran::of(&mut run, &[]).expect(0);
    assert!(piped.stderr.contains("standard output"), "{}", piped.stderr);
    let folder = Folder::new();
    let trace = folder.file("t.ktape");
    std::fs::write(&trace, &piped.stdout).expect("a file");
    Ran::on(&trace, &["verify"]).expect(0);
    let mut run = Command::new(ktape());
    let answer = Ran::of(run.args(["report", "offcpu", "-i", "-"]), &piped.stdout).expect(0);
    assert!(answer.stdout == Ran::on(&trace, &["report", "offcpu"]).expect(0).stdout);
    // What the launched command prints must not get into the trace.
    let mut run = Command::new(ktape());
    run.args(["record", "-q", "-o", "-", "--", "echo", "hello"]);
    let mixed = Ran::of(&mut run, &[]);
    if mixed.code() == 0 {
        std::fs::write(&trace, &mixed.stdout).expect("a file");
        Ran::on(&trace, &["verify"]).expect(0);
    } else {
        assert_eq!(mixed.code(), 2, "refused: {}", mixed.stderr);
    }
    Ok(())
}

pub(crate) fn not_itself() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("t.ktape");
    let recorder = Recorder::start(&trace, &["-a", "-e", "all", "-F", "997"]);
    let pid = u64::from(recorder.pid());
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(recorder.stop(libc::SIGINT).code, 0);
    let opened = Trace::open(&trace).expect("a trace");
    for record in ["off_cpu", "cpu_sample", "syscall_count", "syscall_slow"] {
        let own = rows(&opened, record, ["tgid"]).iter().filter(|row| row[0] == pid).count();
        assert_eq!(own, 0, "{record} of the recorder itself");
    }
    let answer = report(&trace, &["offcpu"]);
    let processes = answer["processes"].as_array().expect("a table");
    assert!(processes.iter().all(|row| row["pid"] != pid), "{answer}");
    Ok(())
}
