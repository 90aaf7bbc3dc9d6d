//! What a recording holds: events, losses, stacks, as its own program tells it.

use super::recorder::{Programs, Tool};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// What is in a recording.
#[derive(Clone, Copy, Debug, Default)]
pub struct Contents {
    /// Facts of ktape, events of the others.
    pub facts: u64,
    /// Events that the recorder says it lost.
    pub lost: u64,
    /// ktape: how many of the facts are off-CPU intervals.
    pub off_cpu: Option<u64>,
    /// ktape: bytes on disk of an off-CPU interval.
    pub off_cpu_bytes: Option<f64>,
    /// ktape: of the off-CPU time in waits of 1 ms or more, the percentage with both stacks.
    pub both_stacks: Option<f64>,
}

/// Looks into a recording.
pub fn contents(tool: Tool, programs: &Programs, file: &Path) -> Result<Contents> {
    match tool {
        Tool::Ktape => ktape(programs, file),
        Tool::Perf => perf(programs, file),
        Tool::TraceCmd => trace_cmd(programs, file),
        Tool::Offcputime => Ok(Contents::default()),
    }
}

fn ktape(programs: &Programs, file: &Path) -> Result<Contents> {
    let info = info(programs, file)?;
    let records = info["records"].as_array().context("ktape info lists no records")?;
    let mut contents = Contents {
        both_stacks: info["stack_coverage"]["both_percentage"].as_f64(),
        ..Contents::default()
    };
    for record in records {
        // What defines the facts may be lost as well, and counts.
        contents.lost += record["lost"].as_u64().unwrap_or(0);
        if record["class"] == "fact" {
            contents.facts += record["rows"].as_u64().context("a record has no rows")?;
        }
        if record["record"] == "off_cpu" {
            contents.off_cpu = record["rows"].as_u64();
            contents.off_cpu_bytes = record["bytes_per_row"].as_f64();
        }
    }
    // Without stacks there is no share of waits that have them.
    let attached = info["probes"].as_array().into_iter().flatten();
    let mut knobs = attached.filter_map(|probe| probe["knobs"].as_array()).flatten();
    if knobs.any(|knob| knob == "stacks=none") {
        contents.both_stacks = None;
    }
    Ok(contents)
}

fn perf(programs: &Programs, file: &Path) -> Result<Contents> {
    let perf = programs.of(Tool::Perf);
    let stats = said(Command::new(&perf).args(["report", "--stats", "-i"]).arg(file))?;
    // The totals stand above those of each event.
    let count = |kind: &str| {
        let line = stats.lines().find_map(|line| line.trim().strip_prefix(kind));
        line.and_then(|rest| rest.strip_prefix(" events:"))
            .and_then(|rest| rest.split_whitespace().next())
            .and_then(|number| number.parse::<u64>().ok())
    };
    let facts = count("SAMPLE").unwrap_or(0);
    let mut lost = 0;
    if count("LOST").is_some() || count("LOST_SAMPLES").is_some() {
        let mut script = Command::new(&perf);
        script.args(["script", "--show-lost-events", "-F", "time", "-i"]).arg(file);
        let lines = said(&mut script)?;
        let losses = lines.lines().filter_map(|line| line.split_once("PERF_RECORD_LOST"));
        lost = losses
            .filter_map(|(_, rest)| rest.rsplit_once("lost ")?.1.trim().parse::<u64>().ok())
            .sum();
    }
    Ok(Contents { facts, lost, ..Contents::default() })
}

fn trace_cmd(programs: &Programs, file: &Path) -> Result<Contents> {
    let mut report = Command::new(programs.of(Tool::TraceCmd));
    let stat = said(report.args(["report", "--stat", "-i"]).arg(file))?;
    let sum = |kind: &str| -> u64 {
        let numbers =
            stat.lines().filter_map(|line| line.strip_prefix(kind)?.trim().parse::<u64>().ok());
        numbers.sum()
    };
    // The statistics are taken before the last drain: what is left then is in the file as well.
    Ok(Contents {
        facts: sum("read events:") + sum("entries:"),
        lost: sum("overrun:") + sum("commit overrun:") + sum("dropped events:"),
        ..Contents::default()
    })
}

/// What `ktape info` says of a trace.
pub fn info(programs: &Programs, file: &Path) -> Result<Value> {
    let text =
        said(Command::new(&programs.ktape).args(["info", "--format", "json", "-i"]).arg(file))?;
    serde_json::from_str(&text).context("ktape info does not write JSON")
}

/// Runs a program; what it writes.
pub fn said(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let out = command.output().with_context(|| format!("cannot run {program}"))?;
    if !out.status.success() {
        let said = String::from_utf8_lossy(&out.stderr);
        bail!("{program}: {}", said.lines().last().unwrap_or_default());
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}
