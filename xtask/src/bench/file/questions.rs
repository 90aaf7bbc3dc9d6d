//! The four questions, as ktape is asked them, and its answers in the form of the peers'.

use super::super::recorder::Programs;
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// Sum, count and longest duration by thread, the first 20.
pub(super) const BY_THREAD: &str = "by thread";
/// Durations by floor(log2) and state.
pub(super) const HISTOGRAM: &str = "histogram by state";
/// The first, of one process in one second.
pub(super) const WINDOW: &str = "process in a second";
/// Facts per second.
pub(super) const PER_SECOND: &str = "per second";

/// All of them.
pub(super) const ALL: [&str; 4] = [BY_THREAD, HISTOGRAM, WINDOW, PER_SECOND];

/// A whole process that answers a question; the trace and the number of threads are to be added.
pub(super) fn command(programs: &Programs, question: &str, window: &[String]) -> Command {
    let mut command = Command::new(&programs.ktape);
    command.args(["report", "facts", "--format", "json"]);
    match question {
        HISTOGRAM => command.args(["--by", "state", "--histogram"]),
        PER_SECOND => command.args(["--count", "--every", "1s"]),
        WINDOW => command.args(["--by", "tid", "--top", "20"]).args(window),
        _ => command.args(["--by", "tid", "--top", "20"]),
    };
    command
}

/// The filters of the question about a window.
pub(super) fn window(prepared: &Value) -> Result<Vec<String>> {
    let question = &prepared["question"];
    let number = |key: &str| question[key].as_u64().with_context(|| format!("no {key}"));
    let (pid, second) = (number("pid")?, number("second")?);
    Ok(vec![format!("--pid={pid}"), format!("--time={second}s,{}s", second + 1)])
}

/// ktape's answer as rows of numbers, as the peers give them.
pub(super) fn rows(
    programs: &Programs,
    trace: &Path,
    question: &str,
    prepared: &Value,
) -> Result<Value> {
    let out = command(programs, question, &window(prepared)?)
        .arg("-i")
        .arg(trace)
        .output()
        .context("cannot run ktape report facts")?;
    let answer: Value = serde_json::from_slice(&out.stdout).context("ktape writes JSON")?;
    let list = |key: &str| answer[key].as_array().cloned().context("an answer has rows");
    let rows: Vec<Value> = match question {
        HISTOGRAM => {
            let states = prepared["question"]["states"].as_object().context("no states")?;
            let number = |name: &Value| {
                let found = states.iter().find(|(_, known)| *known == name);
                found.and_then(|(number, _)| number.parse::<u64>().ok())
            };
            let mut rows = Vec::new();
            for row in list("histogram")? {
                let low = row["low_ns"].as_u64().context("a bucket has a lower end")?;
                let bucket = low.checked_ilog2().unwrap_or(0);
                let state = number(&row["state"]).context("an unknown state")?;
                rows.push((state, bucket, row["count"].as_u64()));
            }
            rows.sort_unstable();
            rows.into_iter().map(|row| serde_json::json!([row.0, row.1, row.2])).collect()
        }
        PER_SECOND => list("groups")?
            .iter()
            .map(|row| {
                let second = row["time_ns"].as_u64().unwrap_or(0) / 1_000_000_000;
                serde_json::json!([second, row["count"]])
            })
            .collect(),
        _ => list("groups")?
            .iter()
            .map(|row| {
                serde_json::json!([row["tid"], row["total_ns"], row["count"], row["max_ns"]])
            })
            .collect(),
    };
    Ok(Value::Array(rows))
}
