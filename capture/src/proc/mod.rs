//! What /proc tells of the host, its processes and their memory.
//!
//! Parsers take text, so that tests need no processes; the thin readers stand beside them. Nothing
//! here trusts what it reads: a process may be hostile, and it may vanish between two reads.

mod cap;
mod clock;
mod error;
mod host;
mod life;
mod maps;
mod snapshot;
mod stat;
mod tcp_counts;

pub(crate) use cap::Capability;
pub(crate) use clock::{Anchor, anchor};
pub(crate) use error::{Error, Result};
pub(crate) use host::HostFacts;
pub(crate) use life::{
    Descendant, descendants, process_of, process_start, processes, thread_start, threads,
};
pub(crate) use maps::{Backing, executable, read_maps};
pub(crate) use snapshot::{Process, Snapshot, Thread, join_args};
pub(crate) use stat::SchedStat;
pub(crate) use tcp_counts::TcpCounts;
