//! The `ktape` command: policy only. Commands are in `cmd`, one file each.

mod cli;
mod cmd;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => cmd::usage::hint(error).exit(),
    };
    match cli.command.run() {
        Ok(code) => code,
        Err(error) => fail(&error),
    }
}

/// Says what failed and why; 2 when the command line asked for something impossible, else 1. Nobody
/// reading any more is no failure.
pub(crate) fn fail(error: &anyhow::Error) -> ExitCode {
    let broken_pipe = |cause: &(dyn std::error::Error + 'static)| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    };
    if error.chain().any(broken_pipe) {
        return ExitCode::SUCCESS;
    }
    // A cause that only repeats the end of what stands before it says nothing new.
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    // What a trace says may be in it.
    let text = ktape_analyze::render::escape_text(text.as_bytes());
    let _ = writeln!(std::io::stderr(), "ktape: error: {text}");
    // Behind one that is cut off there is nothing.
    let header = |cause: &(dyn std::error::Error + 'static)| match cause.downcast_ref() {
        Some(ktape_format::Error::Header { what, .. }) => !what.contains("cut off"),
        _ => false,
    };
    if error.chain().any(header) {
        let _ = writeln!(
            std::io::stderr(),
            "ktape: `ktape recover` makes a trace of what can be read behind it"
        );
    }
    let usage = error.is::<cmd::usage::Usage>()
        || error.downcast_ref::<ktape_analyze::Error>().is_some_and(ktape_analyze::Error::is_usage)
        || error.downcast_ref::<ktape_capture::Error>().is_some_and(ktape_capture::Error::is_usage);
    let command =
        error.downcast_ref::<ktape_capture::Error>().and_then(ktape_capture::Error::command_status);
    ExitCode::from(command.unwrap_or(if usage { 2 } else { 1 }))
}
