//! `Entry`: a report without its type, as the list of reports holds it.

use clap::{ArgMatches, Command};
use ktape_format::Trace;

use super::{Query, Report, run};
use crate::answer::Answer;
use crate::error::Result;

/// A report as the command line sees it.
#[derive(Clone, Copy)]
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    augment: fn(Command) -> Command,
    run: fn(&ArgMatches, &Trace, &Query) -> Result<Answer>,
}

impl Entry {
    /// The entry of a report.
    pub const fn of<R: Report>() -> Self {
        Self { name: R::NAME, augment: R::augment_args, run: run_matches::<R> }
    }

    /// Adds the report's own flags, and its doc comment as help, to a command.
    pub fn augment(&self, command: Command) -> Command {
        (self.augment)(command)
    }

    /// The subcommand with the report's own flags, and its doc comment as help.
    pub fn command(&self) -> Command {
        self.augment(Command::new(self.name))
    }

    /// Runs it with the flags in `matches`, which [`Entry::command`] has parsed.
    pub fn run(&self, matches: &ArgMatches, trace: &Trace, query: &Query) -> Result<Answer> {
        (self.run)(matches, trace, query)
    }
}

fn run_matches<R: Report>(matches: &ArgMatches, trace: &Trace, query: &Query) -> Result<Answer> {
    let report = R::from_arg_matches(matches).map_err(|error| crate::error::Error::Option {
        option: "report",
        value: R::NAME.to_owned(),
        reason: error.to_string(),
    })?;
    run(&report, trace, query)
}
