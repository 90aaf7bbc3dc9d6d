//! Makes a trace of what another recorder wrote (`ktape import`): so far perf.data of perf(1).
//!
//! What is read is hostile input like a trace: sizes are compared with what is there before memory
//! is taken, and what grows with the file is bounded.

mod bytes;
mod events;
mod features;
mod file;
mod formats;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod header;
mod importer;
mod kallsyms;
mod kernel;
mod losses;
mod mappings;
mod options;
mod ordered;
mod outcome;
mod perf;
mod sample;
mod stacks;
mod tape;
mod tasks;
#[cfg(test)]
mod tests;
mod waits;

pub use options::ImportPerf;
pub use perf::import_perf;
pub(crate) use perf::note_name;
