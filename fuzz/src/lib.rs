//! What the fuzz targets share: bounded memory, files, mutation of traces.
//!
//! Run them with `cargo xtask fuzz`, or with cargo-fuzz: `cargo fuzz run -s none TARGET`.

mod memory;
mod mutate;
#[path = "../../format/tests/repair/mod.rs"]
mod repair;
mod scratch;
mod traces;

pub use mutate::{mutate_chunks, mutate_trace};
pub use scratch::Scratch;
pub use traces::{header_len, with_header};
