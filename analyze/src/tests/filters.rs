use ktape_schema::{OffCpu, TaskComm};
use serde_json::json;

use crate::query::FilterArgs;
use crate::reports::offcpu::{By, OffCpu as Report};
use crate::run::{Query, run};
use crate::testing::{START, Tape, answer, busy};

/// Waits of 1, 2, 4, .. 64 us, one after each millisecond, of different threads on different CPUs.
fn tape() -> Tape {
    let mut tape = Tape::new();
    tape.thread(10, 10, "alpha");
    tape.thread(11, 10, "beta");
    tape.thread(20, 20, "gamma");
    let comm = tape.string("delta");
    let rename = TaskComm { time: START + 5_500_000, tid: 20, tgid: 20, comm, flags: 0 };
    tape.define(TaskComm::DESC, &rename.encode());
    for (at, (tid, tgid, cpu)) in
        [(10, 10, 0), (11, 10, 1), (20, 20, 2), (10, 10, 3), (20, 20, 0), (20, 20, 1), (99, 98, 7)]
            .into_iter()
            .enumerate()
    {
        let end = START + (at as u64 + 1) * 1_000_000;
        let duration = 1000 << at;
        tape.off_cpu(OffCpu { end, duration, tid, tgid, cpu, ..OffCpu::default() });
    }
    tape
}

/// `expected` in microseconds: the sum of powers of two tells which waits passed.
fn check(filter: FilterArgs, expected: u64) {
    let found = answer(&Report::default(), &tape(), filter.clone());
    assert_eq!(found["summary"]["total_time_ns"], json!(expected * 1000), "{filter:?}");
}

fn time(text: &str) -> FilterArgs {
    FilterArgs { time: Some(text.to_owned()), ..FilterArgs::default() }
}

#[test]
fn a_wait_belongs_to_the_window_in_which_it_ends() {
    check(FilterArgs::default(), 127);
    check(time("2ms,3ms"), 2 + 4);
    check(time("2.000001ms,3ms"), 4);
    check(time("6ms,"), 32 + 64);
    check(time(",1ms"), 1);
    check(time(","), 127);
    check(time("1h,2h"), 0);
}

#[test]
fn clock_times_are_those_of_the_recorded_host() {
    check(time("12:00:00.002,12:00:00.003"), 2 + 4);
    check(time("2026-11-20T12:00:00.006Z,"), 32 + 64);
    check(time("2026-11-20T14:00:00.006+02:00,"), 32 + 64);
    check(time("11:59:59,"), 0);
}

#[test]
fn tasks_and_cpus() {
    let of = |pid: &[u32], tid: &[u32]| FilterArgs {
        pid: pid.to_vec(),
        tid: tid.to_vec(),
        ..FilterArgs::default()
    };
    check(of(&[10], &[]), 1 + 2 + 8);
    check(of(&[20, 98], &[]), 4 + 16 + 32 + 64);
    check(of(&[], &[11, 99]), 2 + 64);
    check(of(&[20], &[11]), 0);
    let cpu = |cpus: &[&str]| FilterArgs {
        cpu: cpus.iter().map(|&cpu| cpu.to_owned()).collect(),
        ..FilterArgs::default()
    };
    check(cpu(&["0"]), 1 + 16);
    check(cpu(&["1-2", "7"]), 2 + 4 + 32 + 64);
}

#[test]
fn names_are_those_of_the_time() {
    let comm = |globs: &[&str]| FilterArgs {
        comm: globs.iter().map(|&glob| glob.to_owned()).collect(),
        ..FilterArgs::default()
    };
    check(comm(&["alpha"]), 1 + 8);
    check(comm(&["gamma"]), 4 + 16);
    check(comm(&["delta"]), 32);
    check(comm(&["*a", "!*ta"]), 1 + 4 + 8 + 16);
    check(comm(&["[[]unknown]"]), 64);
}

#[test]
fn lengths() {
    let least =
        |text: &str| FilterArgs { min_duration: Some(text.into()), ..FilterArgs::default() };
    check(least("16us"), 16 + 32 + 64);
    check(least("16.001us"), 32 + 64);
}

#[test]
fn nonsense_is_a_usage_error() {
    let trace = tape().trace();
    let cpu = FilterArgs { cpu: vec!["3-1".into()], ..FilterArgs::default() };
    let least = FilterArgs { min_duration: Some("long".into()), ..FilterArgs::default() };
    for filter in [time("1s"), time("2s,1s"), time("x,"), cpu, least] {
        let query = Query { filter: filter.clone(), threads: 1 };
        let error = run(&Report::default(), &trace, &query).expect_err("nonsense");
        assert!(error.is_usage(), "{filter:?}: {error}");
    }
}

#[test]
fn pruned_chunks_hold_nothing_that_passes() {
    let tape = busy(9, 400);
    for filter in [time("200us,400us"), FilterArgs { pid: vec![104], ..FilterArgs::default() }] {
        let query = Query { filter, threads: 1 };
        let answer = |trace| {
            run(&Report { by: By::Thread, ..Report::default() }, &trace, &query)
                .expect("an answer")
                .blocks
        };
        let expected = answer(tape.trace());
        for seed in 0..5 {
            assert_eq!(answer(tape.cut(seed)), expected);
        }
    }
}

#[test]
fn what_a_filter_cannot_tell_is_left_out_and_said() {
    let tape = busy(1, 50);
    let filter = FilterArgs { tid: vec![101], ..FilterArgs::default() };
    let found = answer(&crate::reports::overview::Overview {}, &tape, filter);
    let notes = found["notes"].as_array().expect("notes");
    let said = notes.iter().any(|note| {
        note["kind"] == "filter"
            && note["text"].as_str().is_some_and(|text| text.contains("syscall_count"))
    });
    assert!(said, "{notes:#?}");
    assert!(found.get("top_syscalls").is_none());
}

#[test]
fn who_is_not_in_the_trace_is_named() {
    let notes = |filter| answer(&Report::default(), &tape(), filter)["notes"].to_string();
    let asked = FilterArgs { pid: vec![10, 12], tid: vec![11, 99], ..FilterArgs::default() };
    let notes_of_asked = notes(asked);
    assert!(notes_of_asked.contains("no definition of process 12, thread 99"), "{notes_of_asked}");
    let known = FilterArgs { pid: vec![20], ..FilterArgs::default() };
    assert_eq!(notes(known), "[]");
}
