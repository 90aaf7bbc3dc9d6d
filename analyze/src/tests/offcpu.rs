use ktape_schema::{OffCpu, StackCoverage, off_cpu_state as state};
use serde_json::{Value, json};

use crate::query::FilterArgs;
use crate::reports::offcpu::{By, OffCpu as Report};
use crate::testing::{START, Tape, answer};

/// A sleeper with two waits, a locker with one and a preempted stretch, and a reader in another process.
fn tape() -> Tape {
    let mut tape = Tape::new();
    tape.thread(10, 10, "sleeper");
    tape.thread(11, 10, "locker");
    tape.thread(20, 20, "reader");
    let wait = |end, duration, runq, tid, tgid, state, syscall| OffCpu {
        end: START + end,
        duration,
        runq,
        tid,
        tgid,
        state,
        syscall,
        ..OffCpu::default()
    };
    tape.off_cpu(wait(1_000_000, 600_000, 100_000, 10, 10, state::SLEEPING, 230));
    tape.off_cpu(wait(2_000_000, 400_000, 0, 10, 10, state::SLEEPING, 230));
    tape.off_cpu(wait(3_000_000, 250_000, 50_000, 11, 10, state::SLEEPING, 202));
    tape.off_cpu(wait(3_100_000, 50_000, 50_000, 11, 10, state::PREEMPTED, 65535));
    tape.off_cpu(wait(4_000_000, 700_000, 0, 20, 20, state::IO_WAIT, 0));
    tape
}

fn check(by: By, key: &str, expected: Value) {
    let found = answer(&Report { by, ..Report::default() }, &tape(), FilterArgs::default());
    assert_eq!(found[key], expected, "{found:#}");
}

#[test]
fn processes_have_totals_by_class() {
    let rows = json!([
        {
            "pid": 10, "start_ns": -1_000_000_000, "comm": "sleeper", "threads": 2, "count": 4,
            "total_time_ns": 1_300_000, "percentage": 65.00, "avg_time_ns": 325_000,
            "min_time_ns": 50_000, "max_time_ns": 600_000, "runq_ns": 200_000,
            "sleep_ns": 900_000, "io_ns": 0, "lock_ns": 200_000, "poll_ns": 0, "child_ns": 0,
            "other_ns": 0
        },
        {
            "pid": 20, "start_ns": -1_000_000_000, "comm": "reader", "threads": 1, "count": 1,
            "total_time_ns": 700_000, "percentage": 35.00, "avg_time_ns": 700_000,
            "min_time_ns": 700_000, "max_time_ns": 700_000, "runq_ns": 0,
            "sleep_ns": 0, "io_ns": 700_000, "lock_ns": 0, "poll_ns": 0, "child_ns": 0,
            "other_ns": 0
        }
    ]);
    check(By::Process, "processes", rows);
}

#[test]
fn threads_have_theirs() {
    let found =
        answer(&Report { by: By::Thread, ..Report::default() }, &tape(), FilterArgs::default());
    let row = |at: usize| {
        let row = &found["threads"][at];
        (row["tid"].as_u64(), row["total_time_ns"].as_u64(), row["count"].as_u64())
    };
    assert_eq!(row(0), (Some(10), Some(1_000_000), Some(2)));
    assert_eq!(row(1), (Some(20), Some(700_000), Some(1)));
    assert_eq!(row(2), (Some(11), Some(300_000), Some(2)));
}

#[test]
fn the_summary_has_what_denet_has() {
    let stats = |tid, total, count, avg, max, min| {
        json!({
            "tid": tid, "total_time_ns": total, "count": count, "avg_time_ns": avg,
            "max_time_ns": max, "min_time_ns": min
        })
    };
    let summary = json!({
        "total_time_ns": 2_000_000, "total_events": 5, "avg_time_ns": 400_000,
        "max_time_ns": 700_000, "min_time_ns": 50_000, "runq_ns": 200_000,
        "bottleneck": {
            "bottleneck_type": "mixed", "io_wait_percentage": 35.00,
            "lock_contention_percentage": 10.00, "sleep_percentage": 45.00
        },
        "top_blocking_threads": [
            {"tid": 10, "pid": 10, "time_ms": 1.0, "percentage": 50.00},
            {"tid": 20, "pid": 20, "time_ms": 0.7, "percentage": 35.00},
            {"tid": 11, "pid": 10, "time_ms": 0.3, "percentage": 15.00}
        ],
        "thread_stats": {
            "10:10": stats(10, 1_000_000, 2, 500_000, 600_000, 400_000),
            "10:11": stats(11, 300_000, 2, 150_000, 250_000, 50_000),
            "20:20": stats(20, 700_000, 1, 700_000, 700_000, 700_000)
        }
    });
    check(By::Process, "summary", summary);
}

#[test]
fn stacks_are_summed_by_what_they_read() {
    let mut tape = Tape::new();
    tape.thread(10, 10, "app");
    tape.thread(11, 10, "app");
    let user = [tape.user_stack(&["main", "wait"]), tape.user_stack(&["main", "wait"])];
    let kernel = tape.kernel_stack(&["syscall", "schedule"]);
    for (tid, ustack, duration) in [(10, user[0], 300), (11, user[1], 400), (10, 0, 50)] {
        let kstack = if ustack == 0 { 0 } else { kernel };
        let end = START + 1000;
        tape.off_cpu(OffCpu { end, duration, tid, tgid: 10, kstack, ustack, ..OffCpu::default() });
    }
    let found =
        answer(&Report { by: By::Stack, ..Report::default() }, &tape, FilterArgs::default());
    let row = |at: usize| (&found["stacks"][at]["stack"], &found["stacks"][at]["total_time_ns"]);
    assert_eq!(row(0), (&json!("app;main;wait;syscall_[k];schedule_[k]"), &json!(700)));
    assert_eq!(row(1), (&json!("app;[no stack]"), &json!(50)));
    assert_eq!(found["stacks"][0]["frames"][3], json!({"name": "syscall", "kind": "kernel"}));
}

#[test]
fn coverage_of_long_waits_is_that_of_the_window() {
    let mut tape = tape();
    for (end, both) in [(1_000_000, 900), (2_000_000, 500)] {
        let row = StackCoverage {
            end: START + end,
            threshold: 1_000_000,
            waits: 3,
            total: 1000,
            both,
            kernel_only: 50,
            taken: 9,
        };
        tape.define(StackCoverage::DESC, &row.encode());
    }
    let check = |time: Option<&str>, waits: u64, share: f64| {
        let filter = FilterArgs { time: time.map(str::to_owned), ..FilterArgs::default() };
        let found = answer(&Report::default(), &tape, filter);
        assert_eq!(found["stack_coverage"]["waits"], json!(waits));
        assert_eq!(found["stack_coverage"]["both_percentage"], json!(share));
    };
    check(None, 6, 70.00);
    check(Some("1.5ms,"), 3, 50.00);
}
