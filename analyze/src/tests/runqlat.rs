use ktape_schema::{OffCpu, fact_flag, off_cpu_state as state};
use serde_json::json;

use crate::query::FilterArgs;
use crate::reports::runqlat::{By, RunqLat};
use crate::testing::{START, Tape, answer};

fn tape() -> Tape {
    let mut tape = Tape::new();
    tape.thread(10, 10, "a");
    tape.thread(20, 20, "b");
    let open = (fact_flag::OPEN, state::SLEEPING);
    let woken = (0, state::SLEEPING);
    let before = (fact_flag::BEGAN_BEFORE, state::SLEEPING);
    let rows = [
        (10, 1, 100, woken),
        (10, 1, 1000, (0, state::PREEMPTED)),
        (20, 1, 31, woken),
        // None of these says how long a thread waited for a CPU.
        (10, 0, 0, woken),
        (20, 0, 0, open),
        (20, 0, 0, before),
        // This one does.
        (20, 0, 7, before),
    ];
    for (tid, cpu, runq, (flags, state)) in rows {
        let (end, flags) = (START + 10_000, flags as u8);
        let row = OffCpu {
            end,
            duration: 5000,
            runq,
            tid,
            tgid: tid,
            cpu,
            flags,
            state,
            ..OffCpu::default()
        };
        tape.off_cpu(row);
    }
    tape
}

#[test]
fn delays_are_counted_when_they_are_known() {
    let found = answer(&RunqLat::default(), &tape(), FilterArgs::default());
    let summary = json!({
        "count": 4, "total_ns": 1138, "avg_ns": 284, "p50_ns": 31, "p90_ns": 1000,
        "p95_ns": 1000, "p99_ns": 1000, "p999_ns": 1000, "max_ns": 1000
    });
    assert_eq!(found["summary"], summary);
    let buckets: Vec<(u64, u64)> = found["histogram"]
        .as_array()
        .expect("buckets")
        .iter()
        .map(|bucket| (bucket["low_ns"].as_u64().unwrap(), bucket["count"].as_u64().unwrap()))
        .filter(|bucket| bucket.1 > 0)
        .collect();
    assert_eq!(buckets, [(4, 1), (16, 1), (64, 1), (512, 1)]);
}

fn check(by: By, key: &str, id: &str, expected: [(u64, u64, u64); 2]) {
    let found = answer(&RunqLat { by }, &tape(), FilterArgs::default());
    let rows: Vec<(u64, u64, u64)> = found[key]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| {
            let number = |key: &str| row[key].as_u64().expect("a number");
            (number(id), number("count"), number("max_ns"))
        })
        .collect();
    assert_eq!(rows, expected);
}

#[test]
fn by_process_thread_and_cpu() {
    check(By::Process, "processes", "pid", [(10, 2, 1000), (20, 2, 31)]);
    check(By::Thread, "threads", "tid", [(10, 2, 1000), (20, 2, 31)]);
    check(By::Cpu, "cpus", "cpu", [(1, 3, 1000), (0, 1, 7)]);
}
