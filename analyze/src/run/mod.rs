//! How a report runs over a trace: chunks in any order on any number of threads, one answer.

mod again;
mod bounded;
mod driver;
mod entry;
mod histogram;
mod longest;
mod notes;
mod report;
mod slots;
mod stack_sums;

pub use again::Again;
pub use bounded::{Bounded, BoundedKey, Fold};
pub use driver::{Query, run};
pub(crate) use driver::{Scan, fold};
pub use entry::Entry;
pub use histogram::{Bucket, LogHistogram};
pub use longest::Longest;
pub(crate) use notes::{definitions, gaps, loss};
pub use report::{Read, Report};
pub use slots::Slots;
pub use stack_sums::{StackKey, StackSums, Sum};
