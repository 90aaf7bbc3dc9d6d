//! `ktape man`: manual pages.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::CommandFactory;

use super::output;

/// Write the manual page, or with --dir those of all subcommands too.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// Write ktape.1 and one page per subcommand into this directory.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let command = crate::cli::Cli::command();
    match &args.dir {
        Some(dir) => clap_mangen::generate_to(command, dir)
            .with_context(|| format!("writing manual pages to {}", dir.display()))?,
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page).context("rendering the page")?;
            output::write(&page)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
