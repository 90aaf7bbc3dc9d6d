//! What targets begin with, besides fuzz/seeds: pieces of samples/, programs, a recording of perf.

use crate::bench::tools::cargo;
use crate::generated::root;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::{Command, Stdio};

/// Makes the seeds below `folder`/seeds.
pub fn make(folder: &Path) -> Result<()> {
    let seeds = folder.join("seeds");
    if seeds.exists() {
        std::fs::remove_dir_all(&seeds).context("cannot remove the seeds of before")?;
    }
    let status = Command::new(cargo())
        .args(["run", "--quiet", "--release", "--package", "ktape-tests", "--example"])
        .args(["fuzz_seeds", "--"])
        .arg(&seeds)
        .current_dir(root())
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "the seeds cannot be made of samples");
    programs(&seeds)?;
    perf(&seeds)
}

/// Small ELF files of this machine's compiler; without one, those in fuzz/seeds have to do.
fn programs(seeds: &Path) -> Result<()> {
    let source = root().join("tests/workloads/burn.c");
    for (target, flags) in [("elf", &["-O1"][..]), ("debug_info", &["-O2", "-g", "-c"])] {
        let folder = seeds.join(target);
        std::fs::create_dir_all(&folder).context("cannot make a folder for seeds")?;
        let mut cc = Command::new("cc");
        cc.args(flags).arg("-o").arg(folder.join("burn")).arg(&source);
        if !cc.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success()) {
            println!("note: no C compiler, so no seeds of {target} from it");
        }
    }
    Ok(())
}

/// A short recording of perf, where that can record; without, those in fuzz/seeds have to do.
fn perf(seeds: &Path) -> Result<()> {
    let folder = seeds.join("perf_data");
    std::fs::create_dir_all(&folder).context("cannot make a folder for seeds")?;
    let mut perf = Command::new("perf");
    perf.args(["record", "-q", "-e", "cpu-clock", "-c", "1000000", "-g", "-o"]);
    perf.arg(folder.join("recorded"))
        .args(["--", "true"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if !perf.status().is_ok_and(|status| status.success()) {
        println!("note: perf cannot record here, so no seed from it");
    }
    Ok(())
}
