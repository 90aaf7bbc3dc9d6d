//! `ktape symbolize`: adds what debug information knows to a trace.

use std::process::ExitCode;

use ktape_analyze::symbolize::{Symbolize, symbolize};

use super::input::InputOrFile;
use super::new_trace::NewTrace;
use super::output::Output;

/// Write a trace with inlined functions, source files and lines, from files found by build-id; then
/// tell what was found for each module.
///
/// Facts stay as they are. Frames of modules without debug information keep the names that they have.
/// Looking for debug information on another host than the recorded one is what --symfs, --debug-dir
/// and --vmlinux are for.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    trace: InputOrFile,
    #[command(flatten)]
    output: NewTrace,
    #[command(flatten)]
    symbolize: Symbolize,
    #[command(flatten)]
    answer: Output,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let input = args.trace.input();
    args.output.check((!input.is_stdin()).then(|| input.path()))?;
    let trace = input.open()?;
    let answer = args.output.write(|file| Ok(symbolize(&trace, &args.symbolize, file)?))?;
    args.answer.write(answer)?;
    Ok(ExitCode::SUCCESS)
}
