//! One run of a recorder beside a load.

use super::count::{self, Contents};
use super::process::Process;
use super::recorder::{Programs, Recorder, Tool};
use super::spent::Spent;
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::time::Duration;

/// Between the recorder's start and the load's. The slowest to get ready here takes 0.2 s.
const SETTLE: Duration = Duration::from_secs(1);

/// What one run showed.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// What the load says: seconds, in all or of one transaction.
    pub load_s: f64,
    /// CPU time of the recorder, from its start to its end.
    pub cpu_s: f64,
    /// Peak resident memory in bytes.
    pub peak: u64,
    /// From SIGINT to the end of the process.
    pub stop_s: f64,
    /// Size of the recording in bytes; 0 when it writes none.
    pub file: u64,
    /// What is in it.
    pub contents: Contents,
    /// What ktape says of its CPU time, if it is not quiet.
    pub spent: Option<Spent>,
}

/// Records `load` with `recorder`. The files in `folder` are gone afterwards.
pub fn record(
    recorder: Recorder,
    programs: &Programs,
    folder: &Path,
    load: impl FnOnce() -> Result<f64>,
) -> Result<Sample> {
    let file = folder.join("recording");
    let running = start(recorder, programs, &file, &[])?;
    std::thread::sleep(SETTLE);
    check_alive(&running)?;
    let load_s = load()?;
    check_alive(&running)?;
    let stderr = running.stderr.clone();
    let (usage, stop) = end(running, recorder.tool())?;
    let spent = Spent::parse(&std::fs::read_to_string(stderr).unwrap_or_default());
    let (size, contents) = if recorder.writes_events() {
        let size = file.metadata().context("it left no file")?.len();
        (size, count::contents(recorder.tool(), programs, &file)?)
    } else {
        (0, Contents::default())
    };
    clear(folder)?;
    Ok(Sample {
        load_s,
        cpu_s: usage.cpu.as_secs_f64(),
        peak: usage.peak,
        stop_s: stop.as_secs_f64(),
        file: size,
        contents,
        spent,
    })
}

/// Starts a recorder that writes to `file`.
pub fn start(
    recorder: Recorder,
    programs: &Programs,
    file: &Path,
    more: &[&str],
) -> Result<Process> {
    let folder = file.parent().expect("the file lies in a folder");
    Process::start(&mut recorder.command(programs, file, more), folder)
}

/// Ends a recorder; what it used, and how long it took to end.
pub fn end(running: Process, tool: Tool) -> Result<(super::process::Usage, Duration)> {
    let stderr = running.stderr.clone();
    let (usage, stop) = running.interrupt()?;
    // perf dies of the signal after it has written its file; the others end by themselves.
    let died = usage.status.code().is_none() && tool != Tool::Ktape;
    if !usage.status.success() && !died {
        bail!("it failed ({}): {}", usage.status, super::process::complaint(&stderr));
    }
    Ok((usage, stop))
}

/// Removes all files of a folder.
pub fn clear(folder: &Path) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        std::fs::remove_file(entry?.path())?;
    }
    Ok(())
}

fn check_alive(running: &Process) -> Result<()> {
    if !running.is_alive() {
        bail!("it ended early: {}", running.complaint());
    }
    Ok(())
}
