//! The recorders that are compared, and how each is run.

use super::tools;
use clap::ValueEnum;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A recorder, with the settings that matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Recorder {
    /// ktape: each off-CPU interval, no stacks.
    KtapeCheap,
    /// ktape: each off-CPU interval, with the stacks of long ones.
    KtapeSched,
    /// ktape as it comes: off-CPU intervals and CPU samples, with stacks.
    KtapeDefault,
    /// ktape with every probe.
    KtapeAll,
    /// ktape with HTTP/2 streams only; for `bench cost`.
    #[value(skip)]
    KtapeH2,
    /// perf: each switch.
    Perf,
    /// perf: each switch with its stacks.
    PerfG,
    /// perf: each system call, switch, waking and disk request, without stacks; for `bench cost`.
    #[value(skip)]
    PerfAll,
    /// trace-cmd: each switch and each waking.
    TraceCmd,
    /// offcputime of libbpf-tools: sums per stack, no events.
    Offcputime,
}

/// The program behind a recorder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    Ktape,
    Perf,
    TraceCmd,
    Offcputime,
}

impl Recorder {
    /// Those that `bench capture` compares.
    pub const ALL: &[Self] = &[
        Self::KtapeCheap,
        Self::Perf,
        Self::KtapeSched,
        Self::PerfG,
        Self::KtapeDefault,
        Self::TraceCmd,
        Self::KtapeAll,
        Self::Offcputime,
    ];

    /// What it is called on the command line and in the tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::KtapeCheap => "ktape-cheap",
            Self::KtapeSched => "ktape-sched",
            Self::KtapeDefault => "ktape-default",
            Self::KtapeAll => "ktape-all",
            Self::KtapeH2 => "ktape-h2",
            Self::Perf => "perf",
            Self::PerfG => "perf-g",
            Self::PerfAll => "perf-all",
            Self::TraceCmd => "trace-cmd",
            Self::Offcputime => "offcputime",
        }
    }

    pub fn tool(self) -> Tool {
        match self {
            Self::KtapeCheap
            | Self::KtapeSched
            | Self::KtapeDefault
            | Self::KtapeAll
            | Self::KtapeH2 => Tool::Ktape,
            Self::Perf | Self::PerfG | Self::PerfAll => Tool::Perf,
            Self::TraceCmd => Tool::TraceCmd,
            Self::Offcputime => Tool::Offcputime,
        }
    }

    /// Its arguments, but for the file.
    pub fn args(self) -> &'static [&'static str] {
        const PERF: &[&str] = &["record", "-q", "-a", "-m", "16M", "-e", "sched:sched_switch"];
        const PERF_G: &[&str] =
            &["record", "-q", "-a", "-m", "16M", "-g", "-e", "sched:sched_switch"];
        const PERF_ALL: &[&str] = &[
            "record",
            "-q",
            "-a",
            "-m",
            "16M",
            "-e",
            "raw_syscalls:sys_enter,raw_syscalls:sys_exit,sched:sched_switch,sched:sched_waking,\
             block:block_rq_issue,block:block_rq_complete",
        ];
        match self {
            // Not -q: the summary says where its CPU time went.
            Self::KtapeCheap => &["record", "-e", "sched/stacks=none/"],
            Self::KtapeSched => &["record", "-q", "-e", "sched"],
            Self::KtapeDefault => &["record", "-q"],
            Self::KtapeAll => &["record", "-q", "-e", "all"],
            Self::KtapeH2 => &["record", "-q", "-e", "h2"],
            Self::Perf => PERF,
            Self::PerfG => PERF_G,
            Self::PerfAll => PERF_ALL,
            Self::TraceCmd => &["record", "-q", "-e", "sched_switch", "-e", "sched_waking"],
            Self::Offcputime => &[],
        }
    }

    /// The arguments that make it write times of CLOCK_MONOTONIC.
    pub fn monotonic(self) -> &'static [&'static str] {
        match self.tool() {
            Tool::Perf => &["-k", "CLOCK_MONOTONIC"],
            Tool::TraceCmd => &["-C", "mono"],
            Tool::Ktape | Tool::Offcputime => &[],
        }
    }

    /// What it writes: a trace, or sums that are of no size to speak of.
    pub fn writes_events(self) -> bool {
        self.tool() != Tool::Offcputime
    }

    /// What is run to record into `file`, which lies in a folder of its own.
    pub fn command(self, programs: &Programs, file: &Path, more: &[&str]) -> Command {
        let mut command = Command::new(programs.of(self.tool()));
        command.args(self.args()).args(more).stdin(Stdio::null()).stdout(Stdio::null());
        if self.writes_events() {
            command.arg("-o").arg(file);
        }
        // trace-cmd keeps the data of each CPU in the working directory.
        command.current_dir(file.parent().expect("the file lies in a folder"));
        command
    }

    /// The command line for people.
    pub fn command_line(self) -> String {
        let program = match self.tool() {
            Tool::Ktape => "ktape",
            Tool::Perf => "perf",
            Tool::TraceCmd => "trace-cmd",
            Tool::Offcputime => "offcputime",
        };
        [&[program], self.args()].concat().join(" ")
    }
}

/// Where the programs are.
pub struct Programs {
    pub ktape: PathBuf,
    pub perf: Option<PathBuf>,
    pub trace_cmd: Option<PathBuf>,
    pub offcputime: Option<PathBuf>,
}

impl Programs {
    /// Looks for the peers.
    pub fn find(ktape: PathBuf) -> Self {
        Self {
            ktape,
            perf: tools::find("perf"),
            trace_cmd: tools::find("trace-cmd"),
            offcputime: tools::find("offcputime"),
        }
    }

    /// Why a recorder cannot be run, when its program is not there.
    pub fn missing(&self, recorder: Recorder) -> Option<&'static str> {
        let (found, how) = match recorder.tool() {
            Tool::Ktape => (true, ""),
            Tool::Perf => (self.perf.is_some(), "not installed (apt-get install linux-perf)"),
            Tool::TraceCmd => {
                (self.trace_cmd.is_some(), "not installed (apt-get install trace-cmd)")
            }
            Tool::Offcputime => {
                (self.offcputime.is_some(), "not installed (apt-get install libbpf-tools)")
            }
        };
        (!found).then_some(how)
    }

    /// The program of a tool; its plain name when it was not found.
    pub fn of(&self, tool: Tool) -> PathBuf {
        let (found, name) = match tool {
            Tool::Ktape => return self.ktape.clone(),
            Tool::Perf => (&self.perf, "perf"),
            Tool::TraceCmd => (&self.trace_cmd, "trace-cmd"),
            Tool::Offcputime => (&self.offcputime, "offcputime"),
        };
        found.clone().unwrap_or_else(|| name.into())
    }

    /// What versions were compared.
    pub fn versions(&self) -> String {
        let mut all = vec![tools::version(&self.ktape)];
        all.extend([&self.perf, &self.trace_cmd].into_iter().flatten().map(|p| tools::version(p)));
        all.join(", ")
    }
}
