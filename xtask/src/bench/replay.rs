//! `bench replay`: what reporting costs.

use super::acceptance::{self, Bar};
use super::process::Process;
use super::recorder::{Programs, Tool};
use super::recordings::{self, Kind, Recording};
use super::table::{self, Values};
use super::{idle, tools};
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What to measure.
#[derive(clap::Args)]
pub struct Args {
    /// Record at least this many off-CPU intervals
    #[arg(long, default_value_t = 5_000_000)]
    facts: u64,
    /// Runs of each report
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// How long to wait for the machine to be idle before each run.
const PATIENCE: Duration = Duration::from_secs(60);

/// A whole process, or two with a pipe between them, on a recording.
struct Report {
    what: String,
    on: Kind,
    commands: Vec<Vec<String>>,
    runs: Vec<Used>,
    failed: Option<String>,
}

/// What a run of a report used.
#[derive(Clone, Copy)]
struct Used {
    wall_s: f64,
    cpu_s: f64,
    /// In MiB, of the largest process.
    peak: f64,
}

pub fn run(args: &Args) -> Result<()> {
    tools::need_root()?;
    let programs = Programs::find(tools::ktape()?);
    let inferno = tools::inferno();
    println!("# bench replay: {}", tools::machine());
    println!("{}", programs.versions());
    let folder = tempfile::Builder::new().prefix("ktape-bench").tempdir()?;
    let recordings = recordings::record(&programs, folder.path(), args.facts)?;

    let rows: Vec<_> = recordings.iter().map(recording_row).collect();
    println!();
    table::print(&["recording", "MB", "events", "B/event", "lost"], &rows);

    let mut reports = reports(&programs, &inferno);
    for report in &mut reports {
        match recordings.iter().find(|recording| recording.kind == report.on) {
            Some(recording) => report.point_at(&recording.file),
            None => report.failed = Some(format!("there is no recording of {}", report.on.name())),
        }
    }
    for round in 0..args.rounds {
        let count = reports.len();
        for at in 0..count {
            let report = &mut reports[(at + round) % count];
            if report.failed.is_some() {
                continue;
            }
            eprintln!("round {} of {}: {}", round + 1, args.rounds, report.what);
            idle::wait(PATIENCE);
            match report.once(folder.path()) {
                Ok(used) => report.runs.push(used),
                Err(error) => report.failed = Some(format!("{error:#}")),
            }
        }
    }
    print(&reports, args.rounds);
    println!("load average {}", tools::load());
    acceptance::print("Reporting: the bars", &bars(&reports, &recordings));
    Ok(())
}

fn recording_row(recording: &Recording) -> Vec<String> {
    let contents = &recording.contents;
    vec![
        recording.kind.name().to_owned(),
        format!("{:.1}", recording.size as f64 / 1e6),
        contents.facts.to_string(),
        format!("{:.2}", recording.size as f64 / contents.facts as f64),
        contents.lost.to_string(),
    ]
}

const OFFCPU: &str = "ktape report offcpu";
const TIMEHIST: &str = "perf sched timehist -s";
const FOLDED: &str = "ktape export folded --of offcpu";
const COLLAPSE: &str = "perf script | inferno-collapse-perf";

/// The reports; ours beside their peers.
fn reports(programs: &Programs, inferno: &Result<PathBuf>) -> Vec<Report> {
    let ours = |words: &str| command(&programs.ktape, words);
    let perf = |words: &str| command(&programs.of(Tool::Perf), words);
    let mut collapse = Report::new(COLLAPSE, Kind::PerfG, vec![perf("script")]);
    match inferno {
        Ok(inferno) => collapse.commands.push(command(inferno, "")),
        Err(error) => collapse.failed = Some(format!("{error:#}")),
    }
    let trace_cmd = command(&programs.of(Tool::TraceCmd), "report");
    vec![
        Report::new(OFFCPU, Kind::Ktape, vec![ours("report offcpu")]),
        Report::new(TIMEHIST, Kind::Perf, vec![perf("sched timehist -s")]),
        Report::new(FOLDED, Kind::Ktape, vec![ours("export folded --of offcpu")]),
        collapse,
        Report::new("ktape report offcpu -j 1", Kind::Ktape, vec![ours("report offcpu -j 1")]),
        Report::new("ktape report", Kind::Ktape, vec![ours("report")]),
        Report::new("ktape script", Kind::Ktape, vec![ours("script")]),
        Report::new("trace-cmd report", Kind::TraceCmd, vec![trace_cmd]),
    ]
}

fn command(program: &Path, words: &str) -> Vec<String> {
    let program = program.to_string_lossy().into_owned();
    [program].into_iter().chain(words.split_whitespace().map(str::to_owned)).collect()
}

impl Report {
    fn new(what: &str, on: Kind, commands: Vec<Vec<String>>) -> Self {
        Self { what: what.to_owned(), on, commands, runs: Vec::new(), failed: None }
    }

    /// Says which file it is about, and has it in the page cache.
    fn point_at(&mut self, file: &Path) {
        self.commands[0].extend(["-i".to_owned(), file.to_string_lossy().into_owned()]);
        let warm = || std::io::copy(&mut File::open(file)?, &mut std::io::sink());
        if let Err(error) = warm() {
            self.failed = Some(format!("{}: {error}", file.display()));
        }
    }

    /// Runs it from start to end; what it writes is thrown away.
    fn once(&self, folder: &Path) -> Result<Used> {
        let began = Instant::now();
        let mut running: Vec<Process> = Vec::new();
        for (at, words) in self.commands.iter().enumerate() {
            let mut command = Command::new(&words[0]);
            command.args(&words[1..]);
            match running.last_mut() {
                Some(before) => {
                    command.stdin(before.stdout().context("standard output is a pipe")?)
                }
                None => command.stdin(Stdio::null()),
            };
            let last = at + 1 == self.commands.len();
            command.stdout(if last { Stdio::null() } else { Stdio::piped() });
            running.push(Process::start(&mut command, folder)?);
        }
        let mut used = Used { wall_s: 0.0, cpu_s: 0.0, peak: 0.0 };
        for process in running {
            let stderr = process.stderr.clone();
            let usage = process.wait()?;
            if !usage.status.success() {
                bail!("{} ({})", super::process::complaint(&stderr), usage.status);
            }
            used.cpu_s += usage.cpu.as_secs_f64();
            used.peak = used.peak.max(usage.peak as f64 / f64::from(1 << 20));
        }
        used.wall_s = began.elapsed().as_secs_f64();
        Ok(used)
    }

    fn values(&self, of: fn(&Used) -> f64) -> Values {
        self.runs.iter().map(of).collect()
    }
}

fn print(reports: &[Report], rounds: usize) {
    println!("\n## Whole processes, page cache warm, {rounds} rounds: median min..max");
    let row = |report: &Report| {
        vec![
            report.what.clone(),
            report.on.name().to_owned(),
            report.values(|used| used.wall_s).show(3),
            report.values(|used| used.cpu_s).show(3),
            report.values(|used| used.peak).show(1),
        ]
    };
    let rows: Vec<_> = reports.iter().filter(|each| !each.runs.is_empty()).map(row).collect();
    table::print(&["report", "on", "wall s", "CPU s", "peak MiB"], &rows);
    for report in reports {
        if let Some(why) = &report.failed {
            println!("{} was not measured: {why}", report.what);
        }
    }
}

fn bars(reports: &[Report], recordings: &[Recording]) -> Vec<Bar> {
    let mut bars = vec![size(recordings)];
    for (ours, peer, times) in [(OFFCPU, TIMEHIST, 20.0), (FOLDED, COLLAPSE, 100.0)] {
        let faster = format!("{ours} at least {times} times faster than {peer}");
        let smaller = format!("{ours} in less than a tenth of its memory");
        let find = |what| reports.iter().find(|each| each.what == what && !each.runs.is_empty());
        let (Some(ours), Some(peer)) = (find(ours), find(peer)) else {
            bars.push(Bar::unmeasured(faster, "a report failed"));
            bars.push(Bar::unmeasured(smaller, "a report failed"));
            continue;
        };
        let medians = |of: fn(&Used) -> f64| {
            let median = |each: &Report| each.values(of).median().unwrap_or(f64::NAN);
            (median(ours), median(peer))
        };
        let (our_wall, peer_wall) = medians(|used| used.wall_s);
        bars.push(Bar::measured(
            faster,
            format!("{our_wall:.3} s against {peer_wall:.3} s: {:.1} times", peer_wall / our_wall),
            peer_wall >= times * our_wall,
        ));
        let (our_peak, peer_peak) = medians(|used| used.peak);
        bars.push(Bar::measured(
            smaller,
            format!(
                "{our_peak:.1} MiB against {peer_peak:.1} MiB: ratio {:.3}",
                our_peak / peer_peak
            ),
            our_peak * 10.0 < peer_peak,
        ));
    }
    bars
}

/// The reports are measured on five million facts or more.
fn size(recordings: &[Recording]) -> Bar {
    let what = "5 million facts or more";
    let ours = recordings.iter().find(|recording| recording.kind == Kind::Ktape);
    match ours.and_then(|recording| recording.contents.off_cpu) {
        Some(facts) => Bar::measured(what, facts.to_string(), facts >= 5_000_000),
        None => Bar::unmeasured(what, "nothing was recorded"),
    }
}
