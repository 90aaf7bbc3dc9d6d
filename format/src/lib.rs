//! The ktape trace file: columns to bytes and back.
//!
//! A trace is a header, then chunks, then a trailer (FORMAT.md has every byte). A chunk holds rows
//! of one record from one ring, one compressed block per column, checksummed, and describes itself:
//! any prefix of a trace is a trace. This crate knows no kernel, no clock and no terminal.
//!
//! [`Writer`] appends chunks; [`Trace`] finds them; [`Decoder`] reads the named columns of one into
//! a [`Batch`]. A trace is hostile input: reading never panics, hangs, or allocates by a number that
//! was not checked against [`limits`].

mod asked;
mod batch;
mod bytes;
mod choose;
mod chunk;
mod codec;
mod column;
mod decode;
mod encode;
mod error;
mod frame;
#[cfg(fuzzing)]
pub mod fuzzing;
mod gather;
mod header;
mod index;
pub mod limits;
mod load;
mod meta;
mod plan;
mod reader;
mod recover;
mod scan;
mod source;
mod usage;
mod verify;
mod writer;

pub use batch::{Batch, KeyColumn};
pub use chunk::{ChunkInfo, Tgids};
pub use column::{Column, TextColumn, Texts, Value};
pub use decode::Decoder;
pub use error::{Error, Result};
pub use ktape_schema as schema;
pub use meta::{
    ClockPair, FieldSchema, Host, Meta, ProbeMeta, ProbeState, RecordSchema, filter_name,
    own_schema,
};
pub use reader::Trace;
pub use recover::{LACKS, Recovered, recover};
pub use scan::{Damage, State};
pub use usage::ColumnUsage;
pub use verify::{Problem, verify};
pub use writer::{Options, RecordSummary, WriteSummary, Writer};
