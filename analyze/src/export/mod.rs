//! A trace in the forms of other programs.

mod flamegraph;
mod parquet;
mod stacks;

pub(crate) use flamegraph::draw;
pub use flamegraph::flamegraph;
pub use parquet::{Exported, ParquetExport, parquet};
pub use stacks::{Of, StackExport};
