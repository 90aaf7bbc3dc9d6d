//! Kernels on which trace-cmd does not start as it is.
//!
//! Some kernels let root record events but refuse it the function tracer's files; trace-cmd resets
//! these before anything else and gives up. It passes over files that are not what it expects, so
//! here it finds empty ones in their place, seen by this process and its children only.

use super::process;
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

/// The function tracer's files that trace-cmd wants to write.
const HIDDEN: &[&str] = &[
    "/proc/sys/kernel/ftrace_enabled",
    "/sys/kernel/tracing/set_ftrace_filter",
    "/sys/kernel/tracing/set_ftrace_notrace",
    "/sys/kernel/tracing/set_ftrace_pid",
];

/// Tries trace-cmd, and with the files hidden when it fails. Says what it did, if anything.
pub fn make_startable(folder: &Path) -> Result<Option<String>> {
    let Err(first) = try_it(folder) else { return Ok(None) };
    process::own_mounts().context("cannot have mount points of our own")?;
    mount(&["--make-rprivate", "/"])?;
    if !Path::new("/sys/kernel/tracing/events").exists() {
        mount(&["-t", "tracefs", "none", "/sys/kernel/tracing"])?;
    }
    let empty = folder.join("empty");
    std::fs::write(&empty, "").context("cannot write an empty file")?;
    for file in HIDDEN.iter().filter(|file| Path::new(file).exists()) {
        mount(&["--bind", &empty.to_string_lossy(), file])?;
    }
    match try_it(folder) {
        Ok(()) => Ok(Some(format!(
            "trace-cmd does not start here as it is ({first}): it runs with the function tracer's \
             files hidden"
        ))),
        Err(second) => bail!("{second}"),
    }
}

fn try_it(folder: &Path) -> Result<()> {
    let out = Command::new("trace-cmd")
        .args(["record", "-q", "-e", "sched_switch", "-o"])
        .arg(folder.join("try.dat"))
        .args(["sleep", "0"])
        .current_dir(folder)
        .output()
        .context("cannot run trace-cmd")?;
    if !out.status.success() {
        let said = String::from_utf8_lossy(&out.stderr);
        bail!("{}", said.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    Ok(())
}

fn mount(args: &[&str]) -> Result<()> {
    let out = Command::new("mount").args(args).output().context("cannot run mount")?;
    if !out.status.success() {
        let said = String::from_utf8_lossy(&out.stderr);
        bail!("mount {}: {}", args.join(" "), said.trim());
    }
    Ok(())
}
