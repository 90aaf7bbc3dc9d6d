//! What is told of a recording, while it goes on and after its end.

use std::path::PathBuf;
use std::time::Duration;

/// How a recording is going.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Since the recording began: the launched command was released, or else the probes were
    /// attached.
    pub elapsed: Duration,
    /// Facts written so far.
    pub facts: u64,
    /// Bytes written so far.
    pub bytes: u64,
    /// Facts and definitions (names, stacks, mappings) lost so far.
    pub lost: u64,
}

/// What became of one record.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its name.
    pub record: &'static str,
    /// Rows in the file. One of `syscall_count` stands for many calls, which the other two count.
    pub recorded: u64,
    /// What the kernel programs made.
    pub produced: u64,
    /// What found the ring full, or for system calls the map.
    pub lost: u64,
}

/// What ended a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A signal.
    Signal,
    /// The command ended.
    Command,
    /// The duration that was asked for is over.
    Duration,
    /// The trace has the size that was asked for.
    Size,
    /// All processes and threads that were asked for have ended.
    Gone,
}

/// What a recording came to.
#[derive(Clone, Debug)]
pub struct Summary {
    /// From the start of the recording (just before the probes are attached) to its stop.
    pub duration: Duration,
    /// Each record with facts or losses.
    pub outcomes: Vec<Outcome>,
    /// Bytes of the file, or of all files.
    pub bytes: u64,
    /// Files that were written.
    pub files: usize,
    /// CPU time of the recorder's process (user and system), its start and end included.
    pub cpu: Duration,
    /// What of it went into draining the rings while facts were recorded.
    pub draining: Duration,
    /// And into encoding, compressing and writing.
    pub writing: Duration,
    /// Its peak memory.
    pub peak_bytes: u64,
    /// Probes that were left out, with the reason.
    pub skipped: Vec<(String, String)>,
    /// What the host did not let the recorder see.
    pub warnings: Vec<String>,
    /// What ended it; `None` when it failed.
    pub end: Option<End>,
    /// Why the recording ended early; the trace is valid up to there.
    pub failure: Option<String>,
}

/// What a recording tells while it goes on.
#[derive(Clone, Debug)]
pub enum News {
    /// How it is going, every second.
    Progress(Progress),
    /// It has begun, and the last moments are kept in memory.
    Holding,
    /// A file is whole: one of several, or a dump.
    File {
        /// Which.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// What it holds: from its first moment to its last.
        span: Duration,
        /// Why it was dumped; `None` where one file follows another.
        cause: Option<DumpCause>,
        /// It is shorter than it should be, since there was no room in memory for more.
        short: bool,
    },
    /// A dump could not be made, and why. What is in memory stays there.
    NoDump(String),
}

/// Why the last moments were written to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DumpCause {
    /// SIGUSR2.
    Signal,
    /// A thread was stalled for so long.
    Stall {
        /// How long.
        duration: Duration,
        /// Which one.
        tid: u32,
    },
    /// The recording has ended.
    End,
}
