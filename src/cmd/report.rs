//! `ktape report`: answers from a trace.

use std::process::ExitCode;

use clap::{ArgMatches, Command, FromArgMatches};
use ktape_analyze::reports::{OVERVIEW, REPORTS};
use ktape_analyze::run::Entry;

use super::input::{Input, Scan};
use super::output::Output;

/// Report what a trace shows; without a name, an overview.
#[derive(clap::Args, Clone, Debug)]
struct Flags {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    scan: Scan,
    #[command(flatten)]
    output: Output,
}

/// The flags of all reports, and which one is asked for with flags of its own.
#[derive(Clone, Debug)]
pub(crate) struct Args {
    flags: Flags,
    report: Option<(&'static str, ArgMatches)>,
    all: ArgMatches,
}

impl clap::Args for Args {
    fn augment_args(command: Command) -> Command {
        let command = OVERVIEW.augment(command);
        Flags::augment_args(command)
            .about("Report what a trace shows; without a name, an overview")
            .long_about(None::<&str>)
            .subcommand_value_name("NAME")
            .subcommand_help_heading("Reports")
            .disable_help_subcommand(true)
            .subcommands(REPORTS.iter().map(Entry::command))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Args {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let report = matches.subcommand().and_then(|(name, matches)| {
            let entry = REPORTS.iter().find(|entry| entry.name == name)?;
            Some((entry.name, matches.clone()))
        });
        Ok(Self { flags: Flags::from_arg_matches(matches)?, report, all: matches.clone() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (entry, matches) = match &args.report {
        Some((name, matches)) => {
            (REPORTS.iter().find(|entry| entry.name == *name).unwrap_or(&OVERVIEW), matches)
        }
        None => (&OVERVIEW, &args.all),
    };
    let trace = args.flags.input.open()?;
    let answer = entry.run(matches, &trace, &args.flags.scan.query())?;
    args.flags.output.write(answer)?;
    Ok(ExitCode::SUCCESS)
}
