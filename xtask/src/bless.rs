//! `cargo xtask bless`: the expected answers of the golden tests, written anew.

use crate::generated::root;
use anyhow::{Context, Result, bail};
use std::process::Command;

/// Tells the golden tests to write what they would compare with.
const BLESS: &str = "KTAPE_BLESS";

pub fn run() -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["test", "-p", "ktape-tests", "--test", "golden"])
        .env(BLESS, "1")
        .current_dir(root())
        .status()
        .context("cannot run cargo")?;
    if !status.success() {
        bail!("the golden tests failed ({status}): their answers are not blessed");
    }
    eprintln!("blessed: look at the change with `git diff` before you commit it");
    Ok(())
}
