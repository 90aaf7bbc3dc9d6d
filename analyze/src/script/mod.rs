//! The rows of a trace one by one, in order of time, as text or NDJSON.
//!
//! Memory is bounded: chunks are opened when their first row is due and closed after their last one.

mod frames;
mod json_line;
mod merge;
mod options;
mod text_line;
mod write;

pub use options::{Form, Script};
pub use write::script;
pub(crate) use write::wanted;
