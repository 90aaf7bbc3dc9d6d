//! `ktape script`: the rows of a trace, one by one.

use std::io::Write;
use std::process::ExitCode;

use ktape_analyze::query::FilterArgs;
use ktape_analyze::render::escape_text;
use ktape_analyze::script::{Script, script};

use super::input::InputOrFile;

/// Write the facts of a trace one by one, in order of time over all CPUs: text or NDJSON.
///
/// Times in text are seconds since the start of the recording; a wait or a call stands at the time at
/// which it ended. Fields of JSON have the names and numbers that EVENTS.md tells.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    trace: InputOrFile,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    script: Script,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let trace = args.trace.open()?;
    let mut out = std::io::stdout().lock();
    let notes = script(&trace, &args.filter, &args.script, &mut out)?;
    for note in notes {
        let text = escape_text(note.text.as_bytes());
        let _ = writeln!(std::io::stderr(), "ktape: warning: {text}");
    }
    Ok(ExitCode::SUCCESS)
}
