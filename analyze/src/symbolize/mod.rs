//! Gives a trace the names that debug information knows: inlined functions, source files and lines.
//!
//! The only part of this crate that reads files besides the trace. It answers nothing: it writes a new
//! trace, from which the reports answer on any machine (`ktape symbolize`).

mod elf_file;
mod functions;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod lookup;
mod options;
mod outcome;
mod rewrite;
mod search;
mod step;
mod texts;

pub use options::Symbolize;
pub use step::symbolize;
