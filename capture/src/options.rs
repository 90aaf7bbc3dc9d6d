//! What to record, from whom, into what.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Where the trace goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A file; one of the same name is kept as `NAME.old`.
    File(PathBuf),
    /// Standard output.
    Stdout,
}

/// A probe that was asked for, with its knobs: `sched/stacks=all,min=1ms/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeChoice {
    /// The probe's name.
    pub name: String,
    /// Knob names and values, as typed.
    pub knobs: Vec<(String, String)>,
    /// Asked for by name: the recording fails if it cannot run. Otherwise it is left out, with the reason.
    pub explicit: bool,
}

/// Whose facts are recorded. Empty lists mean everyone's; the kernel programs decide before any work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    /// Processes.
    pub pids: Vec<u32>,
    /// Threads.
    pub tids: Vec<u32>,
    /// Children of these processes, too.
    pub children: bool,
    /// CPUs.
    pub cpus: Vec<u32>,
    /// A real user id.
    pub uid: Option<u32>,
    /// A cgroup v2 directory: below /sys/fs/cgroup, or an absolute path.
    pub cgroup: Option<PathBuf>,
    /// Shell patterns of thread names, one of which must match.
    pub comm: Vec<String>,
    /// Shell patterns of thread names, none of which may match.
    pub not_comm: Vec<String>,
}

impl Targets {
    /// Whether processes or threads are asked for by number.
    pub(crate) fn are_by_number(&self) -> bool {
        !(self.pids.is_empty() && self.tids.is_empty())
    }
}

/// How many files become of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Files {
    /// One.
    #[default]
    One,
    /// One after another, each a whole trace, `NAME.TIME`.
    Switched {
        /// A new one begins after this; `None`: at SIGUSR2 only, which always begins one.
        at: Option<Switch>,
        /// How many are kept, the newest; `None`: all.
        keep: Option<usize>,
    },
    /// The last moments stay in memory, and become files when something happens.
    Overwritten(Overwrite),
}

/// When a new file begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// The file has grown this large, in bytes; what is pending then comes on top.
    Size(u64),
    /// So much time has passed.
    Time(Duration),
}

/// What a flight recorder keeps, and when it is dumped. It always is at SIGUSR2, and at the end unless
/// a command was run that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overwrite {
    /// The last moments that a dump has, if they fit.
    pub time: Duration,
    /// The most that they may take in memory, in bytes.
    pub bytes: u64,
    /// Dump when a thread was stalled for this long: blocked uninterruptibly, or waiting for a disk
    /// or a CPU.
    pub on_stall: Option<Duration>,
    /// Dump at the end of a command that succeeded, too.
    pub at_end: bool,
    /// How many dumps but the last one are kept, the newest; `None`: all.
    pub keep: Option<usize>,
}

/// Everything that `record` needs to know.
#[derive(Clone, Debug)]
pub struct Options {
    /// Have the kernel count what its programs cost.
    pub bpf_stats: bool,
    /// Where to.
    pub output: Output,
    /// Which probes.
    pub probes: Vec<ProbeChoice>,
    /// From whom.
    pub targets: Targets,
    /// A command to run and record with its children; empty: none.
    pub command: Vec<OsString>,
    /// Record the whole host even though a command is run.
    pub system_wide: bool,
    /// Ways to attach that are passed over, as [`crate::WAYS`] has them: to compare the others.
    pub without: Vec<String>,
    /// Bytes of the fact ring of each CPU; a power of two times the page size.
    pub ring_bytes: u32,
    /// zstd level.
    pub level: i32,
    /// End after this long, from the moment at which a launched command may run. That is ended then, too (SIGTERM).
    pub duration: Option<Duration>,
    /// Wait this long before recording (the command runs meanwhile).
    pub delay: Option<Duration>,
    /// End when the trace, all its files together, has grown this large, in bytes; what is pending then
    /// comes on top.
    pub max_size: Option<u64>,
    /// One file after another, or the last moments only.
    pub files: Files,
    /// Have what is written reach the disk (fdatasync), at most this often; `None`: when the kernel likes.
    pub sync: Option<Duration>,
    /// The command line, for the trace's header.
    pub command_line: Vec<String>,
}

/// Bytes of the fact ring of each CPU unless told otherwise.
pub const DEFAULT_RING_BYTES: u32 = 4 << 20;

/// What a flight recorder keeps unless told otherwise.
pub const DEFAULT_OVERWRITE_TIME: Duration = Duration::from_secs(30);
/// Bytes that it takes at most unless told otherwise: with them the recorder stays below 100 MiB.
pub const DEFAULT_OVERWRITE_BYTES: u64 = 32 << 20;
