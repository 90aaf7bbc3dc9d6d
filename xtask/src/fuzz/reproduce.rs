//! Runs a target on one file, such as one that a run has left in fuzz/artifacts.

use super::build::Built;
use super::run::command;
use super::target::Target;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::ExitCode;

pub fn run(built: &Built, target: &Target, file: &Path) -> Result<ExitCode> {
    ensure!(file.is_file(), "{} is no file", file.display());
    let status = command(built, target).arg(file).status().context("cannot run the target")?;
    println!(
        "{}: {}: {}",
        target.name,
        file.display(),
        if status.success() { "fine" } else { "a finding" }
    );
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
