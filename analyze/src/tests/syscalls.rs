use ktape_format::{ProbeMeta, ProbeState};
use ktape_schema::{SyscallCount, SyscallLatency, SyscallSlow, TaskExit, TaskRun, fact_flag};
use serde_json::{Value, json};

use crate::query::FilterArgs;
use crate::reports::syscalls::{By, Syscalls};
use crate::testing::{START, Tape, answer};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;

/// One row of `syscall_count` with the histogram of its calls; (bucket, count).
fn calls(tape: &mut Tape, end: u64, tgid: u32, nr: u32, sums: [u64; 4], buckets: &[(u32, u64)]) {
    let [count, errors, total, max] = sums;
    let (end, duration) = (START + end, SECOND);
    let row = SyscallCount { end, duration, count, errors, total, max, tgid, nr };
    tape.fact(SyscallCount::DESC, 0, &row.encode());
    for &(bucket, count) in buckets {
        let row = SyscallLatency { end, duration, count, tgid, nr, bucket, flags: 0 };
        tape.fact(SyscallLatency::DESC, 0, &row.encode());
    }
}

/// Two seconds: a program that reads a lot and polls once, one that maps memory.
fn tape() -> Tape {
    let mut tape = Tape::new();
    tape.thread(10, 10, "reader");
    tape.thread(20, 20, "mapper");
    calls(&mut tape, SECOND, 10, 0, [900, 9, 90_000, 300], &[(5, 800), (8, 100)]);
    // The longest is still that of the first second.
    calls(&mut tape, 2 * SECOND, 10, 0, [100, 1, 4_000, 0], &[(5, 100)]);
    calls(&mut tape, 2 * SECOND, 10, 7, [1, 0, 50 * MS, 50 * MS], &[(25, 1)]);
    calls(&mut tape, 2 * SECOND, 20, 9, [6, 0, 6_000, 1_500], &[(9, 4), (10, 2)]);
    calls(&mut tape, 2 * SECOND, 20, 231, [1, 0, 0, 0], &[]);
    tape
}

fn found(by: By, filter: FilterArgs) -> Value {
    answer(&Syscalls { by }, &tape(), filter)
}

#[test]
fn calls_by_name_are_exact() {
    let rows = found(By::Name, FilterArgs::default());
    let expected = json!([
        {
            "syscall": "read", "nr": 0, "class": "file_io", "count": 1000, "percentage": 99.21,
            "rate_per_s": 500.0, "errors": 10, "error_percentage": 1.0, "total_time_ns": 94_000,
            "time_percentage": 0.19, "avg_ns": 94,
            // Rank 500 of 900 in 32..63; rank 900 is its last; rank 990 is the 90th of 100 in 256..300.
            "p50_ns": 32 + 31 * 500 / 900, "p90_ns": 63, "p99_ns": 256 + 44 * 90 / 100, "max_ns": 300
        },
        {
            "syscall": "mmap", "nr": 9, "class": "memory", "count": 6, "percentage": 0.6,
            "rate_per_s": 3.0, "errors": 0, "error_percentage": 0.0, "total_time_ns": 6_000,
            "time_percentage": 0.01, "avg_ns": 1_000, "p50_ns": 512 + 511 * 3 / 4,
            "p90_ns": 1_500, "p99_ns": 1_500, "max_ns": 1_500
        },
        {
            "syscall": "poll", "nr": 7, "class": "event", "count": 1, "percentage": 0.1,
            "rate_per_s": 0.5, "errors": 0, "error_percentage": 0.0, "total_time_ns": 50_000_000,
            "time_percentage": 99.8, "avg_ns": 50_000_000, "p50_ns": 50_000_000,
            "p90_ns": 50_000_000, "p99_ns": 50_000_000, "max_ns": 50_000_000
        },
        {
            "syscall": "exit_group", "nr": 231, "class": "process", "count": 1, "percentage": 0.1,
            "rate_per_s": 0.5, "errors": 0, "error_percentage": 0.0, "total_time_ns": 0,
            "time_percentage": 0.0, "avg_ns": null, "p50_ns": null, "p90_ns": null, "p99_ns": null,
            "max_ns": null
        }
    ]);
    assert_eq!(rows["syscalls"], expected, "{rows:#}");
}

#[test]
fn a_filter_by_process_leaves_its_calls_only() {
    let found = found(By::Name, FilterArgs { pid: vec![20], ..FilterArgs::default() });
    let names: Vec<_> = found["syscalls"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| (row["syscall"].as_str(), row["count"].as_u64()))
        .collect();
    assert_eq!(names, [(Some("mmap"), Some(6)), (Some("exit_group"), Some(1))]);
    assert_eq!(found["total"], json!(7));
}

#[test]
fn a_longest_call_before_the_window_is_not_taken_for_one_in_it() {
    let filter = FilterArgs { time: Some("1.5s,".to_owned()), ..FilterArgs::default() };
    let found = found(By::Name, filter);
    let row = |name: &str| {
        let rows = found["syscalls"].as_array().expect("rows");
        rows.iter().find(|row| row["syscall"] == name).expect("a row").clone()
    };
    assert_eq!((&row("read")["count"], &row("read")["max_ns"]), (&json!(100), &Value::Null));
    assert_eq!(row("mmap")["max_ns"], json!(1_500));
}

#[test]
fn classes_and_processes_are_sums_of_calls() {
    let classes = found(By::Class, FilterArgs::default());
    let class = |at: usize| {
        let row = &classes["classes"][at];
        (row["class"].as_str(), row["count"].as_u64(), row["p50_ns"].as_u64())
    };
    assert_eq!(class(0), (Some("file_io"), Some(1000), Some(49)));
    assert_eq!(class(1), (Some("memory"), Some(6), Some(895)));
    assert_eq!(class(2), (Some("process"), Some(1), None));
    assert_eq!(class(3), (Some("event"), Some(1), Some(50_000_000)));
    let processes = found(By::Process, FilterArgs::default());
    let process = |at: usize| {
        let row = &processes["processes"][at];
        (row["pid"].as_u64(), row["count"].as_u64(), row["behaviour"].as_str())
    };
    assert_eq!(process(0), (Some(10), Some(1001), Some("io_bound")));
    assert_eq!(process(1), (Some(20), Some(7), Some("memory_bound")));
}

#[test]
fn the_answer_has_what_denet_has() {
    let found = found(By::Name, FilterArgs::default());
    assert_eq!(found["total"], json!(1008));
    assert_eq!(
        found["by_category"],
        json!({"file_io": 1000, "memory": 6, "process": 1, "event": 1})
    );
    let top = json!([
        {"name": "read", "count": 1000}, {"name": "mmap", "count": 6}, {"name": "poll", "count": 1},
        {"name": "exit_group", "count": 1}
    ]);
    assert_eq!(found["top_syscalls"], top);
    let analysis = json!({
        "syscall_rate_per_sec": 504.0, "io_intensity": 0.99, "memory_intensity": 0.01,
        "cpu_intensity": 0.0, "network_intensity": 0.0
    });
    assert_eq!(found["analysis"], analysis);
}

#[test]
fn a_process_that_computes_is_cpu_bound() {
    let mut tape = Tape::new();
    tape.thread_from(START, 10, 10, "busy");
    tape.thread(20, 20, "idle");
    calls(&mut tape, SECOND, 10, 39, [5, 0, 500, 100], &[(6, 5)]);
    calls(&mut tape, 2 * SECOND, 20, 39, [5, 0, 500, 100], &[(6, 5)]);
    let exit = TaskExit {
        time: START + SECOND,
        start: START,
        run: 600 * MS,
        tid: 10,
        tgid: 10,
        code: 0,
        live: 0,
    };
    tape.define(TaskExit::DESC, &exit.encode());
    for (time, run) in [(0, 7_000 * MS), (2 * SECOND, 7_200 * MS)] {
        let row = TaskRun { time: START + time, run, tid: 20, tgid: 20, ..TaskRun::default() };
        tape.define(TaskRun::DESC, &row.encode());
    }
    let check = |time: Option<&str>, busy: &str, cpu: Value, whole: Value| {
        let filter = FilterArgs { time: time.map(str::to_owned), ..FilterArgs::default() };
        let found = answer(&Syscalls { by: By::Process }, &tape, filter);
        let row = &found["processes"][0];
        assert_eq!((&row["behaviour"], &row["cpu_percentage"]), (&json!(busy), &cpu), "{time:?}");
        assert_eq!(found["cpu_percentage"], whole, "{time:?}");
    };
    // It lived for one of the two seconds; 0.8 s of two CPUs for two seconds.
    check(None, "cpu_bound", json!(60.0), json!(20.0));
    check(Some("0.5s,1.5s"), "unknown", Value::Null, Value::Null);
}

#[test]
fn slow_calls_stand_open_ones_first() {
    let mut tape = tape();
    tape.meta.probes.push(ProbeMeta {
        name: "syscalls".into(),
        state: ProbeState::Attached,
        knobs: vec![("slow".into(), "10ms".into())],
        records: vec!["syscall_count".into(), "syscall_slow".into()],
        ..ProbeMeta::default()
    });
    let ustack = tape.user_stack(&["main", "wait_for_it"]);
    let slow = |end, duration, ret, nr, flags, ustack| SyscallSlow {
        end: START + end,
        duration,
        ret,
        tid: 10,
        tgid: 10,
        nr,
        ustack,
        cpu: 1,
        flags,
        arg0: 3,
    };
    for row in [
        slow(2 * SECOND, 11 * MS, 0, 0, fact_flag::OPEN, 0),
        slow(SECOND, 50 * MS, -110, 202, 0, ustack),
        slow(SECOND, 70 * MS, 12, 0, 0, 0),
    ] {
        tape.fact(SyscallSlow::DESC, row.cpu, &row.encode());
    }
    let found = answer(&Syscalls::default(), &tape, FilterArgs::default());
    let expected = [
        json!(["read", true, 11 * MS, null, null, null, "reader;[no stack]"]),
        json!(["read", false, 70 * MS, 12, null, 1, "reader;[no stack]"]),
        json!(["futex", false, 50 * MS, -110, "ETIMEDOUT", 1, "reader;main;wait_for_it"]),
    ];
    for (at, expected) in expected.iter().enumerate() {
        let row = &found["slow_calls"][at];
        let keys = ["syscall", "open", "duration_ns", "ret", "errno", "cpu", "stack"];
        let cells: Vec<&Value> = keys.iter().map(|key| &row[key]).collect();
        assert_eq!(json!(cells), *expected);
    }
    assert_eq!(found["slow_calls"][2]["start_ns"], json!(950 * MS));
}
