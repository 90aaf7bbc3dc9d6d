use ktape_format::{ProbeMeta, ProbeState, Trace};
use ktape_schema::{
    BlockIo, CpuSample, FutexWait, H2Stream, Io, OffCpu, SyscallCount, TcpConnection, fact_flag,
    io_op, off_cpu_state as state,
};
use serde_json::{Value, json};

use crate::diff::{Asked, By, Side, Subject, diff, difference_flamegraph, difference_folded};
use crate::query::FilterArgs;
use crate::testing::{START, Tape, busy};

const MS: u64 = 1_000_000;

/// Two seconds of a worker that waits 1 ms in each 10 ms, and in each 100 ms so long for a lock. Numbers
/// of threads and stacks begin at `base`.
fn tape(base: u32, lock: u64) -> Tape {
    let mut tape = Tape::new();
    for _ in 0..base {
        tape.kernel_stack(&["other"]);
    }
    tape.thread(base, base, "app");
    tape.thread(base + 1, base, "worker");
    let sleep = tape.user_stack(&["main", "pause"]);
    let wait = tape.user_stack(&["main", "take"]);
    let kernel = tape.kernel_stack(&["futex", "schedule"]);
    for turn in 0..200 {
        let end = START + turn * 10 * MS + 5 * MS;
        let row = OffCpu {
            end,
            duration: MS + turn % 7 * 1000,
            tid: base + 1,
            tgid: base,
            state: state::SLEEPING,
            ..OffCpu::default()
        };
        tape.off_cpu(OffCpu { ustack: sleep, syscall: 230, ..row });
        if lock > 0 && turn % 10 == 3 {
            let end = end + 9;
            let long = OffCpu { end, duration: lock, ustack: wait, kstack: kernel, ..row };
            tape.off_cpu(OffCpu { syscall: 202, ..long });
        }
    }
    // The recording is two seconds long.
    let end = START + 2000 * MS;
    tape.loss(OffCpu::DESC.id, 0, end, 220, 0);
    tape
}

fn compare(traces: [&Trace; 2], times: [Option<&str>; 2], asked: &Asked) -> crate::Result<Value> {
    let filter =
        |time: Option<&str>| FilterArgs { time: time.map(str::to_owned), ..FilterArgs::default() };
    let before = Side::before(traces[0], &filter(times[0]))?;
    let after = Side::after(traces[1], &filter(times[1]))?;
    let answer = diff(&before, &after, asked)?;
    Ok(serde_json::from_slice(&crate::render::json(&answer)).expect("valid JSON"))
}

fn of(subject: Subject) -> Asked {
    Asked { subjects: vec![subject], ..Asked::default() }
}

/// The only row that got slower, or a panic.
fn check(before: &Tape, after: &Tape, asked: &Asked, expected: Value) {
    let found = compare([&before.trace(), &after.trace()], [None; 2], asked).expect("an answer");
    let subject = &found[asked.subjects[0].name()];
    let rows = if subject["stacks"].is_null() { &subject["groups"] } else { &subject["stacks"] };
    let Value::Object(expected) = expected else { panic!("an object") };
    for (key, value) in expected {
        assert_eq!(rows[0][&key], value, "{key} of {:#}", rows[0]);
    }
}

#[test]
fn an_injected_wait_comes_first_by_what_it_reads() {
    let stack = "worker;main;take;futex_[k];schedule_[k]";
    let expected = json!({
        "stack": stack, "change_ns_per_s": 200_000_000, "sure_percentage": 99.9, "ratio": null,
        "before_ns_per_s": 0, "after_ns_per_s": 200_000_000, "after_avg_ns": 20_000_000,
        "before_count": 0, "after_count": 20, "after_per_s": 10.0, "class": "lock"
    });
    check(&tape(100, 0), &tape(3000, 20 * MS), &of(Subject::Offcpu), expected);
    let expected = json!({
        "stack": stack, "change_ns_per_s": 180_000_000, "sure_percentage": 99.9, "ratio": 10.0,
        "before_avg_ns": 2_000_000, "after_avg_ns": 20_000_000, "before_per_s": 10.0
    });
    check(&tape(3000, 2 * MS), &tape(100, 20 * MS), &of(Subject::Offcpu), expected);
    let by_process = Asked { by: Some(By::Process), ..of(Subject::Offcpu) };
    let expected = json!({"comm": "app", "change_ns_per_s": 180_000_000, "sure_percentage": 99.9});
    check(&tape(3000, 2 * MS), &tape(100, 20 * MS), &by_process, expected);
}

#[test]
fn what_is_alike_is_not_sure() {
    let expected = json!({"change_ns_per_s": 0, "sure_percentage": null, "ratio": 1.0});
    check(&tape(7, 20 * MS), &tape(9, 20 * MS), &of(Subject::Offcpu), expected);
}

#[test]
fn two_windows_of_a_trace_are_compared() {
    // The lock is there from the second on.
    let mut late = tape(5, 0);
    let stack = late.user_stack(&["main", "late"]);
    for turn in 0..50 {
        let end = START + 1000 * MS + turn * 20 * MS;
        let row = OffCpu { end, duration: 5 * MS, tid: 6, tgid: 5, ..OffCpu::default() };
        late.off_cpu(OffCpu { ustack: stack, syscall: 202, state: state::SLEEPING, ..row });
    }
    let trace = late.trace();
    let windows = [Some("0,0.999s"), Some("1s,1.999s")];
    let found = compare([&trace, &trace], windows, &of(Subject::Offcpu)).expect("an answer");
    let first = &found["offcpu"]["stacks"][0];
    assert_eq!(first["stack"], "worker;main;late");
    assert_eq!(first["sure_percentage"], 99.9);
    assert_eq!((&found["offcpu"]["slower"], &found["offcpu"]["faster"]), (&json!(1), &json!(0)));
    assert_eq!(found["sides"][1]["from_ns"], 1_000_000_000);
}

#[test]
fn sleeps_that_a_program_asked_for_come_behind_waits() {
    let mut after = tape(1, 2 * MS);
    let stack = after.user_stack(&["main", "backoff"]);
    for turn in 0..20 {
        let end = START + turn * 100 * MS + 50 * MS;
        let row = OffCpu { end, duration: 70 * MS, tid: 2, tgid: 1, ..OffCpu::default() };
        after.off_cpu(OffCpu { ustack: stack, syscall: 230, state: state::SLEEPING, ..row });
    }
    let found = compare([&tape(1, 0).trace(), &after.trace()], [None; 2], &Asked::default());
    let found = found.expect("an answer");
    let row = |at: usize| {
        let row = &found["offcpu"]["stacks"][at];
        (row["stack"].as_str().expect("a stack"), row["class"].as_str().expect("a class"))
    };
    assert_eq!(row(0), ("worker;main;take;futex_[k];schedule_[k]", "lock"));
    assert_eq!(row(1), ("worker;main;backoff", "sleep"));
}

#[test]
fn idle_waits_are_left_out() {
    let mut after = tape(1, 0);
    after.thread(9, 9, "daemon");
    let flags = (fact_flag::OPEN | fact_flag::BEGAN_BEFORE) as u8;
    let (end, duration) = (START + 2000 * MS, 2000 * MS);
    after.off_cpu(OffCpu { end, duration, tid: 9, tgid: 9, flags, ..OffCpu::default() });
    let found = compare([&tape(1, 0).trace(), &after.trace()], [None; 2], &of(Subject::Offcpu));
    let found = found.expect("an answer").to_string();
    assert!(
        !found.contains("daemon") && found.contains("after: not counted: 1 threads"),
        "{found}"
    );
}

/// A fact every 20 ms for two seconds that takes so long, and what names it. Every subject that needs no
/// stacks.
#[test]
fn facts_of_every_kind_have_names_that_last() {
    let taped = |id: u32, ns: u64| {
        let mut tape = Tape::new();
        for _ in 0..id {
            tape.string(format!("text {id} {}", tape.fact_count()));
        }
        tape.thread(id, id, "app");
        let (path, address) = (tape.string("/var/db"), tape.string("10.0.0.1:5432"));
        let method = tape.string("/pkg.Service/Method");
        for turn in 0..100u64 {
            let end = START + (turn + 1) * 20 * MS;
            let duration = ns + turn % 3;
            let (tid, tgid) = (id, id);
            tape.fact(
                Io::DESC,
                0,
                &Io { end, duration, tid, tgid, path, op: io_op::WRITE, ..Io::default() }.encode(),
            );
            let block = BlockIo { end, duration, tid, tgid, device: 8 << 20, ..BlockIo::default() };
            tape.fact(BlockIo::DESC, 0, &block.encode());
            let lock = FutexWait { end, duration, tid, tgid, ..FutexWait::default() };
            tape.fact(FutexWait::DESC, 0, &lock.encode());
            let remote = address;
            let tcp = TcpConnection {
                end,
                connect: duration,
                tgid,
                remote,
                direction: 1,
                ..TcpConnection::default()
            };
            tape.fact(TcpConnection::DESC, 0, &tcp.encode());
            let h2 = H2Stream { end, duration, tgid, path: method, role: 2, ..H2Stream::default() };
            tape.fact(H2Stream::DESC, 0, &h2.encode());
            tape.off_cpu(OffCpu { end, duration, runq: duration, tid, tgid, ..OffCpu::default() });
            let sample = CpuSample {
                time: end,
                weight: duration,
                tid,
                tgid,
                event: 1,
                ..CpuSample::default()
            };
            tape.sample(sample);
        }
        for second in 0..20u64 {
            let end = START + second * 100 * MS;
            let calls = SyscallCount {
                end,
                count: 50,
                total: ns * 50,
                tgid: id,
                nr: 0,
                ..SyscallCount::default()
            };
            tape.fact(SyscallCount::DESC, 0, &calls.encode());
        }
        tape
    };
    let (before, after) = (taped(4, MS), taped(77, 3 * MS));
    let row = |subject: Subject, mut expected: Value| {
        expected["sure_percentage"] = json!(99.9);
        check(&before, &after, &of(subject), expected);
    };
    row(Subject::Io, json!({"comm": "app", "operation": "write", "path": "/var/db"}));
    row(Subject::Block, json!({"comm": "app", "operation": "read", "device": "8:0"}));
    row(Subject::Locks, json!({"stack": "app;[no stack]"}));
    row(Subject::Tcp, json!({"comm": "app", "direction": "active", "address": "10.0.0.1:5432"}));
    row(Subject::H2, json!({"comm": "app", "role": "server", "path": "/pkg.Service/Method"}));
    row(Subject::Runqlat, json!({"comm": "app"}));
    row(Subject::Cpu, json!({"function": "[no stack]"}));
    // Too few slices of a second.
    let expected = json!({"comm": "app", "syscall": "read", "sure_percentage": null, "ratio": 3.0});
    check(&before, &after, &of(Subject::Syscalls), expected);
}

#[test]
fn what_one_did_not_record_is_refused_by_its_name() {
    let traces = [&tape(1, 0).trace(), &tape(2, 0).trace()];
    let refused = |asked: &Asked, words: &[&str]| {
        let error = compare(traces, [None; 2], asked).expect_err("nothing to compare").to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    };
    refused(&of(Subject::Io), &["io", "before", "-e io"]);
    let by_peer = Asked { by: Some(By::Peer), ..of(Subject::Offcpu) };
    refused(&by_peer, &["--by", "peer", "stack, process, thread"]);
}

#[test]
fn other_settings_are_told() {
    let probe = |value: &str| ProbeMeta {
        name: "sched".into(),
        state: ProbeState::Attached,
        knobs: vec![("stacks".into(), value.into())],
        records: vec!["off_cpu".into()],
        ..ProbeMeta::default()
    };
    let (mut before, mut after) = (tape(1, 0), tape(2, 0));
    before.meta.probes.push(probe("long"));
    after.meta.probes.push(probe("all"));
    after.meta.filters.push(("cpu".into(), "1".into()));
    after.meta.host.hostname = "other".into();
    let found = compare([&before.trace(), &after.trace()], [None; 2], &of(Subject::Offcpu));
    let notes = found.expect("an answer")["notes"].to_string();
    for words in [
        "settings of probe sched before: stacks=long; after: stacks=all",
        "filters of the recording before: none; after: cpu=1",
        "the hosts differ, before: host (x86_64, 2 CPUs, kernel 6.18.0); after: other",
    ] {
        assert!(notes.contains(words), "{words} in {notes}");
    }
}

#[test]
fn folded_stacks_are_of_equal_windows() {
    let (before, after) = (tape(1, 10 * MS).trace(), tape(1, 20 * MS).trace());
    let filter = FilterArgs { time: Some("0,1s".into()), ..FilterArgs::default() };
    let before = Side::before(&before, &filter).expect("a side");
    let after = Side::after(&after, &FilterArgs::default()).expect("a side");
    let found = difference_folded(&before, &after, Subject::Offcpu, &Asked::default());
    let lines = found.expect("stacks").0;
    let text = String::from_utf8(lines.clone()).expect("UTF-8");
    // 10 waits of 10 ms in a second are 20 in two.
    let line = "worker;main;take;futex_[k];schedule_[k] 200000000 400000000\n";
    assert!(text.starts_with("worker;main;pause ") && text.ends_with(line), "{text}");
    let svg = difference_flamegraph(&lines, Subject::Offcpu).expect("a graph");
    assert!(String::from_utf8_lossy(&svg).contains("+"), "no difference is shown");
    assert!(difference_flamegraph(b"a;b 5 0\n", Subject::Cpu).is_err());
    assert!(difference_flamegraph(format!("a 1 {}\n", u64::MAX).as_bytes(), Subject::Cpu).is_err());
}

/// However both traces are cut, and on however many threads: the same bytes.
#[test]
fn cuts_and_threads_change_nothing() {
    let (before, after) = (busy(1, 400), busy(2, 500));
    let answer = |traces: [&Trace; 2], threads| {
        let found = compare(traces, [None; 2], &Asked { threads, ..Asked::default() });
        found.expect("an answer").to_string()
    };
    let whole = answer([&before.trace(), &after.trace()], 1);
    for subject in Subject::ALL {
        assert!(whole.contains(&format!("\"{}\":{{", subject.name())), "{}", subject.name());
    }
    for seed in 0..8 {
        let (before, after) = (before.cut(seed), after.cut(seed + 100));
        assert_eq!(answer([&before, &after], 1 + seed as usize % 3), whole, "seed {seed}");
    }
}

/// More devices than are told apart: what a side lacks may be among its others.
#[test]
fn what_others_may_hide_is_not_sure() {
    let taped = |devices: u32| {
        let mut tape = Tape::new();
        tape.thread(7, 7, "app");
        let mut wait = |end: u64, device: u32| {
            let row = BlockIo { end, duration: MS, device, tid: 7, tgid: 7, ..BlockIo::default() };
            tape.fact(BlockIo::DESC, 0, &row.encode());
        };
        (0..devices).for_each(|device| wait(START + u64::from(device) * 10_000, device));
        if devices < 10 {
            (0..200).for_each(|turn| wait(START + turn * 10 * MS + 5, 100_000));
        }
        tape.loss(BlockIo::DESC.id, 0, START + 2000 * MS, 1, 0);
        tape
    };
    let surest = |devices: u32| {
        let (before, after) = (taped(devices), taped(1));
        let traces = [&before.trace(), &after.trace()];
        let found = compare(traces, [None; 2], &of(Subject::Block)).expect("an answer");
        let row = found["block"]["groups"].as_array().expect("rows").iter();
        let row = row.max_by_key(|row| row["change_ns_per_s"].as_i64()).expect("a row").clone();
        assert_eq!((&row["before_count"], &row["after_count"]), (&json!(0), &json!(200)), "{row}");
        (row["sure_percentage"].clone(), found["notes"].to_string().contains("more groups than"))
    };
    assert_eq!(surest(20), (json!(99.9), false));
    assert_eq!(surest(65_600), (json!(null), true));
}
