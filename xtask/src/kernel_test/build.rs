//! What runs in the guest, linked statically: it has no libraries.

use super::{checks, programs};
use crate::bench::tools::cargo;
use crate::generated::root;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Only this one of the triples for this machine links statically without a further C library.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Programs for the guest.
pub struct Built {
    pub ktape: PathBuf,
    /// Those of tests/workloads that the checks want.
    pub workloads: Vec<PathBuf>,
}

impl Built {
    /// Builds all of them below `home`.
    pub fn make(home: &Path) -> Result<Self> {
        std::fs::create_dir_all(home).context("cannot make a folder to build in")?;
        Ok(Self { ktape: ktape(&home.join("build"))?, workloads: workloads(home)? })
    }
}

/// Optimised as released, but for the link time: counts do not depend on that.
fn ktape(target_dir: &Path) -> Result<PathBuf> {
    eprintln!("building a static ktape");
    let status = Command::new(cargo())
        .args(["build", "--quiet", "--release", "--package", "ktape", "--target", TARGET])
        .arg("--target-dir")
        .arg(target_dir)
        // Only for the target: with --target, what runs during the build is built without.
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
        .current_dir(root())
        .status()
        .context("cannot run cargo")?;
    if !status.success() {
        bail!("cargo could not build a static ktape");
    }
    let ktape = target_dir.join(TARGET).join("release/ktape");
    if !programs::is_static(&ktape)? {
        bail!("{} is not static", ktape.display());
    }
    Ok(ktape)
}

/// Compiles what changed since, like the live tests, but statically.
fn workloads(home: &Path) -> Result<Vec<PathBuf>> {
    let folder = home.join("workloads");
    std::fs::create_dir_all(&folder).context("cannot make a folder for workloads")?;
    let mut names: Vec<&str> =
        checks::CHECKS.iter().flat_map(|check| check.programs).copied().collect();
    names.sort_unstable();
    names.dedup();
    let compile = |name: &str| {
        let program = folder.join(name);
        let status = Command::new("cc")
            .args(["-static", "-O1", "-g", "-fno-omit-frame-pointer", "-pthread", "-o"])
            .arg(&program)
            .arg(root().join("tests/workloads").join(name).with_extension("c"))
            .status()
            .context("cannot run cc")?;
        if !status.success() {
            bail!("tests/workloads/{name}.c does not compile with `cc -static`");
        }
        Ok(program)
    };
    names.into_iter().map(compile).collect()
}
