//! Builds the targets with the flags that libFuzzer wants.

use super::target::Target;
use crate::bench::tools::{self, cargo};
use crate::generated::root;
use anyhow::{Context, Result, ensure};
use std::path::PathBuf;
use std::process::Command;

/// What `cargo fuzz build -s none --release` has rustc do; the profile of fuzz/ checks what it can.
const FLAGS: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-sanitizer-coverage-stack-depth",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    "--cfg=fuzzing",
];

/// Built targets.
pub struct Built {
    /// Where they, their seeds and their logs are.
    pub folder: PathBuf,
    programs: PathBuf,
}

impl Built {
    /// Builds these targets.
    pub fn make(targets: &[&Target]) -> Result<Self> {
        let folder = tools::target()?.join("fuzz");
        let triple = host()?;
        let mut build = Command::new(cargo());
        // Build scripts must not have the flags, so the target is named.
        build
            .args(["build", "--quiet", "--release", "--locked", "--target", &triple])
            .arg("--manifest-path")
            .arg(root().join("fuzz/Cargo.toml"))
            .arg("--target-dir")
            .arg(&folder)
            .env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f"));
        for target in targets {
            build.args(["--bin", target.name]);
        }
        let status = build.status().context("cannot run cargo")?;
        ensure!(status.success(), "cargo could not build the fuzz targets");
        Ok(Self { programs: folder.join(triple).join("release"), folder })
    }

    /// The program of a target.
    pub fn program(&self, target: &Target) -> PathBuf {
        self.programs.join(target.name)
    }
}

/// The triple of this machine, as rustc has it.
fn host() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = Command::new(rustc).arg("-vV").output().context("cannot run rustc")?;
    let said = String::from_utf8_lossy(&said.stdout);
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not tell its host")?.to_owned())
}
