use clap::Parser;
use ktape_schema::{OffCpu, off_cpu_state as state};
use serde_json::{Value, json};

use crate::query::FilterArgs;
use crate::reports::facts::Facts;
use crate::run::Report;
use crate::testing::{Random, START, Tape, answer, busy};

const SECOND: u64 = 1_000_000_000;

/// The report with these words on its command line.
fn facts(words: &str) -> Facts {
    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        facts: Facts,
    }
    Line::parse_from(["facts"].into_iter().chain(words.split_whitespace())).facts
}

fn tape() -> Tape {
    let mut tape = Tape::new();
    tape.thread(10, 10, "a");
    tape.thread(11, 10, "b");
    for (second, tid, cpu, duration, state) in [
        (0, 10, 0, 1000, state::SLEEPING),
        (0, 11, 0, 1023, state::SLEEPING),
        (0, 10, 1, 1024, state::PREEMPTED),
        (2, 10, 0, 0, state::SLEEPING),
        (2, 11, 1, 5, state::SLEEPING),
    ] {
        let end = START + second * SECOND + 500;
        tape.off_cpu(OffCpu { end, duration, tid, tgid: 10, cpu, state, ..OffCpu::default() });
    }
    tape
}

fn rows(words: &str, table: &str) -> Value {
    answer(&facts(words), &tape(), FilterArgs::default())[table].clone()
}

#[test]
fn sums_by_field() {
    let by_thread = json!([
        {"tid": 10, "comm": "a", "count": 3, "total_ns": 2024, "avg_ns": 674, "max_ns": 1024},
        {"tid": 11, "comm": "b", "count": 2, "total_ns": 1028, "avg_ns": 514, "max_ns": 1023},
    ]);
    assert_eq!(rows("--by tid", "groups"), by_thread);
    let by_two = json!([
        {"state": "sleeping", "cpu": 0, "count": 3},
        {"state": "preempted", "cpu": 1, "count": 1},
        {"state": "sleeping", "cpu": 1, "count": 1},
    ]);
    assert_eq!(rows("--by state,cpu --count", "groups"), by_two);
    assert_eq!(rows("", "summary")["total_ns"], 3052);
}

#[test]
fn intervals_and_distributions() {
    let every = json!([{"time_ns": 0, "count": 3}, {"time_ns": 2 * SECOND, "count": 2}]);
    assert_eq!(rows("--count --every 1s", "groups"), every);
    let whole = json!([{"time_ns": 0, "count": 5}]);
    assert_eq!(rows("--count --every 1h", "groups"), whole);
    let histogram = json!([
        {"state": "sleeping", "low_ns": 0, "high_ns": 1, "count": 1},
        {"state": "sleeping", "low_ns": 4, "high_ns": 7, "count": 1},
        {"state": "sleeping", "low_ns": 512, "high_ns": 1023, "count": 2},
        {"state": "preempted", "low_ns": 1024, "high_ns": 2047, "count": 1},
    ]);
    assert_eq!(rows("--by state --histogram", "histogram"), histogram);
}

#[test]
fn percentiles_are_numbers_that_occur() {
    // 101 waits of a, with ties; one of b.
    let mut tape = Tape::new();
    let mut wait = |tid, duration| {
        let row = OffCpu { end: START + 500, duration, tid, tgid: 10, ..OffCpu::default() };
        tape.off_cpu(row);
    };
    (0..100).for_each(|number| wait(10, 1000 + number / 2 * 2));
    wait(10, u64::MAX);
    wait(11, 0);
    tape.thread(10, 10, "a");
    tape.thread(11, 10, "b");
    let found = |words: &str| answer(&facts(words), &tape, FilterArgs::default());
    let rows = found("--by tid --percentile 99,50,90,99.9,50")["groups"].clone();
    let of = |row: usize| {
        ["p50_ns", "p90_ns", "p99_ns", "p999_ns", "max_ns"].map(|key| rows[row][key].as_u64())
    };
    assert_eq!(of(0), [1050, 1090, 1098, u64::MAX, u64::MAX].map(Some));
    assert_eq!(of(1), [0; 5].map(Some));
    let rows = found("--by tid --percentile 99 --at-least 2");
    assert_eq!(
        (rows["groups"].as_array().map(Vec::len), &rows["groups"][0]["tid"]),
        (Some(1), &json!(10))
    );
    assert_eq!(rows["summary"]["smaller_groups"], 1);
    assert_eq!(found("--of cpu --percentile 50")["groups"][0]["p50"], 0);
}

/// However many numbers there is room for, the percentiles are those of the sorted numbers.
#[test]
fn percentiles_are_found_in_any_number_of_passes() {
    let (mut tape, mut random) = (Tape::new(), Random::new(7));
    let mut durations: Vec<u64> = Vec::new();
    for _ in 0..3000 {
        let size = random.below(62);
        let duration = random.below(1 << size);
        durations.push(duration);
        tape.off_cpu(OffCpu { end: START + 500, duration, tid: 10, tgid: 10, ..OffCpu::default() });
    }
    durations.sort_unstable();
    let expected = [500, 900, 990, 999].map(|share| durations[3000 * share / 1000 - 1]);
    for kept in [0, 1, 10, 200, 5000] {
        let mut report = facts("--percentile 50,90,99,99.9");
        report.kept = kept;
        let row = answer(&report, &tape, FilterArgs::default())["groups"][0].clone();
        let found = ["p50_ns", "p90_ns", "p99_ns", "p999_ns"].map(|key| row[key].as_u64());
        assert_eq!(found, expected.map(Some), "{kept}");
    }
}

/// Stacks that read the same are one group, whatever their numbers are.
#[test]
fn stacks_are_told_apart_by_what_they_read() {
    let mut tape = Tape::new();
    let kernels = [tape.kernel_stack(&["entry", "wait"]), tape.kernel_stack(&["entry", "wait"])];
    let user = tape.user_stack(&["main", "lock|inner"]);
    for (at, (kstack, ustack)) in (0..).zip([
        (kernels[0], 0),
        (kernels[1], 0),
        (kernels[0], user),
        (kernels[1], user),
        (0, 0),
    ]) {
        let duration = 100 << at;
        tape.off_cpu(OffCpu { end: START + 500, duration, kstack, ustack, ..OffCpu::default() });
    }
    let stacks = |words: &str| {
        let found = answer(&facts(words), &tape, FilterArgs::default());
        let rows = found["groups"].as_array().expect("groups").iter();
        let row = |row: &Value| {
            let stack = row["stack"].as_str().expect("a stack").to_owned();
            (stack, row["count"].as_u64().unwrap_or(0), row["p50_ns"].as_u64().unwrap_or(0))
        };
        rows.map(row).collect::<Vec<_>>()
    };
    let row = |stack: &str, count, p50| (stack.to_owned(), count, p50);
    assert_eq!(
        stacks("--by kstack,ustack --percentile 50"),
        [
            row("[no stack]", 1, 1600),
            row("main;lock;inner_[i];entry_[k];wait_[k]", 2, 400),
            row("entry_[k];wait_[k]", 2, 100),
        ]
    );
    assert_eq!(
        stacks("--by kstack --percentile 50"),
        [row("[no stack]", 1, 1600), row("entry_[k];wait_[k]", 4, 200)]
    );
    let found = answer(&facts("--by ustack --histogram"), &tape, FilterArgs::default());
    assert_eq!(found["histogram"][0]["stack"], "[no stack]");
}

/// Chunks that are counted by their heads give what their rows give.
#[test]
fn skimming_counts_as_scanning_does() {
    let tape = busy(3, 2000);
    let skimmed = answer(&facts("--count --every 100us"), &tape, FilterArgs::default());
    let scanned = answer(&facts("--every 100us --of runq"), &tape, FilterArgs::default());
    let counts = |found: &Value| {
        let rows = found["groups"].as_array().expect("groups").iter();
        rows.map(|row| (row["time_ns"].as_u64(), row["count"].as_u64())).collect::<Vec<_>>()
    };
    assert_eq!(counts(&skimmed), counts(&scanned));
    assert!(counts(&skimmed).len() > 3, "{skimmed}");
}

#[test]
fn what_is_not_there_is_refused() {
    for (words, part) in [
        ("--record nonsense", "there are off_cpu"),
        ("--record task_start", "there are off_cpu"),
        ("--by nonsense", "off_cpu has end"),
        ("--by tid,cpu,state", "two fields"),
        ("--by host,tid,cpu,state", "two fields"),
        ("--record tcp_reset --percentile 99", "name the numbers"),
        ("--record syscall_slow --of ret", "negative"),
        ("--every 0s", "has a length"),
    ] {
        let error = facts(words).check().expect_err(words);
        assert!(error.is_usage() && error.to_string().contains(part), "{words}: {error}");
    }
}
