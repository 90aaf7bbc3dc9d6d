//! `ktape import`: traces of what other recorders wrote.

use std::path::PathBuf;
use std::process::ExitCode;

use ktape_analyze::import::{ImportPerf, import_perf};

use super::new_trace::NewTrace;
use super::output::Output;

/// Write a trace of what another recorder has recorded; then tell what it has.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    #[command(subcommand)]
    from: From,
}

#[derive(clap::Subcommand, Clone, Debug)]
enum From {
    Perf(Perf),
}

/// Write a trace of a perf.data file: waits from sched:sched_switch and the wake-ups, samples of
/// cpu-clock, task-clock and cycles, with their call chains.
///
/// Record such a file with `perf record -a -g --buildid-all -e sched:sched_switch,sched:sched_waking,
/// sched:sched_wakeup_new,cpu-clock`; with `-k CLOCK_MONOTONIC` times of the day are known as well.
/// perf.data has no names of functions: `ktape symbolize` finds those of programs, --kallsyms names
/// those of the kernel.
#[derive(clap::Args, Clone, Debug)]
struct Perf {
    /// Read this file.
    #[arg(short, long, value_name = "FILE", default_value = "perf.data")]
    input: PathBuf,
    #[command(flatten)]
    output: NewTrace,
    #[command(flatten)]
    options: ImportPerf,
    #[command(flatten)]
    answer: Output,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let From::Perf(args) = &args.from;
    let inputs = [Some(&args.input), args.options.kallsyms.as_ref()];
    args.output.check(inputs.into_iter().flatten().map(PathBuf::as_path))?;
    let answer =
        args.output.write(|mut file| Ok(import_perf(&args.input, &args.options, &mut file)?))?;
    args.answer.write(answer)?;
    Ok(ExitCode::SUCCESS)
}
