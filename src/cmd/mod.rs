//! The subcommands, one file each: parse, call a library, write.

mod beside;
pub(crate) mod completions;
pub(crate) mod diff;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod info;
pub(crate) mod input;
mod interrupted;
pub(crate) mod man;
pub(crate) mod merge;
pub(crate) mod new_trace;
pub(crate) mod output;
pub(crate) mod probes;
pub(crate) mod record;
mod record_files;
mod record_notes;
pub(crate) mod recover;
pub(crate) mod redact;
pub(crate) mod report;
pub(crate) mod script;
pub(crate) mod symbolize;
pub(crate) mod trim;
pub(crate) mod usage;
pub(crate) mod verify;
