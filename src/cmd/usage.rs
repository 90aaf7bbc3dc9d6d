//! Errors of the command line: those that clap cannot see, and tips for those that it can.

use std::fmt;
use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use ktape_analyze::render::escape_text;
use ktape_analyze::reports::REPORTS;

/// What was asked for cannot be: exit code 2.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl fmt::Display for Usage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Adds a tip to clap's errors where it has none: a trace goes behind -i, and which reports there are.
pub(crate) fn hint(mut error: clap::Error) -> clap::Error {
    let value = |kind| match error.get(kind) {
        Some(ContextValue::String(value)) => Some(value.clone()),
        _ => None,
    };
    let word = value(ContextKind::InvalidSubcommand).or_else(|| value(ContextKind::InvalidArg));
    let Some(word) = word.filter(|word| !word.starts_with('-')) else { return error };
    let command = std::env::args_os().nth(1).unwrap_or_default();
    let suggested = error.get(ContextKind::SuggestedSubcommand).is_some();
    let tip = if (command == "report" || command == "export") && Path::new(&word).is_file() {
        format!("to read this file, write -i {}", escape_text(word.as_bytes()))
    } else if command == "report" && !suggested && error.kind() == ErrorKind::InvalidSubcommand {
        let names: Vec<&str> = REPORTS.iter().map(|entry| entry.name).collect();
        format!("there are {}", names.join(", "))
    } else {
        return error;
    };
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    error
}
