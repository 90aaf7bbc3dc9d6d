//! `ktape symbolize`: adds what debug information knows to a trace.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use ktape_analyze::symbolize::{Symbolize, symbolize};

use super::input::InputOrFile;
use super::output::Output;

/// Write a trace with inlined functions, source files and lines, from files found by build-id; then
/// tell what was found for each module.
///
/// Facts stay as they are. Frames of modules without debug information keep the names that they have.
/// Looking for debug information on another host than the recorded one is what --symfs, --debug-dir
/// and --vmlinux are for.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    trace: InputOrFile,
    /// Write the new trace to this file. A trace that is there is replaced when the new one is
    /// whole; anything else that is there is refused.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    symbolize: Symbolize,
    #[command(flatten)]
    answer: Output,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let input = args.trace.input();
    let (path, output) = (input.path(), args.output.as_path());
    if !input.is_stdin() && is_same(path, output) {
        bail!("{} is the trace itself: write to another file", output.display());
    }
    ktape_capture::check_replaceable(output)?;
    let trace = input.open()?;
    let (partial, file) = create_beside(output)?;
    let written =
        symbolize(&trace, &args.symbolize, file).map_err(anyhow::Error::from).and_then(|answer| {
            fs::rename(&partial, output).with_context(|| {
                format!("renaming {} to {}", partial.display(), output.display())
            })?;
            Ok(answer)
        });
    match written {
        Ok(answer) => args.answer.write(answer)?,
        Err(error) => {
            // Half a file would pass for a whole one.
            let _ = fs::remove_file(&partial);
            return Err(error);
        }
    }
    Ok(ExitCode::SUCCESS)
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
