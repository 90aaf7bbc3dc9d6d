//! More events than any recorder keeps up with, on every CPU at once.

use super::acceptance::Bar;
use super::count;
use super::recorder::{Programs, Tool};
use super::spent::Spent;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// System calls of each CPU: some 10 s of a million a second.
const CALLS: u64 = 10_000_000;

/// What a flood came to.
pub struct Flood {
    /// Facts in the file.
    recorded: u64,
    lost: u64,
    produced: u64,
    /// Calls that were made.
    made: u64,
    seconds: f64,
    spent: Spent,
}

/// Records each call of a loop on every CPU as a fact.
pub fn measure(programs: &Programs, folder: &Path, quick: bool) -> Result<Flood> {
    let calls = if quick { CALLS / 10 } else { CALLS };
    let cpus = std::thread::available_parallelism()?.get();
    let loops: Vec<String> = (0..cpus)
        .map(|cpu| format!("taskset -c {cpu} perf bench syscall basic -l {calls} & "))
        .collect();
    let file = folder.join("flood");
    let mut command = Command::new(programs.of(Tool::Ktape));
    command.args(["record", "-e", "syscalls/slow=1ns,stacks=none/", "-o"]).arg(&file);
    command.args(["--", "sh", "-c"]).arg(loops.concat() + "wait");
    let began = Instant::now();
    let out = command.stdin(Stdio::null()).output().context("cannot run ktape")?;
    let seconds = began.elapsed().as_secs_f64();
    let stderr = String::from_utf8_lossy(&out.stderr);
    if !out.status.success() {
        bail!("it failed: {}", stderr.lines().last().unwrap_or_default());
    }
    let spent = Spent::parse(&stderr).context("the summary says no CPU time")?;
    let info = count::info(programs, &file)?;
    let records = info["records"].as_array().context("ktape info lists no records")?;
    let row = records.iter().find(|row| row["record"] == "syscall_slow");
    let row = row.context("no calls were recorded")?;
    let number = |key: &str| row[key].as_u64().with_context(|| format!("no {key} in {row}"));
    let made = calls_made(programs, &file)?;
    // A shell may make one, too.
    if made < calls * cpus as u64 {
        bail!("{made} calls of getppid were counted, not {calls} on each CPU");
    }
    let (recorded, lost, produced) = (number("rows")?, number("lost")?, number("produced")?);
    std::fs::remove_file(&file)?;
    Ok(Flood { recorded, lost, produced, made, seconds, spent })
}

/// The calls as the kernel programs have added them up, whatever became of the facts.
fn calls_made(programs: &Programs, file: &Path) -> Result<u64> {
    let mut report = Command::new(programs.of(Tool::Ktape));
    let text =
        count::said(report.args(["report", "syscalls", "--format", "json", "-i"]).arg(file))?;
    let answer: Value = serde_json::from_str(&text).context("ktape report does not write JSON")?;
    let rows = answer["syscalls"].as_array().context("the report has no system calls")?;
    let row = rows.iter().find(|row| row["syscall"] == "getppid");
    row.and_then(|row| row["count"].as_u64()).context("the report has no getppid")
}

/// The bars.
pub fn bars(flood: &Result<Flood>) -> Vec<Bar> {
    const EXACT: &str = "flood on every CPU: recorded whole, or lost with exact counts";
    const MEMORY: &str = "flood on every CPU: below 100 MiB";
    const RATE: &str = "flood on every CPU: at least 1 million events per second and CPU";
    let flood = match flood {
        Ok(flood) => flood,
        Err(error) => {
            let why = format!("{error:#}");
            return [EXACT, RATE, MEMORY].map(|bar| Bar::unmeasured(bar, why.clone())).into();
        }
    };
    let Flood { recorded, lost, produced, made, seconds, spent } = flood;
    let exact = format!(
        "{recorded} recorded + {lost} lost = {produced} produced, {made} calls in {seconds:.1} s; \
         {:.0} ns of CPU for each recorded (drain {:.3} s, encode and write {:.3} s)",
        spent.ns_per_fact(*recorded),
        spent.draining,
        spent.writing
    );
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let rate = *made as f64 / seconds / cpus as f64 / 1e6;
    let mib = spent.memory * 1e6 / f64::from(1 << 20);
    vec![
        Bar::measured(EXACT, exact, recorded + lost == *produced && produced >= made),
        Bar::measured(RATE, format!("{rate:.2} million for {seconds:.1} s"), rate >= 1.0),
        Bar::measured(MEMORY, format!("{mib:.1} MiB at most"), mib < 100.0),
    ]
}
