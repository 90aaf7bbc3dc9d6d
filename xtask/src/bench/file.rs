//! `bench file`: the trace file beside the columnar tools that one would otherwise pick.

mod engines;
mod python;
mod questions;
mod sizes;

use super::acceptance::{self, Bar};
use super::process::Process;
use super::recorder::{Programs, Tool};
use super::recordings::{self, Kind};
use super::table::Values;
use super::{count, idle, load::Load, tools};
use anyhow::{Context, Result, bail};
use python::Python;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What to measure.
#[derive(clap::Args)]
pub struct Args {
    /// Record at least this many off-CPU facts, unless an earlier bench did
    #[arg(long, default_value_t = 10_000_000)]
    facts: u64,
    /// Measure on this trace instead of recording one
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Runs of each question
    #[arg(long, default_value_t = 9)]
    rounds: usize,
}

/// How long to wait for the machine to be idle before each block of runs.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a run of a process used.
#[derive(Clone, Copy, Debug)]
struct Used {
    wall_ms: f64,
    cpu_ms: f64,
    peak_mib: f64,
}

/// Several runs.
#[derive(Clone, Debug, Default)]
struct Runs(Vec<Used>);

impl Runs {
    fn values(&self, of: fn(&Used) -> f64) -> Values {
        self.0.iter().map(of).collect()
    }

    fn wall(&self) -> f64 {
        self.values(|used| used.wall_ms).median().unwrap_or(f64::NAN)
    }

    fn cpu(&self) -> f64 {
        self.values(|used| used.cpu_ms).median().unwrap_or(f64::NAN)
    }

    fn peak(&self) -> f64 {
        self.values(|used| used.peak_mib).max().unwrap_or(f64::NAN)
    }
}

pub fn run(args: &Args) -> Result<()> {
    let programs = Programs::find(tools::ktape()?);
    println!("# bench file: {}", tools::machine());
    let python = Python::ready()?;
    println!("{}", python.versions()?);
    let folder = tools::target()?.join("bench-file");
    std::fs::create_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
    let trace = match &args.trace {
        Some(trace) => trace.clone(),
        None => record(&programs, &folder, args.facts)?,
    };
    let contents = count::contents(Tool::Ktape, &programs, &trace)?;
    let facts = contents.off_cpu.context("the trace has no off-CPU facts")?;
    println!("{facts} off-CPU facts in {}", trace.display());

    let parquet = folder.join("parquet");
    export(&programs, &trace, &parquet, &folder)?;
    let mut bars = vec![Bar::measured("10 million facts", facts.to_string(), facts >= 10_000_000)];
    let prepared = python.prepare(&parquet)?;
    bars.extend(sizes::bars(&programs, &trace, &prepared, facts)?);
    bars.extend(engines::bars(&programs, &trace, &python, &parquet, args.rounds, &folder)?);
    bars.push(encode(&trace)?);
    match timehist(&programs, &folder) {
        Ok(bar) => bars.push(bar),
        Err(error) => bars.push(Bar::unmeasured("perf sched timehist", format!("{error:#}"))),
    }
    println!("load average {}", tools::load());
    acceptance::print("The file: the bars", &bars);
    Ok(())
}

/// The trace that an earlier bench has left, or a new one.
fn record(programs: &Programs, folder: &Path, facts: u64) -> Result<PathBuf> {
    let kept = folder.join("trace.ktape");
    let enough = |file: &Path| {
        let contents = count::contents(Tool::Ktape, programs, file);
        contents.is_ok_and(|contents| contents.off_cpu.is_some_and(|found| found >= facts))
    };
    if kept.exists() && enough(&kept) {
        return Ok(kept);
    }
    tools::need_root()?;
    let load = Load::new()?;
    load.pass()?;
    let switches = facts + facts / 4;
    let recording = recordings::one(Kind::Ktape, programs, folder, || {
        load.until(switches).map(|passes| println!("{passes} passes of: {}", Load::PASS))
    })?;
    if !enough(&recording.file) {
        bail!("the recording has fewer than {facts} off-CPU facts: ask for fewer with --facts");
    }
    std::fs::rename(&recording.file, &kept).context("cannot keep the recording")?;
    Ok(kept)
}

fn export(programs: &Programs, trace: &Path, parquet: &Path, folder: &Path) -> Result<()> {
    let mut command = Command::new(&programs.ktape);
    command.args(["export", "parquet", "--record", "off_cpu", "-o"]).arg(parquet);
    command.arg("-i").arg(trace);
    let used = once(&mut command, folder)?;
    println!(
        "ktape export parquet took {:.1} s, peak {:.0} MiB",
        used.wall_ms / 1e3,
        used.peak_mib
    );
    Ok(())
}

/// Runs a process from start to end; what it writes to standard output is thrown away.
fn once(command: &mut Command, folder: &Path) -> Result<Used> {
    let began = Instant::now();
    let process = Process::start(command.stdin(Stdio::null()).stdout(Stdio::null()), folder)?;
    let stderr = process.stderr.clone();
    let usage = process.wait()?;
    let wall_ms = began.elapsed().as_secs_f64() * 1e3;
    if !usage.status.success() {
        bail!("{} ({})", super::process::complaint(&stderr), usage.status);
    }
    Ok(Used {
        wall_ms,
        cpu_ms: usage.cpu.as_secs_f64() * 1e3,
        peak_mib: usage.peak as f64 / f64::from(1 << 20),
    })
}

/// Encoding alone, in a program of the format's own.
fn encode(trace: &Path) -> Result<Bar> {
    let trace = std::fs::canonicalize(trace).context("the trace has a path")?;
    idle::wait(PATIENCE);
    let out = Command::new(tools::cargo())
        .args(["bench", "--quiet", "-p", "ktape-format", "--bench", "encode", "--"])
        .arg(&trace)
        .current_dir(super::super::generated::root())
        .output()
        .context("cannot run cargo bench")?;
    let text = String::from_utf8_lossy(&out.stdout);
    let line = text.lines().find(|line| line.starts_with('{')).context("the bench says nothing")?;
    let said: serde_json::Value = serde_json::from_str(line).context("the bench writes JSON")?;
    let ns = said["encode_ns_per_fact"].as_f64().context("the bench says how long it took")?;
    println!("encode and compress: {ns:.0} ns per fact ({})", line.trim());
    Ok(Bar::measured("encode and compress a fact in 150 ns", format!("{ns:.0} ns"), ns <= 150.0))
}

/// `perf sched timehist -s` on a pass of the same load, beside the sums by thread of a ktape recording
/// of another pass: as many switches, if not the same.
fn timehist(programs: &Programs, folder: &Path) -> Result<Bar> {
    tools::need_root()?;
    let load = Load::new()?;
    load.pass()?;
    let mut took = [Runs::default(), Runs::default()];
    for (runs, kind) in took.iter_mut().zip([Kind::Ktape, Kind::Perf]) {
        let recording = recordings::one(kind, programs, folder, || load.pass())?;
        idle::wait(PATIENCE);
        for _ in 0..3 {
            let mut command = match kind {
                Kind::Ktape => questions::command(programs, questions::BY_THREAD, &[]),
                _ => {
                    let mut command = Command::new(programs.of(Tool::Perf));
                    command.args(["sched", "timehist", "-s"]);
                    command
                }
            };
            runs.0.push(once(command.arg("-i").arg(&recording.file), folder)?);
        }
        std::fs::remove_file(&recording.file).ok();
    }
    let [ours, peer] = took.map(|runs| runs.wall());
    let times = peer / ours;
    Ok(Bar::measured(
        "sums by thread 20 times faster than perf sched timehist -s of a recording of the same load",
        format!("{ours:.1} ms against {peer:.1} ms: {times:.0} times"),
        times >= 20.0,
    ))
}
