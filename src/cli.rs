//! The command line.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::cmd;

/// A flight recorder for Linux: record eBPF probes into one trace file, analyse it anywhere.
#[derive(Debug, Parser)]
#[command(name = "ktape", version, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Record(cmd::record::Args),
    Report(cmd::report::Args),
    Diff(cmd::diff::Args),
    Info(cmd::info::Args),
    Probes(cmd::probes::Args),
    Script(cmd::script::Args),
    Export(cmd::export::Args),
    Symbolize(cmd::symbolize::Args),
    Import(cmd::import::Args),
    Trim(cmd::trim::Args),
    Merge(cmd::merge::Args),
    Redact(cmd::redact::Args),
    Verify(cmd::verify::Args),
    Recover(cmd::recover::Args),
    Completions(cmd::completions::Args),
    Man(cmd::man::Args),
}

impl Command {
    /// Does it; the exit code is that of `ktape`.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Command::Record(args) => cmd::record::run(args),
            Command::Report(args) => cmd::report::run(&args),
            Command::Diff(args) => cmd::diff::run(&args),
            Command::Info(args) => cmd::info::run(&args),
            Command::Probes(args) => cmd::probes::run(&args),
            Command::Script(args) => cmd::script::run(&args),
            Command::Export(args) => cmd::export::run(&args),
            Command::Symbolize(args) => cmd::symbolize::run(&args),
            Command::Import(args) => cmd::import::run(&args),
            Command::Trim(args) => cmd::trim::run(&args),
            Command::Merge(args) => cmd::merge::run(&args),
            Command::Redact(args) => cmd::redact::run(&args),
            Command::Verify(args) => cmd::verify::run(&args),
            Command::Recover(args) => cmd::recover::run(&args),
            Command::Completions(args) => cmd::completions::run(&args),
            Command::Man(args) => cmd::man::run(&args),
        }
    }
}
