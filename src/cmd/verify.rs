//! `ktape verify`: whether a trace is whole.

use std::fmt::Write;
use std::process::ExitCode;

use ktape_analyze::render::escape_text;
use ktape_format::{LACKS, State, verify};

use super::input::InputOrFile;
use super::output;

/// Check every byte of a trace, and say what is wrong and where; exit 1 when something is.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    trace: InputOrFile,
}

/// Problems shown one by one.
const SHOWN: usize = 100;

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let trace = args.trace.open()?;
    let mut problems: Vec<String> = verify(&trace).iter().map(ToString::to_string).collect();
    let dangling = ktape_analyze::dangling::dangling(&trace);
    let lacks = trace.meta().notes.iter().any(|(name, _)| name == LACKS);
    let mut out = String::new();
    if lacks {
        // That is what its notes say, and all that can be had.
        for lost in &dangling {
            let _ =
                writeln!(out, "lost with the damage: {}", escape_text(lost.to_string().as_bytes()));
        }
    } else {
        problems.extend(dangling.iter().map(ToString::to_string));
    }
    for problem in problems.iter().take(SHOWN) {
        let _ = writeln!(out, "{}", escape_text(problem.as_bytes()));
    }
    if problems.len() > SHOWN {
        let _ = writeln!(out, "... {} more", problems.len() - SHOWN);
    }
    let rows: u64 = trace.chunks().iter().map(|chunk| u64::from(chunk.rows)).sum();
    let state = match (trace.state(), trace.is_finished()) {
        (State::Complete, _) if lacks => "complete, but recovered from a damaged trace",
        (State::Complete, true) => "complete",
        (State::Complete, false) => "complete, but of a recording that was not finished",
        (State::Unfinished(_), true) => "cut off in its trailer",
        (State::Unfinished(_), false) => "unfinished: it has no trailer",
        (State::Damaged(_), _) => "damaged",
    };
    let found = match problems.len() {
        0 => "nothing else is wrong".to_owned(),
        1 => "1 problem".to_owned(),
        many => format!("{many} problems"),
    };
    let whole = problems.is_empty() && *trace.state() == State::Complete;
    let found = if whole { "nothing is wrong".to_owned() } else { found };
    let _ = writeln!(out, "{state}; {} chunks, {rows} rows; {found}", trace.chunks().len());
    if *trace.state() != State::Complete {
        let _ = writeln!(out, "`ktape recover` makes a complete trace of what is there");
    }
    output::write(out.as_bytes())?;
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
