use ktape_schema::{CpuSample, OffCpu, SyscallCount, fact_flag, off_cpu_state as state};
use serde_json::{Value, json};

use crate::query::FilterArgs;
use crate::reports::timeline::Timeline;
use crate::testing::{START, Tape, answer};

const MS: u64 = 1_000_000;

/// Four intervals of 100 ms.
fn tape() -> Tape {
    let mut tape = Tape::new();
    tape.thread(10, 10, "a");
    let wait = |end: u64, duration: u64, runq: u64, syscall: u16, flags: u16| OffCpu {
        end: START + end * MS,
        duration: duration * MS,
        runq: runq * MS,
        tid: 10,
        tgid: 10,
        syscall,
        flags: flags as u8,
        state: state::SLEEPING,
        ..OffCpu::default()
    };
    // In read from 50 to 250, then runnable until 270.
    tape.off_cpu(wait(270, 220, 20, 0, 0));
    // In futex, still waiting at the stop.
    tape.off_cpu(wait(400, 100, 0, 202, fact_flag::OPEN));
    // Waits all the time: idle.
    tape.off_cpu(wait(400, 400, 0, 202, fact_flag::OPEN | fact_flag::BEGAN_BEFORE));
    let sample = CpuSample { weight: 10 * MS, tid: 10, tgid: 10, event: 1, ..Default::default() };
    for time in [10, 20, 105, 300] {
        tape.sample(CpuSample { time: START + time * MS, ..sample });
    }
    // Cycles are no time.
    tape.sample(CpuSample { time: START + 50 * MS, event: 2, ..sample });
    let calls = SyscallCount {
        end: START + 200 * MS,
        duration: 1000 * MS,
        count: 77,
        tgid: 10,
        ..Default::default()
    };
    tape.fact(SyscallCount::DESC, 0, &calls.encode());
    tape
}

fn report(measure: &[&str]) -> Timeline {
    let measure = measure.iter().map(|&name| name.to_owned()).collect();
    Timeline { every: Some(100 * MS), measure, with: None }
}

/// The numbers of a measure, interval by interval.
fn check(found: &Value, measure: &str, expected: &[f64]) {
    let rows = found["intervals"].as_array().expect("rows").iter();
    let numbers: Vec<f64> = rows.map(|row| row[measure].as_f64().expect("a number")).collect();
    assert_eq!(numbers, expected, "{measure}");
}

#[test]
fn measures_line_up_in_time() {
    let found = answer(&report(&[]), &tape(), FilterArgs::default());
    assert_eq!(
        (&found["interval_ns"], &found["intervals"][3]["start_ns"]),
        (&json!(100 * MS), &json!(300 * MS))
    );
    check(&found, "cpus", &[0.25, 0.05, 0.1, 0.0]);
    check(&found, "runnable", &[0.0, 0.0, 0.2, 0.0]);
    check(&found, "blocked", &[0.5, 1.0, 0.5, 1.0]);
    check(&found, "blocked_io", &[0.5, 1.0, 0.5, 0.0]);
    check(&found, "blocked_lock", &[0.0, 0.0, 0.0, 1.0]);
    check(&found, "waits", &[0.0, 0.0, 1.0, 0.0]);
    check(&found, "syscalls", &[0.0, 77.0, 0.0, 0.0]);
    let blocked = &found["measures"][2];
    assert_eq!(blocked["measure"], json!("blocked"));
    assert_eq!((&blocked["average"], &blocked["max"]), (&json!(0.75), &json!(1.0)));
    assert_eq!((&blocked["max_at_ns"], &blocked["course"]), (&json!(100 * MS), &json!("▅█▅█")));
    assert!(
        found["measures"]
            .as_array()
            .expect("rows")
            .iter()
            .all(|row| row["measure"] != "slow_syscalls")
    );
}

#[test]
fn measures_can_be_chosen_and_compared() {
    let report = Timeline { with: Some("blocked_io".to_owned()), ..report(&["blocked_lock"]) };
    let found = answer(&report, &tape(), FilterArgs::default());
    let rows = found["measures"].as_array().expect("rows");
    let of = |at: usize| (&rows[at]["measure"], &rows[at]["correlation_percent"]);
    assert_eq!(rows.len(), 2);
    assert_eq!(of(0), (&json!("blocked_lock"), &json!(-81)));
    assert_eq!(of(1), (&json!("blocked_io"), &json!(100)));
}

#[test]
fn a_window_is_cut_into_intervals_of_its_own() {
    let filter = FilterArgs { time: Some("200ms,300ms".into()), ..FilterArgs::default() };
    let found = answer(&Timeline { every: Some(50 * MS), ..report(&[]) }, &tape(), filter);
    check(&found, "blocked_io", &[1.0, 0.0]);
    check(&found, "runnable", &[0.0, 0.4]);
    assert_eq!(found["intervals"][0]["start_ns"], json!(200 * MS));
}
