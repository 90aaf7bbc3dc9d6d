//! `cargo xtask kernel-test`: every probe on kernels that this machine does not run.
//!
//! Debian's kernels are fetched, booted in a virtual machine without hardware support, and record
//! workloads that know their own numbers. What the guest recorded is looked at here. Counts are
//! compared, never times: an emulated machine is slow in its own way.

mod apt;
mod build;
mod checks;
mod cpio;
mod guest;
mod kernel;
mod machine;
mod programs;
mod recording;
mod release;
mod results;
mod run;
mod verdict;

use anyhow::{Context, Result, bail};
use build::Built;
use kernel::Kernel;
use release::Release;
use std::path::Path;
use std::process::ExitCode;
use verdict::{Outcome, Verdict};

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
    let runs = run::all(checks::CHECKS, &probes)?;
    let kept = home.join("kept");
    let folder = tempfile::Builder::new().prefix("kernel-test").tempdir_in(&home)?;
    let mut verdicts = Vec::new();
    for (release, kernel) in kernels {
        let kernel = match kernel {
            Ok(kernel) => kernel,
            Err(error) => {
                println!("\n## {}: NOT RUN: {error:#}", release.name());
                verdicts.push(Verdict::not_run(release.name(), format!("{error:#}")));
                continue;
            }
        };
        let folder = folder.path().join(&kernel.version);
        let parts = guest::Parts { programs: &programs, built: &built, kernel: &kernel };
        verdicts.extend(one_kernel(&parts, &probes, &runs, &folder)?);
        if args.keep {
            keep(&folder, &kept.join(&kernel.version))?;
        }
    }
    Ok(verdict::print(&verdicts))
}

/// Boots one kernel, and judges what it recorded.
fn one_kernel(
    parts: &guest::Parts<'_>,
    probes: &[recording::Listed],
    runs: &[run::Run],
    folder: &Path,
) -> Result<Vec<Verdict>> {
    let version = &parts.kernel.version;
    println!("\n## {version}{}", parts.kernel.note);
    std::fs::create_dir_all(folder).context("cannot make a folder for a machine")?;
    guest::pack(parts, runs, folder)?;
    let ended = machine::run(parts, folder)?;
    let results = results::Results::read(&folder.join(machine::RESULTS))?;
    println!("{} runs in {:.1} s", runs.len(), ended.elapsed.as_secs_f64());
    let mut verdicts = recording::judge(version, parts.built, &results, probes, runs, folder)?;
    if let Some(why) = ended.broken(&results) {
        println!("FAILED   {why}; the end of its log:\n{}", machine::log_end(folder));
        verdicts.push(Verdict::new(version, "the machine", Outcome::Failed(why)));
    }
    for line in machine::complaints(folder) {
        println!("FAILED   the kernel complains: {line}");
        let outcome = Outcome::Failed(format!("the kernel complains: {line}"));
        verdicts.push(Verdict::new(version, "the machine", outcome));
    }
    Ok(verdicts)
}

/// Copies traces and logs to where they stay.
fn keep(folder: &Path, kept: &Path) -> Result<()> {
    std::fs::create_dir_all(kept).context("cannot make the folder to keep things in")?;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        if text.ends_with(".ktape") || text.ends_with(".txt") || text.ends_with(".log") {
            std::fs::copy(entry.path(), kept.join(&name)).context("cannot keep a file")?;
        }
    }
    println!("kept in {}", kept.display());
    Ok(())
}
