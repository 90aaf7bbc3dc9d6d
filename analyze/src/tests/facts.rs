use clap::Parser;
use ktape_schema::{OffCpu, off_cpu_state as state};
use serde_json::{Value, json};

use crate::query::FilterArgs;
use crate::reports::facts::Facts;
use crate::run::Report;
use crate::testing::{START, Tape, answer, busy};

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
        ("--record syscall_slow --of ret", "negative"),
        ("--every 0s", "has a length"),
    ] {
        let error = facts(words).check().expect_err(words);
        assert!(error.is_usage() && error.to_string().contains(part), "{words}: {error}");
    }
}
