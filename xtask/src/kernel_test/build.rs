//! What runs in the guest: ktape with its libraries, and the workloads, linked statically.

use super::checks;
use crate::bench::tools::{self, cargo};
use crate::generated::root;
use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Programs for the guest.
pub struct Built {
    /// Here.
    pub ktape: PathBuf,
    /// The same without debug information, which the guest need not unpack.
    pub for_guest: PathBuf,
    /// What it is linked to, where it looks for that.
    pub libraries: Vec<PathBuf>,
    /// Those of tests/workloads that the checks want.
    pub workloads: Vec<PathBuf>,
}

impl Built {
    /// Builds all of them, those for the guest below `home`.
    pub fn make(home: &Path) -> Result<Self> {
        std::fs::create_dir_all(home).context("cannot make a folder to build in")?;
        let ktape = ktape()?;
        let for_guest = home.join("ktape");
        let mut strip = Command::new("strip");
        strip.args(["--strip-debug", "-o"]).arg(&for_guest).arg(&ktape);
        let status = strip.status().context("cannot run strip")?;
        ensure!(status.success(), "strip failed");
        Ok(Self { libraries: libraries(&ktape)?, ktape, for_guest, workloads: workloads(home)? })
    }
}

/// As it is released: a build that `cargo build --release` has made is taken as it is.
fn ktape() -> Result<PathBuf> {
    let status = Command::new(cargo())
        .args(["build", "--quiet", "--release", "--package", "ktape"])
        .current_dir(root())
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "cargo could not build ktape");
    Ok(tools::target()?.join("release/ktape"))
}

/// The shared libraries of a program, and its interpreter.
fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let out = Command::new("ldd").arg(program).output().context("cannot run ldd")?;
    ensure!(out.status.success(), "ldd failed: {}", String::from_utf8_lossy(&out.stderr).trim());
    Ok(paths(&String::from_utf8_lossy(&out.stdout)))
}

/// What ldd names: `NAME => PATH (ADDRESS)`, or `PATH (ADDRESS)`. The kernel's own has no path.
fn paths(ldd: &str) -> Vec<PathBuf> {
    let words = ldd.lines().flat_map(|line| line.split_whitespace().find(|w| w.starts_with('/')));
    words.map(PathBuf::from).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_where_ldd_finds_them() {
        let ldd = "\tlinux-vdso.so.1 (0x00007f28)\n\tlibc.so.6 => /lib/libc.so.6 (0x00007f28)\n\
                   \t/lib64/ld-linux-x86-64.so.2 (0x00007f28)\n";
        let expected = ["/lib/libc.so.6", "/lib64/ld-linux-x86-64.so.2"].map(PathBuf::from);
        assert_eq!(paths(ldd), expected);
    }
}
