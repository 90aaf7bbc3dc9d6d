//! `cargo xtask kernel-test`: every probe on kernels that this machine does not run.
//!
//! Debian's kernels are fetched, booted in a virtual machine without hardware support, and record
//! workloads that know their own numbers. What the guest recorded is looked at here. Counts are
//! compared, never times: an emulated machine is slow in its own way.

mod apt;
mod build;
mod checks;
mod counts;
mod cpio;
mod guest;
mod kernel;
mod machine;
mod programs;
mod recording;
mod release;
mod results;
mod run;
mod trials;
mod verdict;

use anyhow::{Context, Result, bail};
use build::Built;
use kernel::Kernel;
use release::Release;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Instant;
use trials::Trials;
use verdict::Verdict;

/// Record known workloads on other kernels, in virtual machines.
#[derive(clap::Args)]
pub struct Args {
    /// Only these kernels; may be repeated
    #[arg(long, value_delimiter = ',')]
    kernel: Vec<Release>,
    /// Keep the traces and the kernels' logs
    #[arg(long)]
    keep: bool,
}

pub fn run(args: &Args) -> Result<ExitCode> {
    if !cfg!(target_arch = "x86_64") {
        bail!("kernel-test boots x86-64 kernels only, with a ktape built for this machine");
    }
    let programs = programs::Programs::find()?;
    let home = crate::bench::tools::target()?.join("kernel-test");
    let wanted: Vec<Release> = Release::ALL
        .into_iter()
        .filter(|release| args.kernel.is_empty() || args.kernel.contains(release))
        .collect();
    // The network and the compiler do not wait for each other.
    let folder = home.as_path();
    let (built, kernels) = std::thread::scope(|scope| {
        let fetching: Vec<_> = wanted
            .iter()
            .map(|&release| (release, scope.spawn(move || apt::fetch(release, folder))))
            .collect();
        let built = Built::make(&home);
        let kernels: Vec<(Release, Result<Kernel>)> = fetching
            .into_iter()
            .map(|(release, fetching)| {
                let fetched = fetching.join().unwrap_or_else(|_| bail!("the fetching panicked"));
                (release, fetched)
            })
            .collect();
        (built, kernels)
    });
    let built = built?;
    let probes = recording::listed_probes(&built.ktape)?;
    let runs = run::all(checks::CHECKS)?;
    let kept = home.join("kept");
    let folder = tempfile::Builder::new().prefix("kernel-test").tempdir_in(&home)?;
    let trials = Trials { programs: &programs, built: &built, probes: &probes, runs: &runs };
    // As many machines at a time as can run at the speed of one.
    let waiting = Mutex::new(kernels.into_iter().enumerate());
    let done = Mutex::new(Vec::new());
    let work = || -> Result<()> {
        loop {
            let next = waiting.lock().ok().and_then(|mut waiting| waiting.next());
            let Some((at, (release, kernel))) = next else { return Ok(()) };
            let mut told = String::new();
            let verdicts = match kernel {
                Ok(kernel) => {
                    let folder = folder.path().join(&kernel.version);
                    let verdicts = trials.of_kernel(&kernel, &folder, &mut told)?;
                    if args.keep {
                        keep(&folder, &kept.join(&kernel.version))?;
                    }
                    verdicts
                }
                Err(error) => vec![Verdict::not_run(release.name(), format!("{error:#}"))],
            };
            println!("{told}");
            if let Ok(mut done) = done.lock() {
                done.push((at, verdicts));
            }
        }
    };
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..MACHINES).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| {
            worker.join().unwrap_or_else(|_| bail!("a machine's thread panicked"))
        })
    })?;
    let mut done = done.into_inner().unwrap_or_default();
    done.sort_by_key(|&(at, _)| at);
    let verdicts: Vec<Verdict> = done.into_iter().flat_map(|(_, verdicts)| verdicts).collect();
    let code = verdict::print(&verdicts);
    println!("{} kernels in {:.0} s", wanted.len(), begun.elapsed().as_secs_f64());
    Ok(code)
}

/// Machines that run at a time: each has two processors, which most of the time wait for one.
const MACHINES: usize = 2;

/// Copies traces and logs of all boots to where they stay.
fn keep(folder: &Path, kept: &Path) -> Result<()> {
    for boot in std::fs::read_dir(folder)? {
        let boot = boot?;
        let kept = kept.join(boot.file_name());
        std::fs::create_dir_all(&kept).context("cannot make the folder to keep things in")?;
        for entry in std::fs::read_dir(boot.path())? {
            let entry = entry?;
            let name = entry.file_name();
            let text = name.to_string_lossy();
            if text.ends_with(".ktape") || text.ends_with(".txt") || text.ends_with(".log") {
                std::fs::copy(entry.path(), kept.join(&name)).context("cannot keep a file")?;
            }
        }
    }
    Ok(())
}
