use ktape_schema::{CpuSample, sample_event};
use serde_json::{Value, json};

use crate::query::FilterArgs;
use crate::reports::cpu::{By, Cpu};
use crate::testing::{START, Tape, answer};

/// 5 samples in `five`, 3 in `three` called from it, 2 in the kernel.
fn tape(event: u8) -> Tape {
    let mut tape = Tape::new();
    tape.thread(10, 10, "app");
    tape.thread(20, 20, "other");
    let five = tape.user_stack(&["main", "five"]);
    let three = tape.user_stack(&["main", "five", "five", "three|hot"]);
    let kernel = tape.kernel_stack(&["syscall", "vfs_read"]);
    for (count, tid, ustack, kstack) in [(5, 10, five, 0), (3, 10, three, 0), (2, 20, five, kernel)]
    {
        for at in 0..count {
            tape.sample(CpuSample {
                time: START + at,
                weight: 1000,
                tid,
                tgid: tid,
                kstack,
                ustack,
                event,
                ..CpuSample::default()
            });
        }
    }
    tape
}

fn rows(by: By, event: u8, key: &str, fields: &[&str]) -> Vec<Vec<Value>> {
    let found = answer(&Cpu { by }, &tape(event), FilterArgs::default());
    let rows = found[key].as_array().expect("rows").iter();
    rows.map(|row| fields.iter().map(|field| row[*field].clone()).collect()).collect()
}

#[test]
fn a_function_counts_once_per_stack() {
    let fields =
        ["function", "side", "self_samples", "total_samples", "self_percentage", "total_time_ns"];
    let expected = [
        json!(["five", "user", 5, 10, 50.0, 10000]),
        json!(["hot", "user", 3, 3, 30.0, 3000]),
        json!(["vfs_read", "kernel", 2, 2, 20.0, 2000]),
        json!(["main", "user", 0, 10, 0.0, 10000]),
        json!(["three", "user", 0, 3, 0.0, 3000]),
        json!(["syscall", "kernel", 0, 2, 0.0, 2000]),
    ];
    let found = rows(By::Function, sample_event::CPU_CLOCK, "functions", &fields);
    assert_eq!(json!(found), json!(expected));
}

#[test]
fn processes_threads_and_modules_have_shares() {
    let fields =
        ["pid", "comm", "samples", "percentage", "top_function", "top_function_percentage"];
    let expected =
        json!([[10, "app", 8, 80.0, "five", 62.5], [20, "other", 2, 20.0, "vfs_read", 100.0]]);
    for (by, key) in [(By::Process, "processes"), (By::Thread, "threads")] {
        assert_eq!(json!(rows(by, sample_event::CPU_CLOCK, key, &fields)), expected);
    }
    let fields = ["module", "self_samples", "total_samples"];
    let found = rows(By::Module, sample_event::CPU_CLOCK, "modules", &fields);
    assert_eq!(json!(found), json!([["/usr/bin/app", 8, 10], ["[kernel]", 2, 2]]));
}

#[test]
fn cycles_are_no_time() {
    let fields = ["function", "self_cycles", "self_time_ns", "self_percentage"];
    let found = rows(By::Function, sample_event::CYCLES, "functions", &fields);
    assert_eq!(json!(found[0]), json!(["five", 5000, 0, 50.0]));
}
