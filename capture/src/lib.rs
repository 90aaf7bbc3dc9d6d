//! Records a live system into a trace.
//!
//! [`record`] loads the kernel programs of the chosen [`probes`], drains their rings, turns what
//! they send into rows, and writes chunks until it is told to stop. [`check`] tells which probes
//! this host can run, and why not.
//!
//! The recorder is a guest: it holds bounded memory, loses facts (and counts them) rather than
//! slow the kernel down, does not record itself, and leaves nothing behind however it ends: all
//! that it puts into the kernel hangs on its file descriptors.

mod attach;
mod attacher;
mod bits;
mod clock;
mod command;
mod counting;
mod coverage;
mod cpu_usage;
mod departed;
mod devices;
mod ending;
mod error;
mod flight;
#[cfg(fuzzing)]
pub mod fuzzing;
mod golang;
mod header;
mod heap;
mod huffman;
mod identity;
mod ids;
mod kernel;
mod kernel_code;
mod libraries;
mod load;
mod made;
mod mappings;
mod names;
mod one_heap;
mod open_files;
mod options;
mod output;
mod patience;
mod pidfd;
mod place;
mod poll;
mod privileges;
mod probe;
pub mod probes;
mod proc;
mod reader;
mod recording;
mod reduce;
mod reel;
mod ring_memory;
mod rings;
mod session;
mod setup;
mod sideband;
mod signals;
mod stacks;
mod stall;
mod stamp;
mod summary;
mod switched;
mod symbols;
mod table;
mod tape;
mod targets;
mod tasks;
mod texts;
mod turning;
pub mod units;
mod uprobe;
mod writing;

#[cfg(test)]
mod segments_tests;
#[cfg(test)]
mod tasks_tests;

pub use counting::Event;
pub use ending::{Ended, Ending};
pub use error::{Error, Result};
pub use options::{
    DEFAULT_OVERWRITE_BYTES, DEFAULT_OVERWRITE_TIME, DEFAULT_RING_BYTES, Files, Options, Output,
    Overwrite, ProbeChoice, Switch, Targets,
};
pub use output::check_replaceable;
pub use probe::{Attach, AttachPoint, Collect, Knob, KnobKind, Needs, Probe, Totals, WAYS, Walk};
pub use session::record;
pub use setup::{Availability, check};
pub use summary::{DumpCause, End, News, Outcome, Progress, Summary};
