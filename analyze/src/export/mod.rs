//! Stacks of a trace in the forms of other programs.

mod flamegraph;
mod stacks;

pub use flamegraph::flamegraph;
pub use stacks::{Of, StackExport};
