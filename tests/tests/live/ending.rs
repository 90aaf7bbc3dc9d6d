//! How a recording and its command end, and with which status.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ktape_format::{State, Trace};
use ktape_tests::binary::ktape;
use ktape_tests::facts::{number, report, rows_where};
use ktape_tests::live::{NotRun, say};
use ktape_tests::ran::Ran;
use ktape_tests::recorder::{Folder, Recorder, record, send};
use serde_json::json;

use crate::launch::Launch;

/// A process that runs beside a recording; killed when dropped.
struct Beside(Child);

impl Beside {
    fn sh(script: &str) -> Self {
        Self(Command::new("sh").args(["-c", script]).spawn().expect("sh runs"))
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until a process has ended, be it that nobody has waited for it yet.
fn wait_for_end(pid: u32) {
    let state = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(") ").next().and_then(|rest| rest.chars().next())
    };
    while !matches!(state(), None | Some('Z' | 'X')) {
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[track_caller]
fn is_complete(trace: &Path) {
    let state = Trace::open(trace).expect("a trace");
    assert!(matches!(state.state(), State::Complete), "{:?}", state.state());
}

/// Whoever is faster at a Ctrl-C, the command's own end is its status.
pub(crate) fn ctrl_c() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("t.ktape");
    for (script, of_command) in [
        ("echo runs; exec sleep 1000", 128 + libc::SIGINT),
        ("trap 'exit 7' INT; echo runs; while :; do sleep 0.01; done", 7),
    ] {
        for _ in 0..5 {
            let mut launch = Launch::start(&trace, &["-e", "sched"], &["sh", "-c", script]);
            assert_eq!(launch.line(), "runs");
            launch.ctrl_c();
            let (code, said) = launch.end_of_both();
            assert_eq!(code, of_command, "{script}: {said}");
            is_complete(&trace);
        }
    }
    // A signal to the recorder alone: it is the recorder that ends the command.
    let on_term = "trap 'exit 7' TERM; echo runs; while :; do sleep 0.01; done";
    for script in ["echo runs; exec sleep 1000", on_term] {
        let mut launch = Launch::start(&trace, &["-e", "sched"], &["sh", "-c", script]);
        assert_eq!(launch.line(), "runs");
        launch.signal(libc::SIGINT);
        let (code, said) = launch.end_of_both();
        assert_eq!(code, 0, "{script}: {said}");
    }
    Ok(())
}

/// A command that does not die holds up neither the trace nor the summary, and can be left.
pub(crate) fn stubborn() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("t.ktape");
    let script = "trap '' TERM INT; echo $$; exec sleep 1000";
    let mut launch = Launch::start(&trace, &["-e", "sched", "-d", "300ms"], &["sh", "-c", script]);
    let pid: u32 = launch.line().parse().expect("its number");
    let said = launch.says("still runs");
    assert!(said.contains("recorded"), "the summary comes first: {said}");
    assert!(said.contains(&format!("process {pid}")), "{said}");
    is_complete(&trace);
    launch.ctrl_c();
    let (code, said) = launch.end();
    assert_eq!(code, 0, "the recording is complete: {said}");
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).expect("it still runs");
    assert_eq!(name, "sleep\n");
    send(pid, libc::SIGKILL);
    Ok(())
}

/// A limit of the recorder costs the command nothing.
pub(crate) fn limit() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("t.ktape");
    let script = "sleep 1; sleep 0.2; exit 3";
    let ran = record(&trace, &["-e", "sched", "--max-size", "1"], &["sh", "-c", script]).expect(3);
    assert!(ran.stderr.contains("has reached its --max-size"), "{}", ran.stderr);
    is_complete(&trace);
    Ok(())
}

/// The end of what -p names is not that of the command.
pub(crate) fn target() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("t.ktape");
    let go = folder.file("go");
    let mut target = Beside::sh("exec sleep 1000");
    let script =
        format!("echo runs; while ! test -e {}; do sleep 0.05; done; exit 3", go.display());
    let mut launch =
        Launch::start(&trace, &["-e", "sched", "-p", &target.pid()], &["sh", "-c", &script]);
    assert_eq!(launch.line(), "runs");
    target.0.kill().expect("our child");
    // It looks for its targets every 0.6 s.
    std::thread::sleep(Duration::from_millis(1500));
    std::fs::write(&go, "").expect("a file");
    assert_eq!(launch.end_of_both().0, 3);

    // Without a command it is the end of the recording, though the target is a zombie: nobody waits
    // for it yet.
    for option in ["-p", "-t"] {
        let trace = folder.file(option);
        let mut target = Beside::sh("exec sleep 1000");
        let recorder =
            Recorder::start(&trace, &["-e", "sched", "-d", "100s", option, &target.pid()]);
        target.0.kill().expect("our child");
        let stopped = recorder.wait();
        assert_eq!(stopped.code, 0, "{}", stopped.stderr);
        assert!(stopped.stderr.contains("all that was asked for has ended"), "{}", stopped.stderr);
        // There is nothing to record of it.
        let ran = record(&trace, &[option, &target.pid(), "-d", "100s"], &[]).expect(2);
        assert!(ran.stderr.contains("it has ended"), "{}", ran.stderr);
    }
    Ok(())
}

/// A recording that cannot start leaves no command behind.
pub(crate) fn failed_start() -> Result<(), NotRun> {
    let folder = Folder::new();
    let (other, ran) = (folder.file("program.c"), folder.file("ran"));
    std::fs::write(&other, "int main").expect("a file");
    let touch = format!("touch {}", ran.display());
    record(&other, &["-D", "10ms"], &["sh", "-c", &touch]).expect(2);
    assert!(!ran.exists(), "what can be refused is refused before the command runs");

    let nowhere = folder.file("no/such/folder.ktape");
    let script = "echo $$; exec sleep 1000";
    let mut launch = Launch::start(&nowhere, &["-D", "100ms"], &["sh", "-c", script]);
    let pid = launch.line().parse().expect("its number");
    let (code, said) = launch.end_of_both();
    assert_eq!(code, 1, "{said}");
    wait_for_end(pid);

    // The held child used to abort, sometimes.
    for _ in 0..50 {
        let ran = record(&folder.file("t.ktape"), &["-p", "4194000"], &["true"]).expect(2);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    }
    // A command that ends before its recording begins is not waited for.
    let ran = record(&folder.file("t.ktape"), &["-D", "200s"], &["sh", "-c", "exit 5"]).expect(5);
    assert!(ran.elapsed < Duration::from_secs(100), "{:?}", ran.elapsed);
    Ok(())
}

/// What a process that was there before has run in the recording is what its scheduler says.
pub(crate) fn cpu_time() -> Result<(), NotRun> {
    let folder = Folder::new();
    let busy = Beside::sh("while :; do :; done");
    let run = || {
        let path = format!("/proc/{}/schedstat", busy.pid());
        let text = std::fs::read_to_string(path).expect("it runs");
        text.split(' ').next().and_then(|word| word.parse::<u64>().ok()).expect("a number")
    };
    for option in ["-p", "-t"] {
        let trace = folder.file(option);
        let before = run();
        let recorder = Recorder::start(&trace, &["-e", "sched", option, &busy.pid()]);
        let started = run();
        std::thread::sleep(Duration::from_secs(1));
        let stopping = run();
        assert_eq!(recorder.stop(libc::SIGINT).code, 0);
        let after = run();
        let tree = report(&trace, &["tree"]);
        let cpu = number(rows_where(&tree, "processes", "pid", &json!(busy.0.id()))[0], "cpu_ns");
        let (least, most) = (stopping - started, after - before);
        say(format!("{option}: {cpu} ns of CPU, between {least} and {most}"));
        assert!((least..=most).contains(&cpu), "{option}: {least} <= {cpu} <= {most}");
    }
    Ok(())
}

/// A command is ended with its children, which nobody but the recorder tells.
pub(crate) fn children() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("t.ktape");
    let script = "sleep 1234.5678 & echo $!; wait";
    for args in [&["-e", "sched", "-d", "500ms"][..], &["-e", "sched"]] {
        let mut launch = Launch::start(&trace, args, &["sh", "-c", script]);
        let child = launch.line().parse().expect("its number");
        if !args.contains(&"-d") {
            launch.signal(libc::SIGTERM);
        }
        let (code, said) = launch.end_of_both();
        assert_eq!(code, 0, "it was ended as asked: {said}");
        wait_for_end(child);
        let tree = report(&trace, &["tree"]);
        let shell = &tree["processes"][0];
        assert_eq!(shell["command_line"], format!("sh -c {script}"), "{tree}");
        assert_ne!(shell["from"], "before", "it began when it was released: {tree}");
    }
    Ok(())
}

/// Nothing but a trace is replaced, nor a device written over.
pub(crate) fn outputs() -> Result<(), NotRun> {
    let folder = Folder::new();
    let (trace, old) = (folder.file("t.ktape"), folder.file("t.ktape.old"));
    record(&trace, &["-e", "sched"], &["true"]).expect(0);
    std::fs::write(&old, "my notes").expect("a file");
    let ran = record(&trace, &["-e", "sched"], &["true"]).expect(2);
    assert!(ran.stderr.contains("t.ktape.old"), "{}", ran.stderr);
    assert_eq!(std::fs::read(&old).expect("the notes"), b"my notes");
    is_complete(&trace);

    let symbolize =
        |output: &Path| Ran::on(&trace, &["symbolize", "-o", output.to_str().expect("UTF-8")]);
    assert!(symbolize(&old).expect(2).stderr.contains("no ktape trace"));
    assert_eq!(std::fs::read(&old).expect("the notes"), b"my notes");
    assert!(symbolize(Path::new("/dev/null")).expect(2).stderr.contains("is a device"));
    let new = folder.file("new.ktape");
    symbolize(&new).expect(0);
    symbolize(&new).expect(0);

    record(Path::new("/dev/null"), &["-e", "sched"], &["true"]).expect(0);
    // A loop device that is not there: if it were opened nothing would come to harm.
    let device = folder.file("device");
    let mut mknod = Command::new("mknod");
    let made = Ran::of(mknod.arg(&device).args(["b", "7", "1000000"]), &[]);
    if made.code() != 0 {
        return Err(NotRun(format!("cannot make a block device: {}", made.stderr.trim())));
    }
    let ran = record(&device, &["-e", "sched"], &["true"]).expect(2);
    assert!(ran.stderr.contains("block device"), "{}", ran.stderr);
    Ok(())
}

/// A reader that reads nothing does not keep the recorder: a second signal gives up.
pub(crate) fn blocked() -> Result<(), NotRun> {
    let flood = Beside::sh("while :; do /bin/true; done");
    let mut command = Command::new(ktape());
    command.args(["record", "-a", "-e", "sched,syscalls/slow=1ns/", "-o", "-"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut recorder = command.spawn().expect("ktape runs");
    // The queue is full by then: a pipe holds 64 KiB.
    std::thread::sleep(Duration::from_secs(5));
    let signal = || {
        send(recorder.id(), libc::SIGINT);
        std::thread::sleep(Duration::from_millis(1000));
    };
    signal();
    signal();
    drop(flood);
    let mut ended = false;
    for _ in 0..100 {
        ended = recorder.try_wait().expect("our child").is_some();
        if ended {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let _ = recorder.kill();
    let status = recorder.wait().expect("our child");
    assert!(ended, "two signals do not end it");
    assert_eq!(status.code(), Some(1), "the end of the trace is missing");
    Ok(())
}
