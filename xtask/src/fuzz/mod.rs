//! `cargo xtask fuzz`: hostile input, made by libFuzzer, for all that reads what others wrote.
//!
//! The targets are in fuzz/. They are built as cargo-fuzz would on stable Rust (`-s none`), without the
//! need for it: coverage is counted by flags of rustc, and memory is bounded by the targets' allocator.

mod build;
mod outcome;
mod reproduce;
mod run;
mod seeds;
mod target;

use anyhow::{Context, Result, ensure};
use build::Built;
use outcome::Outcome;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use target::Target;

/// Look for input that breaks what reads it.
#[derive(clap::Args)]
pub struct Args {
    /// Only these targets
    #[arg(value_parser = Target::parse)]
    targets: Vec<&'static Target>,
    /// How long each of them runs
    #[arg(long, default_value_t = 600, value_name = "N")]
    seconds: u64,
    /// How many run at a time
    #[arg(long, default_value_t = 1, value_name = "N")]
    jobs: usize,
    /// Run the target once, on this file, and show what it says
    #[arg(long, value_name = "FILE", conflicts_with = "seconds")]
    input: Option<PathBuf>,
    /// Keep of what earlier runs found only what reaches code that nothing else does
    #[arg(long, conflicts_with = "input")]
    minimise: bool,
}

pub fn run(args: &Args) -> Result<ExitCode> {
    let targets: Vec<&Target> = match &args.targets[..] {
        [] => target::TARGETS.iter().collect(),
        some => some.to_vec(),
    };
    let built = Built::make(&targets)?;
    if let Some(file) = &args.input {
        ensure!(targets.len() == 1, "name the one target that {} is for", file.display());
        return reproduce::run(&built, targets[0], file);
    }
    seeds::make(&built.folder)?;
    if args.minimise {
        targets.iter().try_for_each(|target| run::minimise(&built, target))?;
        return Ok(ExitCode::SUCCESS);
    }
    let time = Duration::from_secs(args.seconds);
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(Vec::new());
    println!("{}", Outcome::HEADER);
    let work = || -> Result<()> {
        while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
            let outcome = run::fuzz(&built, target, time)?;
            println!("{}", outcome.line());
            outcomes.lock().map_err(|_| anyhow::anyhow!("a run panicked"))?.push(outcome);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..args.jobs.max(1)).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| {
            worker.join().unwrap_or_else(|_| anyhow::bail!("a run panicked"))
        })
    })?;
    let outcomes = outcomes.into_inner().ok().context("a run panicked")?;
    let found: Vec<String> = outcomes.iter().filter_map(Outcome::finding).collect();
    found.iter().for_each(|finding| println!("\n{finding}"));
    println!("\n{} targets, {} findings", outcomes.len(), found.len());
    Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
