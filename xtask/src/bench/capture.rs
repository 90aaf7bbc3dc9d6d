//! `bench capture`: what recording costs.

use super::first_event;
use super::measure;
use super::pgbench_load::{Pgbench, SELECT};
use super::postgres::Postgres;
use super::process::Process;
use super::recorder::{Programs, Recorder, Tool};
use super::results::{Results, Run, Runs};
use super::table::{self, Values};
use super::workload::Workload;
use super::{acceptance, capture_bars, flood, idle, tools, trace_cmd, turns};
use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// What to measure.
#[derive(clap::Args)]
pub struct Args {
    /// Runs of each recorder with each load [default: 5, with --quick 1]
    #[arg(long)]
    rounds: Option<usize>,
    /// Measure with these loads only; may be repeated
    #[arg(long, value_delimiter = ',')]
    workload: Vec<Workload>,
    /// Measure these recorders only; may be repeated
    #[arg(long, value_delimiter = ',')]
    recorder: Vec<Recorder>,
    /// Shorter loads, to see that everything runs
    #[arg(long)]
    quick: bool,
}

/// How far apart two runs of a load alone may be, as a ratio.
const STEADY: f64 = 1.1;

/// How often a pair of recorders is measured again because they were farther apart.
const RETRIES: usize = 3;

/// How long to wait for the machine to be idle before each pair.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts to measure the time to the first event from.
const STARTS: usize = 5;

pub fn run(args: &Args) -> Result<()> {
    tools::need_root()?;
    let rounds = args.rounds.unwrap_or(if args.quick { 1 } else { 5 });
    let programs = Programs::find(tools::ktape()?);
    let folder = tempfile::Builder::new().prefix("ktape-bench").tempdir()?;
    println!("# bench capture: {}", tools::machine());
    println!("{}", programs.versions());

    let mut recorders: Vec<(Recorder, Option<String>)> = Recorder::ALL
        .iter()
        .filter(|each| args.recorder.is_empty() || args.recorder.contains(each))
        .map(|&each| (each, programs.missing(each).map(str::to_owned)))
        .collect();
    for (recorder, missing) in &mut recorders {
        if recorder.tool() == Tool::TraceCmd && missing.is_none() {
            match trace_cmd::make_startable(folder.path()) {
                Ok(note) => note.into_iter().for_each(|note| println!("{note}")),
                Err(error) => *missing = Some(format!("{error:#}")),
            }
        }
    }
    for (recorder, missing) in &recorders {
        match missing {
            None => println!("{:<13}  {}", recorder.name(), recorder.command_line()),
            Some(why) => println!("{:<13}  LEFT OUT: {why}", recorder.name()),
        }
    }
    println!("{rounds} rounds; values are median min..max; CPU, memory: with children (wait4)");
    let least = Process::start(&mut Command::new("true"), folder.path())?.wait()?;
    println!("memory of `true`, measured so: {:.1} MiB", least.peak as f64 / f64::from(1 << 20));

    let loads: Vec<Workload> = Workload::ALL
        .iter()
        .copied()
        .filter(|each| args.workload.is_empty() || args.workload.contains(each))
        .collect();
    let postgres = loads.iter().any(|load| load.needs_postgres()).then(Postgres::start);
    let selects = loads.contains(&Workload::PgbenchSelect);
    let storms = loads.contains(&Workload::Storm);
    let mut all = Vec::new();
    for load in loads {
        let postgres = match &postgres {
            Some(Err(error)) if load.needs_postgres() => {
                println!("\n## {}: LEFT OUT: {error:#}", load.name());
                continue;
            }
            Some(Ok(postgres)) if load.needs_postgres() => Some(postgres),
            _ => None,
        };
        let bench =
            Bench { programs: &programs, folder: folder.path(), postgres, quick: args.quick };
        match bench.load(load, &recorders, rounds) {
            Ok(results) => {
                results.print(&load.command_line(args.quick));
                println!("load average {}", tools::load());
                all.push(results);
            }
            Err(error) => println!("\n## {}: LEFT OUT: {error:#}", load.name()),
        }
    }
    let ready = recorders.iter().filter(|(_, missing)| missing.is_none());
    let ready: Vec<Recorder> = ready.map(|(recorder, _)| *recorder).collect();
    let mut losses = turns::Losses::new();
    if let Some(Ok(postgres)) = &postgres
        && selects
        && !args.quick
    {
        idle::wait(PATIENCE);
        let load = |seconds| Pgbench::start(&SELECT, postgres, seconds);
        match turns::measure(&SELECT.plan, &ready, &programs, folder.path(), load) {
            Ok(found) => losses = found,
            Err(error) => println!("\n## pgbench-select in turns: LEFT OUT: {error:#}"),
        }
    }
    drop(postgres);
    idle::wait(PATIENCE);
    let starts = starts(&ready, &programs, folder.path());
    let mut bars = capture_bars::bars(&all, &losses, &starts);
    if ready.contains(&Recorder::KtapeCheap) && storms {
        idle::wait(PATIENCE);
        bars.extend(flood::bars(&flood::measure(&programs, folder.path(), args.quick)));
    }
    acceptance::print("Recording: the bars", &bars);
    Ok(())
}

/// What all runs of a load share.
struct Bench<'a> {
    programs: &'a Programs,
    folder: &'a Path,
    postgres: Option<&'a Postgres>,
    quick: bool,
}

impl Bench<'_> {
    /// Runs a load with each recorder in turn, two at a time between runs with none.
    fn load(
        &self,
        load: Workload,
        recorders: &[(Recorder, Option<String>)],
        rounds: usize,
    ) -> Result<Results> {
        let started = |(recorder, missing): &(Recorder, Option<String>)| Runs {
            recorder: *recorder,
            runs: Vec::new(),
            failed: missing.clone(),
        };
        let recorders = recorders.iter().map(started).collect();
        let mut results = Results::new(load, recorders);
        self.alone(load).context("the load fails without a recorder")?;
        for round in 0..rounds {
            eprintln!("{}: round {} of {rounds}", load.name(), round + 1);
            let count = results.recorders.len();
            let order: Vec<usize> = (0..count).map(|at| (at + round * 3) % count).collect();
            for pair in order.chunks(2) {
                self.pair(load, pair, &mut results)?;
            }
        }
        Ok(results)
    }

    /// Runs the load alone, with each recorder of a pair, and alone again.
    ///
    /// When the two runs alone differ, something else was busy: all four are thrown away and done
    /// again. What the recorders did has no part in that choice.
    fn pair(&self, load: Workload, pair: &[usize], results: &mut Results) -> Result<()> {
        for tries in 0..=RETRIES {
            idle::wait(PATIENCE);
            let before = self.alone(load)?;
            let samples: Vec<_> =
                pair.iter().map(|&at| (at, self.recorded(load, &results.recorders[at]))).collect();
            let after = self.alone(load)?;
            let steady = before.max(after) <= before.min(after) * STEADY;
            if !steady && tries < RETRIES {
                results.repeated += 1;
                continue;
            }
            results.unsteady += usize::from(!steady);
            results.nothing.extend([before, after]);
            for (at, sample) in samples {
                let runs = &mut results.recorders[at];
                match sample {
                    None => {}
                    Some(Ok(sample)) => {
                        let slowdown = sample.load_s / f64::midpoint(before, after);
                        runs.runs.push(Run { sample, slowdown });
                    }
                    Some(Err(error)) => runs.failed = Some(format!("{error:#}")),
                }
            }
            break;
        }
        Ok(())
    }

    fn alone(&self, load: Workload) -> Result<f64> {
        load.prepare(self.postgres)?;
        load.run(self.postgres, self.quick)
    }

    /// One run, unless the recorder has failed before.
    fn recorded(&self, load: Workload, runs: &Runs) -> Option<Result<measure::Sample>> {
        if runs.failed.is_some() {
            return None;
        }
        if let Err(error) = load.prepare(self.postgres) {
            return Some(Err(error));
        }
        let sample = measure::record(runs.recorder, self.programs, self.folder, || {
            load.run(self.postgres, self.quick)
        });
        drop(measure::clear(self.folder));
        Some(sample)
    }
}

/// Measures and prints the time to the first event.
fn starts(
    recorders: &[Recorder],
    programs: &Programs,
    folder: &Path,
) -> Vec<(Recorder, Result<Values>)> {
    let ready: Vec<Recorder> =
        recorders.iter().copied().filter(|each| each.writes_events()).collect();
    println!("\n## From exec to the first event, ms, {STARTS} starts each");
    let found = first_event::measure(&ready, programs, folder, STARTS);
    let mut rows = Vec::new();
    for (recorder, values) in &found {
        match values {
            Ok(values) => rows.push(vec![recorder.name().to_owned(), values.show(1)]),
            Err(error) => println!("{} was not measured: {error:#}", recorder.name()),
        }
    }
    table::print(&["recorder", "ms"], &rows);
    found
}
