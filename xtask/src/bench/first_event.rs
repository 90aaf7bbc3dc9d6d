//! From a recorder's start to the first event that it records.

use super::measure;
use super::process;
use super::recorder::{Programs, Recorder, Tool};
use super::table::Values;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long each recording lasts.
const LASTS: Duration = Duration::from_secs(1);

/// Milliseconds from exec to the first event, one value per round.
///
/// Meanwhile a thread sleeps for a millisecond at a time, so that there is something to record. It
/// stays on the first CPU, where every recorder sees it: some virtual machines hide from perf and
/// ftrace what wakes an idle CPU other than the first.
pub fn measure(
    recorders: &[Recorder],
    programs: &Programs,
    folder: &Path,
    rounds: usize,
) -> Vec<(Recorder, Result<Values>)> {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            if let Err(error) = process::stay_on_cpu(0) {
                eprintln!("cannot stay on the first CPU: {error}");
            }
            while !done.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let mut found: Vec<_> = recorders.iter().map(|&each| (each, Ok(Vec::new()))).collect();
        for _ in 0..rounds {
            for (recorder, values) in &mut found {
                let Ok(so_far) = values else { continue };
                match once(*recorder, programs, folder) {
                    Ok(value) => so_far.push(value),
                    Err(error) => *values = Err(error),
                }
                drop(measure::clear(folder));
            }
        }
        done.store(true, Ordering::Relaxed);
        let values = |values: Result<Vec<f64>>| values.map(Values::from_iter);
        found.into_iter().map(|(recorder, all)| (recorder, values(all))).collect()
    })
}

fn once(recorder: Recorder, programs: &Programs, folder: &Path) -> Result<f64> {
    let file = folder.join("recording");
    let running = measure::start(recorder, programs, &file, recorder.monotonic())?;
    let began = running.began;
    std::thread::sleep(LASTS);
    measure::end(running, recorder.tool())?;
    let first = first(recorder.tool(), programs, &file)?;
    match first.checked_sub(began) {
        Some(ns) if ns < LASTS.as_nanos() as u64 => Ok(ns as f64 / 1e6),
        _ => bail!("its first event, at {first} ns, is not of this recording ({began} ns)"),
    }
}

/// The time of the first event in nanoseconds of CLOCK_MONOTONIC.
fn first(tool: Tool, programs: &Programs, file: &Path) -> Result<u64> {
    let mut command = Command::new(programs.of(tool));
    match tool {
        Tool::Ktape => command.args(["script", "--format", "json", "-i"]).arg(file),
        Tool::Perf => command.args(["script", "-F", "time", "--ns", "-i"]).arg(file),
        Tool::TraceCmd => command.args(["report", "-t", "-i"]).arg(file),
        Tool::Offcputime => bail!("it records no events"),
    };
    let log = file.with_extension("stderr");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(std::fs::File::create(&log)?);
    let mut child = command.spawn()?;
    let lines = BufReader::new(child.stdout.take().context("standard output is a pipe")?).lines();
    let time = lines.map_while(Result::ok).find_map(|line| match tool {
        Tool::Ktape => fact_time(&line),
        _ => line.split_whitespace().find_map(seconds),
    });
    drop(child.kill());
    child.wait()?;
    time.with_context(|| format!("it shows no event {}", process::complaint(&log)))
}

/// When a fact ended, which is when it was recorded.
fn fact_time(line: &str) -> Option<u64> {
    let fact: Value = serde_json::from_str(line).ok()?;
    ["end", "time"].iter().find_map(|field| fact[*field].as_u64())
}

/// Reads `5730.581186123:` as nanoseconds.
fn seconds(word: &str) -> Option<u64> {
    let (whole, part) = word.strip_suffix(':')?.split_once('.')?;
    let digits = part.bytes().all(|byte| byte.is_ascii_digit()) && part.len() == 9;
    Some(whole.parse::<u64>().ok()? * 1_000_000_000 + part.parse::<u64>().ok().filter(|_| digits)?)
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn times_of_the_peers() {
        assert_eq!(seconds("5730.581186123:"), Some(5_730_581_186_123));
        assert_eq!(seconds("5730.581186:"), None);
        assert_eq!(seconds("prev_comm=a.b:"), None);
        assert_eq!(seconds("0:"), None);
    }
}
