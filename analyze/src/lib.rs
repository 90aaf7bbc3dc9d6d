//! Answers questions from ktape traces.
//!
//! A [`run::Report`] folds the facts of a trace into an [`answer::Answer`]; [`run::run`] drives it
//! over the chunks on all CPUs; [`render`] writes answers as text, JSON and CSV. Definitions (tasks,
//! stacks, symbols, losses) are loaded once into a [`context::Context`]. [`reports::REPORTS`] is the
//! list of all reports: one file and one line each.
//!
//! The same file and flags give the same bytes, whatever the number of threads: folds commute, every
//! order is total, arithmetic is on integers. A trace is hostile input: dangling ids read as
//! `[unknown]`, and what it says is escaped by every renderer.

pub mod answer;
mod capture_facts;
pub mod context;
mod cpu_time;
pub mod dangling;
pub mod diff;
mod enum_name;
mod errno;
mod error;
pub mod export;
mod fact_list;
mod folded_stacks;
#[cfg(fuzzing)]
pub mod fuzzing;
mod idle;
pub mod import;
pub mod info;
mod latencies;
pub mod query;
pub mod render;
pub mod reports;
pub mod rewrite;
mod row_layout;
pub mod run;
pub mod script;
pub mod stack_names;
pub mod symbolize;
pub mod syscall_class;
pub mod syscall_table;
mod task_cells;
pub mod wait_class;

pub use error::{Error, Result};

#[cfg(test)]
mod noise;
#[cfg(test)]
mod property;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
