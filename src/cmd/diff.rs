//! `ktape diff`: what got slower.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use ktape_analyze::Error;
use ktape_analyze::diff::{
    Asked, By, Side, Subject, diff, difference_flamegraph, difference_folded,
};
use ktape_analyze::query::FilterArgs;
use ktape_format::Trace;

use super::input::Scan;
use super::output::{self, Output};
use super::usage::Usage;

/// Tell what got slower from one trace to another, or from one window of a trace to another.
///
/// `ktape diff BEFORE AFTER` compares two traces, `ktape diff TRACE --against A,B --time C,D` two
/// windows of one. Facts are grouped by what another recording has, too: names of threads, processes
/// and functions, calls, files, disks, addresses, methods. Times are told per second of the window, so
/// that windows may differ in length: "+200 ms more a second" is 200 ms more in each second.
///
/// How sure a difference is: both windows are cut into slices of one length, 20 of the shorter one, and
/// the slices are sorted by the time that the group took in each. Were nothing different, slices of both
/// windows would be mixed. "99 % sure" says that chance sorts them apart like this less than one time in
/// 100 (the rank test of Mann and Whitney); there are 95, 99 and 99.9 %, and "-" for what is less sure.
/// One long wait alone is never sure, however the windows differ in length, and where most slices are
/// empty the exact chance of the others counts. Of a thousand rows without any difference some 50 are 95 % sure all
/// the same, and a change of the load is as sure as one of the program.
///
/// What surely got slower comes first, by how much; there, sleeps come behind waits for something,
/// since they are as long as the program asked for. What got faster is at the end: --sort
/// change_ns_per_s:asc. Idle waits are left out, as in ktape report offcpu.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// The trace that is the base; the only one when two windows of it are compared.
    #[arg(value_name = "BEFORE")]
    before: PathBuf,
    /// The trace that is compared with it.
    #[arg(value_name = "AFTER")]
    after: Option<PathBuf>,
    /// Compare these times, named as reports are [default: all that both recorded, five rows each].
    #[arg(long, value_enum, value_name = "REPORT,..", value_delimiter = ',')]
    of: Vec<Subject>,
    /// What one row is [default: what tells most].
    #[arg(long, value_enum, value_name = "WHAT")]
    by: Option<By>,
    /// The window before, as --time has it [default: of two traces that of --time].
    #[arg(long, value_name = "A,B", help_heading = "Filters")]
    against: Option<String>,
    /// Write folded stacks with the nanoseconds before and after, for difffolded and flamegraph.
    #[arg(long, conflicts_with = "flamegraph")]
    folded: bool,
    /// Write a flame graph as SVG: as wide as after, red what grew, blue what shrank.
    #[arg(long)]
    flamegraph: bool,
    /// Write --folded or --flamegraph to this file, - is standard output.
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    #[command(flatten)]
    scan: Scan,
    #[command(flatten)]
    answer: Output,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let [one, other] = args.filters()?;
    let inputs = [Some(&args.before), args.after.as_ref()].into_iter().flatten();
    output::check_target(&args.output, inputs.map(PathBuf::as_path))?;
    let trace = Trace::open(&args.before)?;
    let second = args.after.as_deref().map(Trace::open).transpose()?;
    let before = Side::before(&trace, &one).map_err(|error| args.against_of(error));
    let before = before.context("BEFORE")?;
    let after = Side::after(second.as_ref().unwrap_or(&trace), &other).context("AFTER")?;
    let asked = Asked { subjects: args.of.clone(), by: args.by, threads: args.scan.threads() };
    if !(args.folded || args.flamegraph) {
        args.answer.write(diff(&before, &after, &asked)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let subject = match args.of[..] {
        [] => Subject::Offcpu,
        [subject] => subject,
        _ => return Err(Usage("folded stacks are of one report: name it with --of".into()).into()),
    };
    let (folded, notes) = difference_folded(&before, &after, subject, &asked)?;
    output::warn(&notes);
    let bytes = match args.flamegraph {
        true => difference_flamegraph(&folded, subject)?,
        false => folded,
    };
    output::write_to(&args.output, &bytes)?;
    Ok(ExitCode::SUCCESS)
}

impl Args {
    /// The window before is that of --against, when there is one.
    fn against_of(&self, error: Error) -> Error {
        match error {
            Error::Option { option: "--time", value, reason } if self.against.is_some() => {
                Error::Option { option: "--against", value, reason }
            }
            other => other,
        }
    }

    /// The filters of both sides.
    fn filters(&self) -> anyhow::Result<[FilterArgs; 2]> {
        let after = self.scan.filter().clone();
        let mut before = after.clone();
        if self.after.is_none() && (self.against.is_none() || after.time.is_none()) {
            let why = "name a second trace, or two windows of this one: --against A,B --time C,D";
            return Err(Usage(why.to_owned()).into());
        }
        if let Some(against) = &self.against {
            before.time = Some(against.clone());
        }
        Ok([before, after])
    }
}
