//! What /proc tells of the host, its processes and their memory.
//!
//! Parsers take text, so that tests need no processes; the thin readers stand beside them. Nothing
//! here trusts what it reads: a process may be hostile, and it may vanish between two reads.

mod cap;
mod clock;
mod error;
mod host;
mod maps;
mod snapshot;
mod stat;

pub use cap::{Capability, CapabilitySet};
pub use clock::{Anchor, anchor};
pub use error::{Error, Result};
pub use host::{Cpus, HostFacts};
pub use maps::{Backing, Device, Mapping, executable, read_maps};
pub use snapshot::{Process, Snapshot, Thread};
pub use stat::{SchedStat, Stat, uid_of_status};
