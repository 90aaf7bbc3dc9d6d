//! `ktape trim`: a part of a trace.

use std::process::ExitCode;

use ktape_analyze::rewrite::{Trim, trim};

use super::input::InputOrFile;
use super::new_trace::NewTrace;
use super::output::Output;

/// Write a part of a trace: a window of time, some processes, records or probes; then tell what is
/// left.
///
/// Reports of the new trace are those of the old one with the same filters, offsets included, and say
/// that it is a part. Parts that were cut by time or by records become whole again with ktape merge.
/// A part of a part is of what both chose; names (--comm, --host) are chosen once.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    trace: InputOrFile,
    #[command(flatten)]
    output: NewTrace,
    #[command(flatten)]
    trim: Trim,
    #[command(flatten)]
    answer: Output,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let input = args.trace.input();
    args.output.check((!input.is_stdin()).then(|| input.path()))?;
    let trace = input.open()?;
    let answer = args.output.write(|file| Ok(trim(&trace, &args.trim, file)?))?;
    args.answer.write(answer)?;
    Ok(ExitCode::SUCCESS)
}
