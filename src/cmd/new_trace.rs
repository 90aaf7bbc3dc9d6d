//! How a command writes a trace that is made of others: beside its place, then moved there.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

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
        let (partial, file) = create_beside(&self.output)?;
        let written = write(file).and_then(|told| {
            fs::rename(&partial, &self.output).with_context(|| {
                format!("renaming {} to {}", partial.display(), self.output.display())
            })?;
            Ok(told)
        });
        if written.is_err() {
            // Half a file would pass for a whole one.
            let _ = fs::remove_file(&partial);
        }
        written
    }
}

fn is_same(a: &Path, b: &Path) -> bool {
    let id = |path| fs::metadata(path).map(|meta| (meta.dev(), meta.ino())).ok();
    id(a).is_some_and(|found| Some(found) == id(b))
}

/// A new file beside `output`, readable by nobody else: symbols tell of the recorded host.
fn create_beside(output: &Path) -> anyhow::Result<(PathBuf, File)> {
    let Some(name) = output.file_name() else {
        bail!("{} is no name of a file", output.display());
    };
    let partial = output.with_file_name(format!(
        ".{}.{}.partial",
        name.to_string_lossy(),
        std::process::id()
    ));
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&partial)
        .with_context(|| format!("creating {}", partial.display()))?;
    Ok((partial, file))
}
