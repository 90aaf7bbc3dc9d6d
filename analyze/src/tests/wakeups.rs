use ktape_schema::{OffCpu, fact_flag, off_cpu_state as state};
use serde_json::{Value, json};

use crate::query::FilterArgs;
use crate::reports::wakeups::{By, Wakeups};
use crate::testing::{START, Tape, answer};

const MS: u64 = 1_000_000;

fn wait(tid: u32, start: u64, woken: u64, end: u64, waker: u32) -> OffCpu {
    OffCpu {
        end: START + end * MS,
        duration: (end - start) * MS,
        runq: (end - woken) * MS,
        tid,
        tgid: tid / 10 * 10,
        waker,
        waker_tgid: waker / 10 * 10,
        state: state::SLEEPING,
        ..OffCpu::default()
    }
}

/// 10 waits for 20, which waits for a timer; 11 is woken twice by 20.
fn tape() -> Tape {
    let mut tape = Tape::new();
    tape.thread(10, 10, "client");
    tape.thread(11, 10, "helper");
    tape.thread(20, 20, "server");
    tape.off_cpu(OffCpu { syscall: 0, ..wait(10, 100, 900, 920, 20) });
    tape.off_cpu(OffCpu { syscall: 230, ..wait(20, 150, 700, 730, 0) });
    tape.off_cpu(wait(11, 0, 40, 41, 20));
    tape.off_cpu(wait(11, 50, 60, 60, 20));
    // It was preempted: nobody woke it.
    tape.off_cpu(OffCpu { state: state::PREEMPTED, ..wait(11, 60, 60, 70, 20) });
    tape.off_cpu(OffCpu { flags: fact_flag::OPEN as u8, ..wait(11, 70, 1000, 1000, 0) });
    tape
}

/// Some members of the rows of a table.
fn members(found: &Value, table: &str, keys: &[&str]) -> Vec<Value> {
    let rows = found[table].as_array().expect("rows").iter();
    rows.map(|row| keys.iter().map(|key| row[*key].clone()).collect()).collect()
}

#[test]
fn sums_tell_who_ended_whose_waits() {
    let keys = ["waker_comm", "comm", "count", "total_ns", "max_ns"];
    let by = |by| answer(&Wakeups { by, ..Wakeups::default() }, &tape(), FilterArgs::default());
    let interrupt = json!(["interrupt", "server", 1, 550 * MS, 550 * MS]);
    assert_eq!(
        members(&by(By::Process), "wakeups", &keys),
        [
            json!(["interrupt", "client", 1, 930 * MS, 930 * MS]),
            json!(["server", "client", 3, 850 * MS, 800 * MS]),
            interrupt.clone(),
        ]
    );
    assert_eq!(
        members(&by(By::Thread), "wakeups", &keys),
        [
            json!(["interrupt", "helper", 1, 930 * MS, 930 * MS]),
            json!(["server", "client", 1, 800 * MS, 800 * MS]),
            interrupt,
            json!(["server", "helper", 2, 50 * MS, 40 * MS]),
        ]
    );
}

#[test]
fn a_wait_is_told_by_what_it_was_for() {
    let report = Wakeups { paths: 1, steps: true, process: Some(10), ..Wakeups::default() };
    let found = answer(&report, &tape(), FilterArgs::default());
    let keys = ["tid", "duration_ns", "syscall"];
    assert_eq!(members(&found, "waits", &keys), [json!([10, 820 * MS, "read"])]);
    let expected = [
        json!(["server", "waited for sleep (sleeping)", "clock_nanosleep", 550 * MS, 1]),
        json!(["server", "ran", null, 220 * MS, 2]),
        json!(["server", "waited for a CPU", null, 30 * MS, 1]),
        json!(["client", "waited for a CPU", null, 20 * MS, 1]),
    ];
    let keys = ["comm", "what", "syscall", "total_ns", "steps"];
    assert_eq!(members(&found, "paths", &keys), expected);
    let steps = [
        json!([100 * MS, 50 * MS, 20, "ran"]),
        json!([150 * MS, 550 * MS, 20, "waited for sleep (sleeping)"]),
        json!([700 * MS, 30 * MS, 20, "waited for a CPU"]),
        json!([730 * MS, 170 * MS, 20, "ran"]),
        json!([900 * MS, 20 * MS, 10, "waited for a CPU"]),
    ];
    let keys = ["start_ns", "duration_ns", "tid", "what"];
    assert_eq!(members(&found, "steps", &keys), steps);
}

#[test]
fn waits_to_follow_can_be_chosen() {
    let check = |report: Wakeups, tids: &[u64]| {
        let found = answer(&report, &tape(), FilterArgs::default());
        let waits = found["waits"].as_array().expect("rows").iter();
        let found: Vec<u64> = waits.map(|row| row["tid"].as_u64().expect("a number")).collect();
        assert_eq!(found, tids);
    };
    let none = Wakeups { paths: 0, ..Wakeups::default() };
    check(none, &[]);
    check(Wakeups { thread: Some(20), ..Wakeups::default() }, &[20]);
    check(Wakeups { process: Some(10), ..Wakeups::default() }, &[10, 11, 11]);
}
