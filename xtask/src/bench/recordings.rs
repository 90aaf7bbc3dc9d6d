//! The recordings that `bench replay` reports on: one load, recorded by each recorder in turn.

use super::count::{self, Contents};
use super::load::Load;
use super::process::Process;
use super::recorder::{Programs, Tool};
use super::{measure, trace_cmd};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// What is recorded, and for which reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Off-CPU intervals with the stacks of long waits.
    Ktape,
    /// Switches and wake-ups, as `perf sched timehist` wants them.
    Perf,
    /// Switches with stacks, to be folded.
    PerfG,
    /// Switches and wakings.
    TraceCmd,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Ktape, Self::Perf, Self::PerfG, Self::TraceCmd];

    pub fn name(self) -> &'static str {
        match self {
            Self::Ktape => "ktape",
            Self::Perf => "perf",
            Self::PerfG => "perf-g",
            Self::TraceCmd => "trace-cmd",
        }
    }

    fn tool(self) -> Tool {
        match self {
            Self::Ktape => Tool::Ktape,
            Self::Perf | Self::PerfG => Tool::Perf,
            Self::TraceCmd => Tool::TraceCmd,
        }
    }

    fn args(self) -> &'static [&'static str] {
        match self {
            Self::Ktape => &["record", "-q", "-e", "sched"],
            Self::Perf => {
                &["record", "-q", "-a", "-m", "16M", "-e", "sched:sched_switch,sched:sched_wakeup"]
            }
            Self::PerfG => &["record", "-q", "-a", "-m", "16M", "-g", "-e", "sched:sched_switch"],
            Self::TraceCmd => &["record", "-q", "-e", "sched_switch", "-e", "sched_waking"],
        }
    }
}

/// A recording.
pub struct Recording {
    pub kind: Kind,
    pub file: PathBuf,
    /// Size in bytes.
    pub size: u64,
    pub contents: Contents,
}

/// Records the same load with each; what failed is told with the reason.
pub fn record(programs: &Programs, folder: &Path, facts: u64) -> Result<Vec<Recording>> {
    match trace_cmd::make_startable(folder) {
        Ok(note) => note.into_iter().for_each(|note| println!("{note}")),
        Err(error) => println!("trace-cmd: {error:#}"),
    }
    let load = Load::new()?;
    load.pass()?;
    // A switch to the idle task and one back make a single interval: hence some more.
    let mut switches = facts + facts / 4;
    let (ours, passes) = loop {
        let mut passes = 0;
        let ours = one(Kind::Ktape, programs, folder, || {
            passes = load.until(switches)?;
            Ok(())
        })?;
        let recorded = ours.contents.off_cpu.unwrap_or(0);
        if recorded >= facts {
            break (ours, passes);
        }
        println!("{recorded} facts in {passes} passes are too few: again");
        switches += switches * (facts - recorded) / facts + facts / 8;
    };
    println!("{passes} passes of: {}", Load::PASS);
    let mut all = vec![ours];
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Ktape) {
        let recorded = one(kind, programs, folder, || (0..passes).try_for_each(|_| load.pass()));
        match recorded {
            Ok(recording) => all.push(recording),
            Err(error) => println!("{} was not recorded: {error:#}", kind.name()),
        }
    }
    Ok(all)
}

/// Records a load with one of them.
pub fn one(
    kind: Kind,
    programs: &Programs,
    folder: &Path,
    load: impl FnOnce() -> Result<()>,
) -> Result<Recording> {
    eprintln!("recording with {}", kind.name());
    let file = folder.join(kind.name());
    let mut command = Command::new(programs.of(kind.tool()));
    command.args(kind.args()).arg("-o").arg(&file).current_dir(folder);
    let running = Process::start(command.stdin(Stdio::null()).stdout(Stdio::null()), folder)?;
    std::thread::sleep(Duration::from_secs(1));
    load()?;
    if !running.is_alive() {
        bail!("it ended early: {}", running.complaint());
    }
    measure::end(running, kind.tool())?;
    let size = file.metadata().context("it left no file")?.len();
    let contents = count::contents(kind.tool(), programs, &file)?;
    Ok(Recording { kind, file, size, contents })
}
