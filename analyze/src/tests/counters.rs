use ktape_format::{ProbeMeta, ProbeState};
use ktape_schema::{CounterSample, CounterTotal, counted_event, counter_event, counter_total_flag};
use serde_json::{Value, json};

use crate::query::FilterArgs;
use crate::reports::counters::{By, Counters, Event};
use crate::testing::{Random, START, Tape, answer};

const MS: u64 = 1_000_000;
const ALL: u32 = counted_event::CYCLES | counted_event::INSTRUCTIONS | counted_event::CACHE_MISSES;

/// Facts of the probe for the property of all reports.
pub(crate) fn noise(tape: &mut Tape, random: &mut Random, end: u64, tid: u32, tgid: u32) {
    let mut pick = |limit: u64| random.below(limit);
    let total = CounterTotal {
        end,
        duration: pick(1 << 30),
        task_clock: pick(1 << 30),
        voluntary_switches: pick(100),
        involuntary_switches: pick(100),
        migrations: pick(9),
        minor_faults: pick(1000),
        major_faults: pick(3),
        cycles: pick(1 << 40),
        instructions: pick(1 << 40),
        cache_misses: pick(1 << 20),
        branch_misses: pick(1 << 63),
        cpu_clock: pick(1 << 30),
        tid,
        tgid,
        flags: pick(4) as u32,
        counted: pick(32) as u32,
    };
    tape.fact(CounterTotal::DESC, 0, &total.encode());
    let sample = CounterSample {
        time: end,
        weight: pick(1 << 20),
        tid,
        tgid,
        kstack: pick(8) as u32,
        ustack: pick(6) as u32,
        cpu: pick(2) as u32,
        event: pick(10) as u8,
        mode: pick(3) as u8,
        flags: 0,
    };
    tape.fact(CounterSample::DESC, 0, &sample.encode());
}

fn tape(counted: u32) -> Tape {
    let mut tape = Tape::new();
    tape.thread(10, 10, "server");
    tape.thread(11, 10, "worker");
    tape.thread(20, 20, "client");
    let total = |second: u64, tid: u32, tgid: u32, task_clock: u64, voluntary_switches: u64| {
        let (cycles, instructions) = (3 * task_clock, 6 * task_clock);
        CounterTotal {
            end: START + second * 1000 * MS,
            duration: 1000 * MS,
            task_clock,
            voluntary_switches,
            involuntary_switches: 1,
            minor_faults: 7,
            cycles,
            instructions,
            cache_misses: task_clock / 100,
            tid,
            tgid,
            counted,
            ..CounterTotal::default()
        }
    };
    for row in [
        total(1, 10, 10, 500 * MS, 10),
        total(2, 10, 10, 250 * MS, 20),
        total(2, 11, 10, 250 * MS, 4),
        total(1, 20, 20, 100 * MS, 100),
    ] {
        tape.fact(CounterTotal::DESC, 0, &row.encode());
    }
    let ustack = tape.user_stack(&["main", "touch"]);
    let other = tape.user_stack(&["main"]);
    let sample = |event: u8, weight: u64, ustack: u32| CounterSample {
        time: START + 1500 * MS,
        weight,
        tid: 11,
        tgid: 10,
        ustack,
        event,
        mode: 1,
        ..CounterSample::default()
    };
    for row in [
        sample(counter_event::PAGE_FAULTS, 100, ustack),
        sample(counter_event::PAGE_FAULTS, 20, ustack),
        sample(counter_event::PAGE_FAULTS, 5, other),
        sample(counter_event::CONTEXT_SWITCHES, 1, other),
    ] {
        tape.fact(CounterSample::DESC, row.cpu as u16, &row.encode());
    }
    tape
}

fn check(report: &Counters, tape: &Tape, table: &str, keys: &[&str], expected: Value) {
    let found = answer(report, tape, FilterArgs::default());
    let rows = found[table].as_array().unwrap_or_else(|| panic!("no {table} in {found:#}"));
    let row = |row: &Value| keys.iter().map(|key| row[key].clone()).collect::<Vec<_>>();
    assert_eq!(json!(rows.iter().map(row).collect::<Vec<_>>()), expected);
}

#[test]
fn processes_and_threads_add_up() {
    let keys =
        ["pid", "cpu_time_ns", "context_switches", "involuntary_switches", "page_faults", "cycles"];
    let server = json!([10, 1000 * MS, 37, 3, 21, null]);
    let client = json!([20, 100 * MS, 101, 1, 7, null]);
    check(&Counters::default(), &tape(0), "processes", &keys, json!([server, client]));
    let keys = ["tid", "context_switches"];
    let threads = Counters { by: By::Thread, event: None };
    check(&threads, &tape(0), "threads", &keys, json!([[10, 32], [11, 5], [20, 101]]));
}

#[test]
fn hardware_events_have_their_ratios() {
    let keys = ["pid", "cycles", "instructions_per_cycle", "cache_misses_per_1000_instructions"];
    let server = json!([10, 3000 * MS, 2.0, 1.67]);
    let client = json!([20, 300 * MS, 2.0, 1.67]);
    check(&Counters::default(), &tape(ALL), "processes", &keys, json!([server, client]));
    let keys = ["event", "count", "count_per_1000_instructions"];
    let events = json!([
        ["context-switches", 138, null],
        ["  voluntary", 134, null],
        ["  involuntary", 4, null],
        ["cpu-migrations", 0, null],
        ["page-faults", 28, null],
        ["  major", 0, null],
        ["cycles", 3300 * MS, null],
        ["instructions", 6600 * MS, null],
        ["cache-misses", 11 * MS, 1.67],
    ]);
    check(&Counters::default(), &tape(ALL), "events", &keys, events);
}

#[test]
fn functions_are_estimated_by_event() {
    let keys = ["event", "function", "self_count", "total_count", "self_samples"];
    let expected = json!([
        ["context-switches", "main", 1, 1, 1],
        ["page-faults", "touch", 120, 120, 2],
        ["page-faults", "main", 5, 125, 1],
    ]);
    let functions = Counters { by: By::Function, event: None };
    check(&functions, &tape(0), "functions", &keys, expected);
    let found = answer(&functions, &tape(0), FilterArgs::default());
    let text = found["notes"][0]["text"].as_str().expect("a note");
    assert!(text.contains("estimates (page-faults by 3 samples)"), "{text}");
    let stacks = Counters { by: By::Stack, event: Some(Event::PageFaults) };
    let expected = json!([["worker;main;touch", 120, 2], ["worker;main", 5, 1]]);
    check(&stacks, &tape(0), "stacks", &["stack", "count", "samples"], expected);
}

#[test]
fn what_is_missing_or_reckoned_is_said() {
    let mut tape = tape(ALL);
    let row = CounterTotal {
        end: START + 1,
        task_clock: 1,
        tid: 20,
        tgid: 20,
        flags: counter_total_flag::SCALED,
        counted: ALL,
        ..CounterTotal::default()
    };
    tape.fact(CounterTotal::DESC, 0, &row.encode());
    tape.meta.probes.push(ProbeMeta {
        name: "counters".into(),
        state: ProbeState::Attached,
        reason: "no hardware counters (cycles): perf_event_open gives ENOENT".into(),
        ..ProbeMeta::default()
    });
    let found = answer(&Counters::default(), &tape, FilterArgs::default());
    let notes = found["notes"].as_array().expect("notes");
    let has = |text: &str| notes.iter().any(|note| note["text"].as_str().unwrap().contains(text));
    assert!(has("ENOENT") && has("took turns"), "{notes:?}");
}
