//! What fuzz targets need of the insides: all that reads files of others besides traces.

pub use crate::import::fuzzing::kallsyms;
pub use crate::symbolize::fuzzing::debug_information;
