//! `Input`: the trace that a command reads.

use std::path::{Path, PathBuf};

use anyhow::bail;
use ktape_analyze::query::FilterArgs;
use ktape_analyze::run::Query;
use ktape_format::Trace;

/// What `ktape record` writes when no file is named.
const DEFAULT: &str = "trace.ktape";

/// Which trace to read.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Input {
    /// Read this trace; - is standard input.
    #[arg(short, long, global = true, value_name = "FILE", default_value = DEFAULT)]
    input: PathBuf,
}

/// Which trace to read, for commands that take its name without -i, too.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct InputOrFile {
    #[command(flatten)]
    input: Input,
    /// The trace, as an alternative to -i.
    #[arg(value_name = "FILE", conflicts_with = "input")]
    file: Option<PathBuf>,
}

impl InputOrFile {
    /// The one that was given.
    pub(crate) fn input(&self) -> Input {
        self.file.clone().map_or_else(|| self.input.clone(), |input| Input { input })
    }

    /// Opens it.
    pub(crate) fn open(&self) -> anyhow::Result<Trace> {
        self.input().open()
    }
}

impl Input {
    /// Opens it.
    pub(crate) fn open(&self) -> anyhow::Result<Trace> {
        if self.input == Path::new(DEFAULT) && !self.input.exists() {
            bail!(
                "there is no {DEFAULT} here: record one with `ktape record`, or name one with -i"
            );
        }
        Ok(match self.is_stdin() {
            true => Trace::from_stream(std::io::stdin().lock())?,
            false => Trace::open(&self.input)?,
        })
    }

    /// Whether it is standard input.
    pub(crate) fn is_stdin(&self) -> bool {
        self.input == Path::new("-")
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.input
    }
}

/// Which facts to look at, and how fast.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Scan {
    #[command(flatten)]
    filter: FilterArgs,
    /// Scan with this many threads; the answer does not depend on it [default: one per CPU].
    #[arg(
        short = 'j',
        long,
        global = true,
        value_name = "THREADS",
        default_value_t = 0,
        hide_default_value = true
    )]
    threads: usize,
}

impl Scan {
    /// The filters.
    pub(crate) fn filter(&self) -> &FilterArgs {
        &self.filter
    }

    /// How many threads; 0 for one per CPU.
    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    /// The query that the flags make.
    pub(crate) fn query(&self) -> Query {
        Query { filter: self.filter.clone(), threads: self.threads }
    }
}
