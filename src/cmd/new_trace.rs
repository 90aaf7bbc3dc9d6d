//! How a command writes a trace that is made of others: beside its place, then moved there.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::bail;

use super::beside::{Beside, is_same};
use super::usage::Usage;

/// Where to write the new trace.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct NewTrace {
    /// Write the new trace to this file. A trace that is there is replaced when the new one is
    /// whole; anything else that is there is refused.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

impl NewTrace {
    /// A trace at this path.
    pub(crate) fn at(output: PathBuf) -> Self {
        Self { output }
    }

    /// Refuses to replace one of the traces that are read, or what is no trace.
    pub(crate) fn check<'a>(
        &self,
        inputs: impl IntoIterator<Item = &'a Path>,
    ) -> anyhow::Result<()> {
        if self.output.as_os_str() == "-" {
            let why = "-o takes the name of a file: a trace is written beside its place and moved \
                       there when it is whole (./- is a file of that name)";
            return Err(Usage(why.to_owned()).into());
        }
        for input in inputs {
            if is_same(input, &self.output) {
                bail!("{} is the trace itself: write to another file", self.output.display());
            }
        }
        Ok(ktape_capture::check_replaceable(&self.output)?)
    }

    /// Has it written; when that fails, nothing is left of it and what was there stays.
    pub(crate) fn write<T>(
        &self,
        write: impl FnOnce(File) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        // Readable by nobody else: symbols tell of the recorded host.
        let beside = Beside::create(&self.output, 0o600)?;
        let told = write(beside.file()?)?;
        beside.place()?;
        Ok(told)
    }
}
