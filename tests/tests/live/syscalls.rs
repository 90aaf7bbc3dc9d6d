//! System calls of programs that make exactly known numbers of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use ktape_format::Trace;
use ktape_tests::facts::{number, report, rows_where};
use ktape_tests::live::{NotRun, needs_program, say};
use ktape_tests::ran::Ran;
use ktape_tests::recorder::{Folder, record};
use ktape_tests::workload::{lines, number as parse, workload};
use serde_json::json;

/// What `calls` says of itself: (process, call, count, errors).
fn said(output: &str) -> Vec<(String, String, u64, u64)> {
    let all: Vec<_> = [lines(output, "child"), lines(output, "parent")]
        .concat()
        .into_iter()
        .map(|words| (words[1].clone(), words[2].clone(), parse(&words[3]), parse(&words[4])))
        .collect();
    assert_eq!(all.len(), 8, "{output}");
    all
}

pub(crate) fn exact() -> Result<(), NotRun> {
    count("syscalls");
    Ok(())
}

/// Probes that share the programs at system calls where all of them are recorded.
pub(crate) const TOGETHER: &str = "io/min=0s/,locks,syscalls,tcp";

/// Whether a probe is served by the shared programs, as it is where these can be used.
pub(crate) fn check_shared(trace: &Path, name: &str, shared: bool) {
    let trace = Trace::open(trace).expect("a trace");
    let probe = trace.meta().probes.iter().find(|probe| probe.name == name).expect("the probe");
    let is = probe.attached.iter().any(|place| place.ends_with(", shared"));
    assert!(is == shared || probe.reason.contains("preempted"), "{name}: {:?}", probe.attached);
}

pub(crate) fn together() -> Result<(), NotRun> {
    count(TOGETHER);
    Ok(())
}

fn count(probes: &str) {
    let folder = Folder::new();
    let trace = folder.file("calls.ktape");
    let program = workload("calls");
    let args = ["-e", probes];
    let ran = record(&trace, &args, &[program.to_str().expect("UTF-8")]).expect(0);
    check_shared(&trace, "syscalls", probes == TOGETHER);
    for (pid, call, count, errors) in said(&ran.text()) {
        let answer = report(&trace, &["syscalls", "--pid", &pid]);
        let found = rows_where(&answer, "syscalls", "syscall", &json!(call));
        assert_eq!(found.len(), 1, "{call} of {pid} in {answer}");
        let row = found[0];
        assert_eq!(number(row, "count"), count, "{call} of {pid}");
        assert_eq!(number(row, "errors"), errors, "errors of {call} of {pid}");
        say(format!("{call} of {pid}: {count} calls, {errors} errors: exact"));
    }
    // The other process makes none of them.
    let said = said(&ran.text());
    let (child, parent) = (&said[0].0, &said[2].0);
    let answer = report(&trace, &["syscalls", "--pid", child]);
    assert!(rows_where(&answer, "syscalls", "syscall", &json!("getppid")).is_empty());
    let answer = report(&trace, &["syscalls", "--pid", parent]);
    assert!(rows_where(&answer, "syscalls", "syscall", &json!("getpgid")).is_empty());
}

/// Each system call runs the two programs once, and info tells how often they ran.
pub(crate) fn cost() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("calls.ktape");
    let program = workload("calls");
    let args = ["-e", "syscalls", "--bpf-stats"];
    let ran = record(&trace, &args, &[program.to_str().expect("UTF-8")]).expect(0);
    let calls: u64 = said(&ran.text()).iter().map(|(_, _, count, _)| count).sum();
    let info = Ran::ktape(&["info", "--format", "json", "-i", trace.to_str().expect("UTF-8")]);
    let info: serde_json::Value = serde_json::from_str(&info.expect(0).text()).expect("JSON");
    for program in ["sys_enter", "sys_exit"] {
        let rows = rows_where(&info, "programs", "program", &json!(program));
        let (runs, each) = (number(rows[0], "runs"), number(rows[0], "avg_ns"));
        say(format!("{program}: {runs} runs for {calls} known calls, {each} ns each"));
        assert!(runs >= calls && each > 0, "{info}");
    }
    Ok(())
}

pub(crate) fn strace() -> Result<(), NotRun> {
    needs_program("strace", "strace")?;
    let folder = Folder::new();
    let (trace, summary) = (folder.file("calls.ktape"), folder.file("strace.txt"));
    let program = workload("calls");
    let mut strace = Command::new("strace");
    strace.args(["-c", "-f", "-o"]).arg(&summary).arg(&program).arg("small");
    Ran::of(&mut strace, &[]).expect(0);
    // % time, seconds, usecs/call, calls, [errors,] syscall
    let text = std::fs::read_to_string(&summary).expect("strace's summary");
    let mut theirs = BTreeMap::new();
    for words in text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()) {
        let (Some(name), Some(calls)) = (words.last(), words.get(3)) else { continue };
        let Ok(calls) = calls.parse() else { continue };
        let errors = if words.len() == 6 { parse(words[4]) } else { 0 };
        if *name != "total" {
            theirs.insert((*name).to_owned(), (calls, errors));
        }
    }
    let ran = record(&trace, &["-e", "syscalls"], &[program.to_str().expect("UTF-8"), "small"]);
    let said = said(&ran.expect(0).text());
    let answer = report(&trace, &["syscalls"]);
    let ours: BTreeMap<String, (u64, u64)> = answer["syscalls"]
        .as_array()
        .expect("a table")
        .iter()
        .map(|row| {
            let name = row["syscall"].as_str().expect("a name").to_owned();
            (name, (number(row, "count"), number(row, "errors")))
        })
        .collect();
    for (_, call, count, errors) in &said {
        assert_eq!(theirs.get(call), Some(&(*count, *errors)), "strace's {call}");
        assert_eq!(ours.get(call), Some(&(*count, *errors)), "ktape's {call}");
    }
    // How often threads wait for each other (futex, restarts) is chance. strace counts the execve
    // that starts the program, and ours is held in a read before it. What never returns (exit) or
    // returns in the new process only (clone) is told from /proc by neither.
    let chance = [
        "futex",
        "execve",
        "read",
        "close",
        "exit",
        "exit_group",
        "restart_syscall",
        "madvise",
        "munmap",
        "wait4",
    ];
    let (mut same, mut differ) = (0, Vec::new());
    for (name, counts) in &theirs {
        match ours.get(name) == Some(counts) {
            true => same += 1,
            false => differ.push(format!("{name}: strace {counts:?}, ktape {:?}", ours.get(name))),
        }
    }
    say(format!("{same} of {} calls as strace -c -f counts them; not: {differ:?}", theirs.len()));
    differ.retain(|line| !chance.iter().any(|name| line.starts_with(&format!("{name}:"))));
    assert!(differ.is_empty(), "{differ:?}");
    Ok(())
}
