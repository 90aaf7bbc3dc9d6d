//! `ktape completions`: completion scripts for shells.

use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use super::output;

/// Write the completion script of a shell.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// The shell.
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::cli::Cli::command(), "ktape", &mut script);
    output::write(&script)?;
    Ok(ExitCode::SUCCESS)
}
