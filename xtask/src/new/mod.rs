//! Skeletons of what the project grows by.

mod list;
mod name;
pub mod probe;
pub mod report;
mod write;
