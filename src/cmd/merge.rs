//! `ktape merge`: several traces as one.

use std::path::PathBuf;
use std::process::ExitCode;

use ktape_analyze::rewrite::merge;
use ktape_format::Trace;

use super::new_trace::NewTrace;
use super::output::Output;

/// Write one trace of several: parts of a recording, recordings of a host, or several hosts; then tell
/// what it has.
///
/// Parts of one recording (ktape trim) become what they were. Hosts are kept apart: reports tell the
/// host of each thread, and --host picks some. Their clocks are aligned by the readings that the traces
/// have of them, each host by one constant, so that durations stay exact; ktape info tells how far
/// these readings disagree. Facts never count twice: recordings of one boot of a kernel that overlap in
/// time and share records are refused, whatever their hosts are called, until they are trimmed
/// apart; so are traces that were redacted with different keys.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// The traces to merge.
    #[arg(value_name = "FILE", required = true)]
    traces: Vec<PathBuf>,
    #[command(flatten)]
    output: NewTrace,
    #[command(flatten)]
    answer: Output,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    args.output.check(args.traces.iter().map(PathBuf::as_path))?;
    let opened = args.traces.iter().map(|path| Trace::open(path));
    let traces = opened.collect::<ktape_format::Result<Vec<Trace>>>()?;
    let answer = args.output.write(|file| Ok(merge(&traces, file)?))?;
    args.answer.write(answer)?;
    Ok(ExitCode::SUCCESS)
}
