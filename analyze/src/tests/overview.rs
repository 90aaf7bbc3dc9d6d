use ktape_schema::{OffCpu, TaskRun, TaskStart, fact_flag, task_flag};
use serde_json::json;

use crate::query::FilterArgs;
use crate::reports::overview::Overview;
use crate::testing::{START, Tape, answer};

#[test]
fn the_top_of_everything() {
    let mut tape = Tape::new();
    tape.thread(10, 10, "busy");
    tape.thread(20, 20, "idle");
    for at in 0..15u64 {
        let row = OffCpu {
            end: START + at,
            duration: 100 + at,
            runq: 10,
            tid: 20,
            tgid: 20,
            syscall: 230,
            state: 1,
            ..OffCpu::default()
        };
        tape.off_cpu(row);
    }
    for (time, tid, run) in [(0, 10, 100), (9, 10, 900), (0, 20, 50), (9, 20, 250)] {
        let row = TaskRun { time: START + time, run, tid, tgid: tid, ..Default::default() };
        tape.define(TaskRun::DESC, &row.encode());
    }
    let found = answer(&Overview {}, &tape, FilterArgs::default());
    let waits = found["longest_waits"].as_array().expect("waits");
    let lengths: Vec<u64> = waits.iter().filter_map(|row| row["duration_ns"].as_u64()).collect();
    assert_eq!(lengths, (100..115).rev().collect::<Vec<u64>>());
    assert_eq!(waits[0]["syscall"], "clock_nanosleep");
    assert_eq!(waits[0]["state"], "sleeping");
    assert_eq!(found["top_off_cpu"][0]["total_time_ns"], json!((100..115).sum::<u64>()));
    let cpu = |at: usize| (&found["top_cpu"][at]["comm"], &found["top_cpu"][at]["cpu_time_ns"]);
    assert_eq!(cpu(0), (&json!("busy"), &json!(800)));
    assert_eq!(cpu(1), (&json!("idle"), &json!(200)));
    assert_eq!(found["runq"]["p50_ns"], 10);
}

/// A thread that waited, one that hung all the time, a kernel thread without work, and who woke them.
fn hung() -> Tape {
    let mut tape = Tape::new();
    for (tid, comm, flags) in [
        (10, "waiter", 0),
        (20, "hung", 0),
        (30, "kworker", task_flag::KTHREAD),
        (40, "stranger", task_flag::BYSTANDER),
    ] {
        let comm = tape.string(comm);
        let row = TaskStart { tid, tgid: tid, comm, flags, ..TaskStart::default() };
        tape.define(TaskStart::DESC, &row.encode());
        for (time, run) in [(0, 0), (9, u64::from(tid))] {
            let row = TaskRun { time: START + time, run, tid, tgid: tid, ..Default::default() };
            tape.define(TaskRun::DESC, &row.encode());
        }
    }
    let whole = fact_flag::OPEN | fact_flag::BEGAN_BEFORE;
    for (tid, duration, flags, runq) in
        [(10, 50, 0, 1), (20, 100, whole as u8, 0), (30, 60, 0, 0), (30, 70, 0, 40)]
    {
        let (end, tgid, state) = (START + 100, tid, 1);
        tape.off_cpu(OffCpu { end, duration, tid, tgid, state, flags, runq, ..OffCpu::default() });
    }
    tape
}

#[test]
fn who_hung_shows_where_threads_were_chosen() {
    let check = |filters: &[(String, String)], expected: &[&str], off_cpu: &[&str]| {
        let mut tape = hung();
        tape.meta.filters = filters.to_vec();
        let found = answer(&Overview {}, &tape, FilterArgs::default());
        let names = |table: &str| -> Vec<&str> {
            let rows = found[table].as_array().expect("a table");
            rows.iter().filter_map(|row| row["comm"].as_str()).collect()
        };
        assert_eq!(names("longest_waits"), expected);
        assert_eq!(names("top_off_cpu"), off_cpu);
        let starved = found["top_off_cpu"].as_array().and_then(|rows| rows.last()).expect("a row");
        assert_eq!(starved["total_time_ns"], 40, "the time that it wanted a CPU: {starved}");
        assert_eq!(names("top_cpu"), ["kworker", "hung", "waiter"], "without who only woke others");
        let notes = found["notes"].to_string();
        let whole = notes.contains("1 threads that were off the CPU during the whole");
        assert_eq!(whole, filters.is_empty(), "{notes}");
        assert!(notes.contains("1 waits of kernel") && notes.contains("of 1 more"), "{notes}");
    };
    check(&[], &["waiter", "kworker"], &["waiter", "kworker"]);
    let all = ["hung", "waiter", "kworker"];
    check(&[("pid".to_owned(), "20".to_owned())], &all, &all);
}
