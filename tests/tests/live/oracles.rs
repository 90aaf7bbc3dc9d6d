//! Other programs and the kernel itself as witnesses.

use std::process::{Command, Stdio};
use std::time::Duration;

use ktape_format::Trace;
use ktape_tests::facts::{number, off_by, report, rows_where};
use ktape_tests::live::{NotRun, needs_program, say};
use ktape_tests::recorder::{Folder, Recorder, record, send};
use ktape_tests::running::Running;
use ktape_tests::workload::{lines, number as parse, workload};
use serde_json::json;

pub(crate) fn schedstat() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("spin.ktape");
    let program = workload("spin");
    let args = ["-e", "sched/stacks=none/"];
    let ran = record(&trace, &args, &[program.to_str().expect("UTF-8")]).expect(0);
    let start = Trace::open(&trace).expect("a trace").meta().start.mono;
    for words in lines(&ran.text(), "spinner") {
        let value = |at: usize| parse(&words[at]);
        let (tid, waited, slices) = (value(1), value(3), value(4));
        let time = format!("{}ns,{}ns", value(5) - start, value(6) - start);
        let answer = report(&trace, &["offcpu", "--by", "thread", "--time", &time]);
        let row = rows_where(&answer, "threads", "tid", &json!(tid))[0];
        let runq = number(row, "runq_ns");
        say(format!(
            "spinner {tid}: {runq} ns in {} intervals, schedstat {waited} ns in {slices} ({:.2} %)",
            number(row, "count"),
            off_by(runq, waited)
        ));
        assert!(off_by(runq, waited) <= 5.0, "{row}");
        // Nothing but the run queue kept it.
        assert_eq!(number(row, "total_time_ns"), runq, "{row}");
    }
    Ok(())
}

/// Lets a witness watch a looping process at the same time as the recorder, which starts later and
/// ends earlier; gives the total of the thread `loop-one` in ns by ktape, and what the witness wrote.
fn beside(witness: &mut Command, looping: &Running, tid: u64) -> (u64, String) {
    let folder = Folder::new();
    let trace = folder.file("loop.ktape");
    let witness = witness.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut witness = witness.spawn().expect("the witness runs");
    // It has no way to say that its probes are attached.
    std::thread::sleep(Duration::from_secs(3));
    let recorder = Recorder::start(&trace, &["-e", "sched", "-p", &looping.pid().to_string()]);
    std::thread::sleep(Duration::from_secs(8));
    let pid = witness.id();
    assert_eq!(recorder.stop(libc::SIGINT).code, 0);
    send(pid, libc::SIGINT);
    // Now and then bpftrace does not notice the first one.
    while witness.try_wait().expect("our child").is_none() {
        std::thread::sleep(Duration::from_secs(1));
        send(pid, libc::SIGINT);
    }
    let output = witness.wait_with_output().expect("the witness ends");
    let answer = report(&trace, &["offcpu", "--by", "thread"]);
    let row = rows_where(&answer, "threads", "tid", &json!(tid))[0];
    let window = number(&answer["window"], "to_ns") - number(&answer["window"], "from_ns");
    // In ns per second of its window: the windows differ.
    let per_second = number(row, "total_time_ns") as u128 * 1_000_000_000 / u128::from(window);
    (per_second as u64, String::from_utf8_lossy(&output.stdout).into_owned())
}

pub(crate) fn offcputime() -> Result<(), NotRun> {
    needs_program("offcputime", "libbpf-tools")?;
    let mut looping = Running::start("loop", &[]);
    let tid = parse(&looping.line()[2]);
    let mut witness = Command::new("offcputime");
    // Eight seconds, one thread: stacks, each with its microseconds below.
    witness.args(["-t", &tid.to_string(), "8"]);
    witness.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let (ours, output) = beside(&mut witness, &looping, tid);
    let micros: u64 = output.lines().filter_map(|line| line.trim().parse::<u64>().ok()).sum();
    if micros == 0 {
        return Err(NotRun(format!("offcputime printed nothing of use: {}", output.trim())));
    }
    let theirs = micros * 1000 / 8;
    say(format!(
        "per second off CPU: ktape {ours} ns, offcputime {theirs} ns ({:.2} %)",
        off_by(ours, theirs)
    ));
    assert!(off_by(ours, theirs) <= 5.0);
    Ok(())
}

pub(crate) fn bpftrace() -> Result<(), NotRun> {
    needs_program("bpftrace", "bpftrace")?;
    let mut looping = Running::start("loop", &[]);
    let tid = parse(&looping.line()[2]);
    // Sums the thread's intervals between its first and last switch-in, and prints their length.
    let script = format!(
        "tracepoint:sched:sched_switch {{ \
           if (args->prev_pid == {tid}) {{ @left = nsecs; }} \
           if (args->next_pid == {tid} && @left > 0) {{ \
             if (@first == 0) {{ @first = nsecs; }} else {{ @off += nsecs - @left; @n += 1; }} @last = nsecs; }} }} \
         END {{ printf(\"off %lu %lu %lu\\n\", @off, @last - @first, @n); }}"
    );
    let mut witness = Command::new("bpftrace");
    witness.args(["-e", &script]);
    let (ours, output) = beside(&mut witness, &looping, tid);
    let Some(words) = lines(&output, "off").pop() else {
        return Err(NotRun(format!("bpftrace printed nothing of use: {}", output.trim())));
    };
    let (off, span) = (parse(&words[1]), parse(&words[2]));
    if span == 0 {
        return Err(NotRun("bpftrace saw no switch of the thread".to_owned()));
    }
    let theirs = (u128::from(off) * 1_000_000_000 / u128::from(span)) as u64;
    say(format!(
        "per second off CPU: ktape {ours} ns, bpftrace {theirs} ns ({:.2} %)",
        off_by(ours, theirs)
    ));
    assert!(off_by(ours, theirs) <= 2.0);
    Ok(())
}
