//! Runs a target for a while.

use super::build::Built;
use super::outcome::Outcome;
use super::target::{MEMORY_MB, Target};
use crate::generated::root;
use anyhow::{Context, Result, ensure};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A folder in memory, where targets keep the file that they write each input to.
const MEMORY: &str = "/dev/shm";

/// Lets libFuzzer look for `time`, from the seeds and from what earlier runs found.
pub fn fuzz(built: &Built, target: &Target, time: Duration) -> Result<Outcome> {
    let artifacts = folder("artifacts", target)?;
    let log = built.folder.join(target.name).with_extension("log");
    let mut run = command(built, target);
    run.arg(folder("corpus", target)?)
        .args(seeds(built, target))
        .arg(format!("-max_total_time={}", time.as_secs()))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .arg("-print_final_stats=1");
    let begun = Instant::now();
    let status = logged(run, &log)?;
    let said = fs::read(&log).with_context(|| format!("cannot read {}", log.display()))?;
    let said = String::from_utf8_lossy(&said);
    let seconds = begun.elapsed().as_secs();
    Ok(Outcome::read(target.name, status.success(), seconds, &said, log))
}

/// Replaces a target's corpus by its smallest part that reaches the same code.
pub fn minimise(built: &Built, target: &Target) -> Result<()> {
    let corpus = folder("corpus", target)?;
    let fresh = folder("corpus-minimised", target)?;
    let mut run = command(built, target);
    run.arg("-merge=1").arg(&fresh).arg(&corpus).args(seeds(built, target));
    let log = built.folder.join(target.name).with_extension("merge.log");
    ensure!(logged(run, &log)?.success(), "{} failed: see {}", target.name, log.display());
    fs::remove_dir_all(&corpus).context("cannot remove the corpus")?;
    fs::rename(&fresh, &corpus).context("cannot rename the corpus")?;
    println!("{}: {}", target.name, corpus.display());
    Ok(())
}

/// The target with its bounds.
pub fn command(built: &Built, target: &Target) -> Command {
    let mut run = Command::new(built.program(target));
    run.arg(format!("-max_len={}", target.longest))
        .arg(format!("-timeout={}", target.slowest))
        .arg(format!("-rss_limit_mb={MEMORY_MB}"))
        .env("RUST_BACKTRACE", "1");
    let dictionary = root().join("fuzz/dictionaries").join(target.name).with_extension("dict");
    if dictionary.exists() {
        run.arg(format!("-dict={}", dictionary.display()));
    }
    if std::env::var_os("TMPDIR").is_none() && Path::new(MEMORY).is_dir() {
        run.env("TMPDIR", MEMORY);
    }
    run
}

/// fuzz/`kind`/TARGET, made when it is missing.
fn folder(kind: &str, target: &Target) -> Result<PathBuf> {
    let folder = root().join("fuzz").join(kind).join(target.name);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

/// Where seeds of a target are, committed and made.
fn seeds(built: &Built, target: &Target) -> Vec<PathBuf> {
    let folders = [root().join("fuzz/seeds"), built.folder.join("seeds")];
    folders.map(|folder| folder.join(target.name)).into_iter().filter(|f| f.is_dir()).collect()
}

fn logged(mut run: Command, log: &Path) -> Result<std::process::ExitStatus> {
    let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let both = file.try_clone().context("cannot write to one file twice")?;
    run.stdin(Stdio::null()).stdout(file).stderr(both);
    run.status().with_context(|| format!("cannot run {}", run.get_program().display()))
}
