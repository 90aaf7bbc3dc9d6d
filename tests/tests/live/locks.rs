//! Waits for locks of programs that know their locks, their owners and how long they waited.

use std::path::Path;

use crate::syscalls::{TOGETHER, check_shared};
use ktape_format::Trace;
use ktape_format::schema::{futex_flag, futex_owner, futex_result};
use ktape_tests::facts::{losses, number, off_by, report, rows, rows_where};
use ktape_tests::live::{NotRun, say};
use ktape_tests::recorder::{Folder, Recorder, record};
use ktape_tests::running::Running;
use ktape_tests::workload::{lines, number as parse, workload};
use serde_json::{Value, json};

use crate::launch::Launch;

/// What `locks` says of one kind of lock.
struct Said {
    kind: &'static str,
    waiter: u64,
    waits: u64,
    waited: u64,
    word: u64,
    holder: u64,
}

fn hexadecimal(word: &str) -> u64 {
    u64::from_str_radix(word, 16).unwrap_or_else(|_| panic!("`{word}` is no number"))
}

fn said(output: &str) -> Vec<Said> {
    let kinds = ["mutex", "pi", "condition", "timed"];
    let said: Vec<Said> = kinds
        .iter()
        .flat_map(|&kind| lines(output, kind).into_iter().map(move |words| (kind, words)))
        .map(|(kind, words)| Said {
            kind,
            waiter: parse(&words[1]),
            waits: parse(&words[2]),
            waited: parse(&words[3]),
            word: hexadecimal(&words[4]),
            holder: parse(&words[5]),
        })
        .collect();
    assert_eq!(said.len(), kinds.len(), "{output}");
    said
}

fn recorded(folder: &Folder, probe: &str) -> (std::path::PathBuf, Vec<Said>) {
    let trace = folder.file("locks.ktape");
    let program = workload("locks");
    let ran = record(&trace, &["-e", probe], &[program.to_str().expect("UTF-8")]).expect(0);
    (trace, said(&ran.text()))
}

pub(crate) fn user() -> Result<(), NotRun> {
    waits_with("locks");
    Ok(())
}

pub(crate) fn together() -> Result<(), NotRun> {
    waits_with(TOGETHER);
    Ok(())
}

fn waits_with(probes: &str) {
    let folder = Folder::new();
    let (trace, said) = recorded(&folder, probes);
    check_shared(&trace, "locks", probes == TOGETHER);
    let opened = Trace::open(&trace).expect("a trace");
    let columns =
        ["tid", "duration", "address", "owner", "owner_by", "waker", "result", "flags", "ustack"];
    let facts = rows(&opened, "futex_wait", columns);
    assert_eq!(losses(&opened, "futex_wait"), (facts.len() as u64, 0));
    for Said { kind, waiter, waits, waited, word, holder } in &said {
        let of: Vec<_> = facts.iter().filter(|fact| fact[0] == *waiter).collect();
        let total: u64 = of.iter().map(|fact| fact[1]).sum();
        say(format!(
            "{kind}: {} waits of {waits}, {total} ns, by its own clock {waited} ns ({:.2} %)",
            of.len(),
            off_by(total, *waited)
        ));
        assert_eq!(of.len() as u64, *waits, "{kind}");
        assert!(off_by(total, *waited) <= 3.0, "{kind}");
        let (by, owner) = match *kind {
            "pi" => (futex_owner::PI_WORD, *holder),
            "condition" => (futex_owner::UNKNOWN, 0),
            _ => (futex_owner::GLIBC_MUTEX, *holder),
        };
        let timed = *kind == "timed";
        let result = if timed { futex_result::TIMED_OUT } else { futex_result::WOKEN };
        let waker = if timed { 0 } else { *holder };
        let flags = if timed { u64::from(futex_flag::TIMED) } else { 0 };
        for fact in of {
            let address = if *kind == "condition" { fact[2] } else { *word };
            let expected =
                [*waiter, fact[1], address, owner, by.into(), waker, result.into(), flags, fact[8]];
            assert_eq!(*fact, expected, "{kind}");
            assert_ne!(fact[8], 0, "{kind}: its stack");
        }
    }
    in_report(&trace, &said);
}

/// The same in the answers of the report.
fn in_report(trace: &Path, said: &[Said]) {
    let by_lock = report(trace, &["locks"]);
    for Said { kind, waits, word, holder, .. } in said.iter().filter(|said| said.word != 0) {
        let row = rows_where(&by_lock, "locks", "address", &json!(word))[0];
        assert_eq!(number(row, "count"), *waits, "{kind}: {row}");
        assert_eq!(row["kind"], json!("mutex"), "{kind}: {row}");
        assert_eq!(number(row, "max_owner_tid"), *holder, "{kind}: {row}");
    }
    let owners = report(trace, &["locks", "--by", "owner"]);
    let wakers = report(trace, &["locks", "--by", "waker"]);
    let mutex = &said[0];
    for (answer, table) in [(&owners, "owners"), (&wakers, "wakers")] {
        let row = rows_where(answer, table, "tid", &json!(mutex.holder))[0];
        assert_eq!(row["comm"], json!("mutex-holder"), "{row}");
        assert!(number(row, "count") >= mutex.waits, "{row}");
    }
    // pthread_mutex_lock() keeps a frame pointer, pthread_cond_wait() does not.
    let stacks = report(trace, &["locks", "--by", "stack"]);
    let found = stacks["stacks"].as_array().expect("stacks").iter().find(|row| {
        row["stack"]
            .as_str()
            .is_some_and(|stack| stack.starts_with("mutex-waiter;") && stack.contains(";waiter;"))
    });
    let row = found.unwrap_or_else(|| panic!("no stack of the waiter in {stacks:#}"));
    assert_eq!(number(row, "count"), mutex.waits, "{row}");
}

pub(crate) fn knobs() -> Result<(), NotRun> {
    let folder = Folder::new();
    let (trace, said) = recorded(&folder, "locks/min=10ms,stacks=none,kernel=none/");
    let opened = Trace::open(&trace).expect("a trace");
    let facts = rows(&opened, "futex_wait", ["tid", "duration", "ustack"]);
    assert!(facts.iter().all(|fact| fact[1] >= 10_000_000 && fact[2] == 0), "{facts:?}");
    let of = |kind: &str| {
        let said = said.iter().find(|said| said.kind == kind).expect("a kind");
        facts.iter().filter(|fact| fact[0] == said.waiter).count() as u64
    };
    // These wait for 12 ms each, but the first may come late; those that time out for 9 ms.
    assert!(of("mutex") >= 51, "{}", of("mutex"));
    assert_eq!(of("pi"), 31);
    assert!(rows(&opened, "lock_contention", ["tid"]).is_empty());
    Ok(())
}

/// The one open wait of the hung thread.
fn open_wait(trace: &Path, tid: u64, word: u64, owner: Option<u64>, least: u64) -> Value {
    let answer = report(trace, &["locks"]);
    let found = rows_where(&answer, "open", "tid", &json!(tid));
    assert_eq!(found.len(), 1, "{answer:#}");
    let row = found[0];
    assert_eq!(number(row, "address"), word, "{row}");
    assert_eq!(row["owner_tid"], json!(owner), "{row}");
    assert_eq!(row["comm"], json!("hung-thread"), "{row}");
    assert_eq!(row["began_before"], json!(owner.is_none()), "{row}");
    assert!(number(row, "duration_ns") >= least, "{row}");
    let columns = ["tid", "ustack", "result", "flags"];
    let facts = rows(&Trace::open(trace).expect("a trace"), "futex_wait", columns);
    let facts: Vec<_> = facts.iter().filter(|fact| fact[0] == tid).collect();
    assert_eq!(facts.len(), 1, "{facts:?}");
    assert_eq!(facts[0][2], u64::from(futex_result::OPEN));
    assert_eq!(facts[0][3] & 1, u64::from(futex_flag::OPEN));
    assert_eq!(facts[0][1] != 0, owner.is_some(), "its stack: {facts:?}");
    row.clone()
}

pub(crate) fn hang() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("hang.ktape");
    let program = workload("locks");
    let command = [program.to_str().expect("UTF-8"), "hang"];
    let mut launch = Launch::start(&trace, &["-e", "locks"], &command);
    let line = launch.line();
    let words: Vec<&str> = line.split_whitespace().collect();
    std::thread::sleep(std::time::Duration::from_millis(700));
    launch.signal(libc::SIGINT);
    let (code, said) = launch.end_of_both();
    assert_eq!(code, 0, "{said}");
    let owner = Some(parse(words[4]));
    open_wait(&trace, parse(words[2]), hexadecimal(words[3]), owner, 600_000_000);
    Ok(())
}

/// Its registers tell what it waits for; its memory cannot be read then.
pub(crate) fn hung_before() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("hang.ktape");
    let mut hang = Running::start("locks", &["hang"]);
    let line = hang.line();
    hang.asleep();
    let recorder = Recorder::start(&trace, &["-e", "locks", "-p", &hang.pid().to_string()]);
    std::thread::sleep(std::time::Duration::from_millis(700));
    assert_eq!(recorder.stop(libc::SIGINT).code, 0);
    open_wait(&trace, parse(&line[2]), hexadecimal(&line[3]), None, 600_000_000);
    Ok(())
}

pub(crate) fn kernel() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("contend.ktape");
    let program = workload("contend");
    let ran = record(&trace, &["-e", "locks"], &[program.to_str().expect("UTF-8")]).expect(0);
    let opened = Trace::open(&trace).expect("a trace");
    let probe = opened.meta().probes.iter().find(|probe| probe.name == "locks").expect("locks");
    if !probe.attached.iter().any(|place| place.contains("contention_begin")) {
        return Err(NotRun(format!("kernel locks are not seen here: {}", probe.reason)));
    }
    let said = &lines(&ran.text(), "contend")[0];
    let (waiter, waits, waited) = (parse(&said[2]), parse(&said[3]), parse(&said[4]));
    let columns = ["tid", "duration", "lock", "kstack"];
    let facts = rows(&opened, "lock_contention", columns);
    let long = |fact: &&[u64; 4]| fact[0] == waiter && fact[1] >= 5_000_000;
    let long: Vec<_> = facts.iter().filter(long).collect();
    let total: u64 = long.iter().map(|fact| fact[1]).sum();
    say(format!(
        "{} waits of {waits}, {total} ns, by its own clock {waited} ns ({:.2} %)",
        long.len(),
        off_by(total, waited)
    ));
    assert_eq!(long.len() as u64, waits, "{facts:?}");
    assert!(off_by(total, waited) <= 3.0);
    assert!(long.iter().all(|fact| fact[2] == long[0][2] && fact[2] != 0), "one lock: {long:?}");
    assert!(long.iter().all(|fact| fact[3] != 0), "their stacks: {long:?}");
    let answer = report(&trace, &["locks"]);
    let row = rows_where(&answer, "kernel_locks", "lock", &json!(long[0][2]))[0];
    assert_eq!(row["kind"], json!("rwsem"), "{row}");
    let caller = row["caller"].as_str().expect("who wanted it");
    assert!(caller.contains("write"), "{row}");
    Ok(())
}
