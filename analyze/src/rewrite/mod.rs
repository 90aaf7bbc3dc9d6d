//! Makes a trace of a trace: a part of it (`ktape trim`), several as one (`ktape merge`), one without
//! names (`ktape redact`). What comes out is an ordinary trace.

mod chunks;
mod ids;
mod kept_processes;
mod merge;
mod outcome;
mod redact;
mod role;
mod trim;

pub(crate) use chunks::{Chunks, check_schema};
pub(crate) use merge::MERGED_PART;
pub use merge::merge;
pub(crate) use redact::REDACTED;
pub use redact::{Redact, Secret, redact};
pub use trim::{Trim, trim};
