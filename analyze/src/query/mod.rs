//! Which facts a question is about: the filters of the command line.

mod cpu_range;
mod duration;
mod filter;
mod filter_args;
mod glob;
mod moment;
mod row_filter;

pub use cpu_range::cpu_range;
pub use duration::parse_duration;
pub use filter::Filter;
pub use filter_args::FilterArgs;
pub use glob::Glob;
pub use moment::{Moment, format_calendar};
pub(crate) use row_filter::RowFilter;
