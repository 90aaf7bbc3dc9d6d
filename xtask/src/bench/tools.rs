//! The programs that the bench runs: where they are, or why they are not.

use super::super::generated::root;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version of inferno that the numbers are compared with.
const INFERNO: &str = "0.12.8";

/// The built `ktape`: `KTAPE_BIN` when set, else built by cargo with the release profile.
pub fn ktape() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("KTAPE_BIN") {
        return Ok(PathBuf::from(path));
    }
    eprintln!("building ktape");
    let status = Command::new(cargo())
        .args(["build", "--quiet", "--release", "--bin", "ktape"])
        .current_dir(root())
        .status()
        .context("cannot run cargo")?;
    if !status.success() {
        bail!("cargo could not build ktape");
    }
    Ok(target()?.join("release/ktape"))
}

/// `inferno-collapse-perf`: from the path, or installed below the target folder.
pub fn inferno() -> Result<PathBuf> {
    if let Some(path) = find("inferno-collapse-perf") {
        return Ok(path);
    }
    let home = target()?.join("bench-tools");
    let program = home.join("bin/inferno-collapse-perf");
    if !program.exists() {
        eprintln!("installing inferno {INFERNO}");
        let status = Command::new(cargo())
            .args(["install", "--quiet", "--locked", "inferno", "--version", INFERNO, "--root"])
            .arg(&home)
            .status()
            .context("cannot run cargo")?;
        if !status.success() {
            bail!("cargo could not install inferno");
        }
    }
    Ok(program)
}

/// Finds a program in the path or where distributions keep those of the administrator.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(["/usr/sbin", "/sbin"].map(PathBuf::from));
    folders.iter().map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// The first line of what a program says to `--version`.
pub fn version(program: &Path) -> String {
    let out = Command::new(program).arg("--version").output();
    let text = out.map(|out| [out.stdout, out.stderr].concat()).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("?").to_owned()
}

/// Fails unless the user is root, as all recorders need.
pub fn need_root() -> Result<()> {
    let out = Command::new("id").arg("-u").output().context("cannot run id")?;
    if out.stdout.trim_ascii() != b"0" {
        bail!("recording needs root: run this as root");
    }
    Ok(())
}

/// What the machine is, and how busy before we began.
pub fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease");
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown CPU", |rest| rest.trim_start_matches(['\t', ' ', ':']));
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    format!("Linux {}, {cpus} x {model}, load {}", kernel.trim(), load())
}

/// The load averages.
pub fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// The cargo that runs this.
pub fn cargo() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Where builds go.
pub fn target() -> Result<PathBuf> {
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .context("cannot read `cargo metadata`")?;
    Ok(metadata.target_directory.into_std_path_buf())
}
