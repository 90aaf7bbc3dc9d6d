use ktape_schema::{OffCpu, TaskRun};
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
    assert_eq!(lengths, (105..115).rev().collect::<Vec<u64>>());
    assert_eq!(waits[0]["syscall"], "clock_nanosleep");
    assert_eq!(waits[0]["state"], "sleeping");
    assert_eq!(found["top_off_cpu"][0]["total_time_ns"], json!((100..115).sum::<u64>()));
    let cpu = |at: usize| (&found["top_cpu"][at]["comm"], &found["top_cpu"][at]["cpu_time_ns"]);
    assert_eq!(cpu(0), (&json!("busy"), &json!(800)));
    assert_eq!(cpu(1), (&json!("idle"), &json!(200)));
    assert_eq!(found["runq"]["p50_ns"], 10);
}
