//! `ktape info`: what is in a trace.

use std::process::ExitCode;

use ktape_analyze::info::{InfoOptions, info};

use super::input::InputOrFile;
use super::output::Output;

/// Show what a trace is: host, probes, records, sizes, losses, stacks.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    trace: InputOrFile,
    #[command(flatten)]
    info: InfoOptions,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let trace = args.trace.open()?;
    args.output.write(info(&trace, args.info))?;
    Ok(ExitCode::SUCCESS)
}
