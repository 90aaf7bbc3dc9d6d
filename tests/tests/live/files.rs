//! Slow operations on files, of programs that know what they did.

use std::path::Path;

use crate::syscalls::{TOGETHER, check_shared};
use ktape_format::Trace;
use ktape_format::schema::{file_kind, tcp_owner};
use ktape_tests::facts::{losses, number, report, rows};
use ktape_tests::live::{NotRun, say};
use ktape_tests::recorder::{Folder, Recorder, record};
use ktape_tests::running::Running;
use ktape_tests::workload::{lines, number as parse, workload};
use serde_json::{Value, json};

/// How long the file system of `slowfs` takes, ns.
const DELAY: u64 = 25_000_000;

/// Every operation in a trace, the slowest first.
fn calls(trace: &Path) -> Vec<Value> {
    let answer = report(trace, &["io", "--top", "0"]);
    answer["calls"].as_array().expect("a list").clone()
}

/// Those of them on a file.
fn on<'a>(calls: &'a [Value], path: &Path) -> Vec<&'a Value> {
    let path = json!(path.to_str().expect("UTF-8"));
    calls.iter().filter(|call| call["path"] == path).collect()
}

/// Checks that operations are as many, and have as many bytes, as the program said.
fn compare(found: &[&Value], said: &str, call: &str) {
    let words = &lines(said, call)[0];
    let of_call = || found.iter().filter(|row| row["syscall"] == json!(call));
    let bytes: u64 = of_call().map(|row| number(row, "io_bytes")).sum();
    let expected = (parse(&words[1]), parse(&words[2]));
    assert_eq!((of_call().count() as u64, bytes), expected, "{call}");
    say(format!("{call}: {} calls, {} bytes: exact", expected.0, expected.1));
}

fn needs_fuse() -> Result<(), NotRun> {
    match Path::new("/dev/fuse").exists() {
        true => Ok(()),
        false => Err(NotRun("the kernel has no FUSE (/dev/fuse)".to_owned())),
    }
}

pub(crate) fn slow() -> Result<(), NotRun> {
    needs_fuse()?;
    let folder = Folder::new();
    let (trace, mount) = (folder.file("io.ktape"), folder.file("mount"));
    std::fs::create_dir(&mount).expect("a folder");
    let program = workload("slowfs");
    let command = [program.to_str().expect("UTF-8"), mount.to_str().expect("UTF-8"), "work"];
    let said = record(&trace, &["-e", "io"], &command).expect(0).text();
    let all = calls(&trace);
    let slow = on(&all, &mount.join("file"));
    for (call, function) in
        [("pread64", "slow_read"), ("pwrite64", "slow_write"), ("fsync", "slow_sync")]
    {
        compare(&slow, &said, call);
        for row in slow.iter().filter(|row| row["syscall"] == json!(call)) {
            assert!(number(row, "duration_ns") >= DELAY, "{row}");
            assert_eq!((&row["kind"], &row["fs"]), (&json!("regular"), &json!("fuse")), "{row}");
            let stack = row["stack"].as_str().expect("a stack");
            assert!(stack.contains(&format!(";{function};")), "{stack}");
        }
    }
    // It waited as long at a pipe, a socket and a terminal.
    let files = ["regular", "directory", "block_device", "none"];
    for row in &all {
        assert!(files.iter().any(|kind| row["kind"] == json!(kind)), "{row}");
    }

    let said = record(&trace, &["-e", "io/kinds=all/"], &command).expect(0).text();
    let all = calls(&trace);
    compare(&on(&all, &mount.join("file")), &said, "pread64");
    for (what, kind) in [("pipe", "pipe"), ("socket", "socket"), ("terminal", "character_device")] {
        let one = |row: &&Value| row["kind"] == json!(kind) && row["io_bytes"] == json!(1);
        let found = all.iter().filter(one).count() as u64;
        assert_eq!(found, parse(&lines(&said, what)[0][1]), "reads of a {what}");
    }
    say("waits at a pipe, a socket and a terminal are left out, unless asked for");
    Ok(())
}

pub(crate) fn exact() -> Result<(), NotRun> {
    count("io/min=0s/");
    Ok(())
}

pub(crate) fn together() -> Result<(), NotRun> {
    count(TOGETHER);
    Ok(())
}

fn count(probes: &str) {
    let folder = Folder::new();
    let (trace, file) = (folder.file("io.ktape"), folder.file("plain"));
    let program = workload("slowfs");
    let command = [program.to_str().expect("UTF-8"), file.to_str().expect("UTF-8"), "plain"];
    let said = record(&trace, &["-e", probes], &command).expect(0).text();
    check_shared(&trace, "io", probes == TOGETHER);
    let all = calls(&trace);
    let found = on(&all, &file);
    for call in ["pwrite64", "pread64", "readv", "fdatasync", "ftruncate"] {
        compare(&found, &said, call);
    }
    let opened = found.iter().filter(|row| row["operation"] == json!("open")).count() as u64;
    assert_eq!(opened, parse(&lines(&said, "open")[0][1]));
    for row in found.iter().filter(|row| row["operation"] == json!("read")) {
        assert_eq!(row["io_bytes"], row["requested_bytes"], "{row}");
    }
    // Each is where the one before it ended, from the start of the file.
    let mut offsets: Vec<u64> = found
        .iter()
        .filter(|row| row["syscall"] == json!("readv"))
        .map(|row| number(row, "offset"))
        .collect();
    offsets.sort_unstable();
    assert!(offsets.iter().zip(0..).all(|(&offset, at)| offset == 30 * at), "{offsets:?}");

    let trace = Trace::open(&trace).expect("a trace");
    let (produced, lost) = losses(&trace, "io");
    assert_eq!(rows(&trace, "io", ["end"]).len() as u64 + lost, produced);
}

pub(crate) fn hang() -> Result<(), NotRun> {
    needs_fuse()?;
    let folder = Folder::new();
    let mount = folder.file("mount");
    std::fs::create_dir(&mount).expect("a folder");
    let (before, after) = (folder.file("before.ktape"), folder.file("after.ktape"));
    let first = Recorder::start(&before, &["-a", "-e", "io"]);
    let mut running = Running::start("slowfs", &[mount.to_str().expect("UTF-8"), "hang"]);
    let pid = parse(&running.line()[1]);
    std::thread::sleep(std::time::Duration::from_millis(100));
    let second = Recorder::start(&after, &["-a", "-e", "io"]);
    std::thread::sleep(std::time::Duration::from_millis(100));
    for recorder in [first, second] {
        let stopped = recorder.stop(libc::SIGINT);
        assert_eq!(stopped.code, 0, "{}", stopped.stderr);
    }
    running.go_on();
    running.line();
    for (trace, began_before) in [(&before, false), (&after, true)] {
        let all = calls(trace);
        let found = on(&all, &mount.join("file"));
        assert_eq!(found.len(), 1, "{found:?}");
        let row = found[0];
        assert_eq!(row["pid"], json!(pid));
        assert_eq!(row["syscall"], json!("pread64"));
        assert_eq!((&row["open"], &row["began_before"]), (&json!(true), &json!(began_before)));
        assert_eq!(number(row, "offset"), 3 * 4096);
        assert!(number(row, "duration_ns") >= 50_000_000, "{row}");
        let stack = row["stack"].as_str().expect("a stack");
        assert!(stack.contains("vfs_read_[k]"), "{stack}");
    }
    say("a read that hangs is told with its file and its place in the kernel");
    Ok(())
}

pub(crate) fn crowd() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("crowd.ktape");
    let program = workload("crowd");
    let settings = ["-e", "io/min=200ms,kinds=all/,tcp"];
    let said = record(&trace, &settings, &[program.to_str().expect("UTF-8")]).expect(0).text();
    let [pid, count, bytes] = [1, 2, 3].map(|at| parse(&lines(&said, "crowd")[0][at]));
    let opened = Trace::open(&trace).expect("a trace");
    let reads = rows(&opened, "io", ["tgid", "bytes", "flags", "kind", "tid"]);
    let mut tids: Vec<u64> = reads
        .iter()
        .filter(|read| read[..3] == [pid, bytes, 0] && read[3] == u64::from(file_kind::SOCKET))
        .map(|read| read[4])
        .collect();
    tids.sort_unstable();
    tids.dedup();
    assert_eq!(tids.len() as u64, count, "{reads:?}");
    let ended = rows(&opened, "tcp_connection", ["tgid", "owner", "tid"]);
    let accepted =
        ended.iter().filter(|end| end[..2] == [pid, u64::from(tcp_owner::ACCEPT)]).count();
    assert_eq!(accepted as u64, count, "{ended:?}");
    say(format!("{count} threads at once in accept, then in read: each is seen to come back"));
    Ok(())
}
