//! `ktape info`: what is in a trace.

use std::process::ExitCode;

use super::input::Input;
use super::output::Output;

/// Show what a trace is: host, probes, records, sizes, losses, stacks.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    input: Input,
    /// The trace, as an alternative to -i.
    #[arg(value_name = "FILE", conflicts_with = "input")]
    file: Option<std::path::PathBuf>,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let trace = args.input.or(args.file.as_deref()).open()?;
    args.output.write(ktape_analyze::info::info(&trace))?;
    Ok(ExitCode::SUCCESS)
}
